"""REST's answers: tests/cases/rest/requests.md, tokens, and PostgREST's settings."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from promthctl.toolchain import Toolchain
from tests.rest_server import Rest, rest_server, token
from tests.servers import Server, fresh_database

CASES = Path(__file__).parent.parent / "cases" / "rest"
_HEADER = re.compile(r"([a-z-]+): (.*)")


@dataclass(frozen=True)
class Case:
    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    status: int
    answer_headers: dict[str, str]
    answer: str | None


def cases() -> Iterator[Case]:
    text = (CASES / "requests.md").read_text(encoding="utf-8")
    for block in re.findall(r"(?m)^[A-Z]+ /.*\n(?:(?!\n).*\n?)+", text):
        asked, answered = block.strip().split("\n→ ")
        first, *rest = asked.split("\n")
        method, path = first.split(" ", 1)
        headers, body = parts(rest)
        status, *rest = answered.split("\n")
        answer_headers, answer = parts(rest)
        yield Case(method, path, headers, body, int(status), answer_headers, answer)


def parts(lines: list[str]) -> tuple[dict[str, str], str | None]:
    headers = {}
    while lines and (found := _HEADER.fullmatch(lines[0])):
        headers[found[1]] = found[2]
        lines = lines[1:]
    return headers, "\n".join(lines) if lines else None


@pytest.fixture(scope="module")
def rest(server: Server, tools: Toolchain) -> Iterator[Rest]:
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((CASES / "schema.sql").read_text(encoding="utf-8").encode())
            # So that each request finds the same rows; hosted Supabase leaves this off.
            set_option(connection, "db_tx_end", "rollback-allow-override")
        with rest_server(url, tools, schemas=["public", "other"]) as running:
            yield running
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(b"alter role authenticator reset all")
            connection.execute(b"alter role authenticator set statement_timeout = '8s'")
            connection.execute(b"alter role authenticator set lock_timeout = '8s'")


def set_option(connection: psycopg.Connection, name: str, value: str | None) -> None:
    change = f"set pgrst.{name} to '{value}'" if value is not None else f"reset pgrst.{name}"
    connection.execute(f"alter role authenticator {change}; notify pgrst, 'reload config'".encode())


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: f"{case.method} {case.path} {case.body or ''}"[:80])
def test_an_answer_is_postgrests(rest: Rest, case: Case) -> None:
    headers = dict(case.headers)
    key = rest.anon_key if headers.pop("role", None) == "anon" else None
    path = re.sub(r'[ "{}^|,<>]', lambda found: f"%{ord(found[0]):02X}", case.path)
    answer = rest.ask(case.method, path, case.body, key=key, **{n.replace("-", "_"): v for n, v in headers.items()})
    shown = f"{answer.status} {answer.headers}\n{answer.text}"
    assert answer.status == case.status, shown
    assert answer.headers | case.answer_headers == answer.headers, shown
    if case.answer is not None and answer.headers["content-type"].startswith(("text/csv", "text/html")):
        assert answer.text == case.answer
    elif case.answer is not None:
        assert alike(answer.json, json.loads(case.answer, parse_float=Decimal)), shown


def alike(got: Any, wanted: Any) -> bool:
    """Whether they are equal, where … stands for any text."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return got.keys() == wanted.keys() and all(alike(got[key], value) for key, value in wanted.items())
    return isinstance(got, str) if wanted == "…" else bool(got == wanted)


def test_a_count_may_be_guessed(rest: Rest) -> None:
    with psycopg.connect(rest.db_url, autocommit=True) as connection:
        connection.execute(b"insert into keyless select n, n from generate_series(100, 399) n")
        connection.execute(b"analyze keyless")
        set_option(connection, "db_max_rows", "10")
        try:
            eventually(lambda: rest.ask("GET", "/keyless?select=a").headers["content-range"] == "0-9/*")
            for count, total in (("exact", 302), ("planned", 302), ("estimated", 302)):
                answer = rest.ask("GET", "/keyless?select=a", prefer=f"count={count}")
                assert (answer.status, answer.headers["content-range"]) == (206, f"0-9/{total}"), count
            few = rest.ask("GET", "/keyless?select=a&a=lt.3", prefer="count=estimated")
            assert few.headers["content-range"] == "0-1/2"
            embedded = rest.ask("GET", "/clients?select=projects(id)&limit=500&projects.limit=500")
            assert embedded.status == 200
        finally:
            set_option(connection, "db_max_rows", None)
            connection.execute(b"delete from keyless where a >= 100")
            eventually(lambda: "/*" in rest.ask("GET", "/keyless?select=a").headers["content-range"])


def test_settings_of_the_role_are_obeyed_as_soon_as_they_are_said(rest: Rest) -> None:
    with psycopg.connect(rest.db_url, autocommit=True) as connection:
        plan = {"accept": 'application/vnd.pgrst.plan+json; for="application/json"; options=analyze|verbose'}
        assert rest.ask("GET", "/clients", **plan).status == 406
        assert rest.ask("GET", "/projects?select=budget.sum()").status == 400
        connection.execute(
            b"create function public.gate() returns void language plpgsql as $$ begin"
            b" if current_setting('request.headers')::json ->> 'x-bad' is not null then"
            b" raise sqlstate 'PT403' using message = 'Go away'; end if; end $$"
        )
        for name, value in (
            ("db_plan_enabled", "true"),
            ("db_aggregates_enabled", "true"),
            ("db_pre_request", "public.gate"),
            ("db_schemas", "other"),
        ):
            set_option(connection, name, value)
        try:
            eventually(lambda: rest.ask("GET", "/things?select=id").json == [{"id": 1}])
            assert rest.ask("GET", "/things", x_bad="1").status == 403
            explained = rest.ask("GET", "/things", **plan)
            assert explained.headers["content-type"].startswith("application/vnd.pgrst.plan+json")
            assert explained.json[0]["Plan"]["Actual Rows"] == 1
            set_option(connection, "db_schemas", None)
            eventually(lambda: rest.ask("GET", "/projects?select=budget.sum()").status == 200)
            assert rest.ask(
                "GET", "/projects?select=client_id,count(),budget.max()&client_id=not.is.null&order=client_id"
            ).json == [{"client_id": 1, "count": 2, "max": Decimal("10.50")}, {"client_id": 2, "count": 1, "max": None}]
            spread = rest.ask("GET", "/projects?select=...clients(client:name),budget.sum()&client_id=eq.1").json
            assert spread == [{"client": "Acme", "sum": Decimal("13.50")}]
        finally:
            for name in ("db_plan_enabled", "db_aggregates_enabled", "db_pre_request", "db_schemas"):
                set_option(connection, name, None)
            connection.execute(b"drop function public.gate()")
            eventually(lambda: rest.ask("GET", "/clients", x_bad="1").status == 200)


def test_what_is_made_later_is_seen_and_a_schema_that_is_gone_is_said(rest: Rest) -> None:
    with psycopg.connect(rest.db_url, autocommit=True) as connection:
        connection.execute(b"create table later (id integer); grant select on later to service_role")
        assert rest.until("GET", "/later").json == []
        set_option(connection, "db_schemas", "public, nowhere")
        gone = rest.until("GET", "/later", status=503)
        assert gone.json["code"] == "PGRST002" and 'schema "nowhere" does not exist' in gone.json["details"]
        set_option(connection, "db_schemas", None)
        rest.until("GET", "/later")
        connection.execute(b"drop table later")
        rest.until("GET", "/later", status=404)


def test_what_is_written_stays_unless_it_was_refused(rest: Rest) -> None:
    with psycopg.connect(rest.db_url, autocommit=True) as connection:

        def ids() -> list[int]:
            return [row[0] for row in connection.execute(b"select id from ledger order by id").fetchall()]

        keep = {"prefer": "tx=commit"}
        rows = [{"id": 1, "amount": 1}, {"id": 2, "amount": 2}]
        assert rest.ask("POST", "/ledger", rows, **keep).status == 201
        assert ids() == [1, 2]
        single = {"accept": "application/vnd.pgrst.object+json", "prefer": "tx=commit, return=representation"}
        assert rest.ask("DELETE", "/ledger?id=gt.0", **single).status == 406
        assert rest.ask("DELETE", "/ledger", prefer="tx=commit, handling=strict, max-affected=1").status == 400
        assert rest.ask("POST", "/ledger", [{"id": 3, "amount": 3}, {"id": 4, "amount": -1}], **keep).status == 400
        assert rest.ask("PUT", "/ledger?id=eq.5", {"id": 6, "amount": 1}, **keep).status == 400
        assert ids() == [1, 2]
        assert rest.ask("DELETE", "/ledger?id=eq.1", **single).json == {
            "id": 1,
            "amount": Decimal("1.00"),
            "note": None,
        }
        assert rest.ask("DELETE", "/ledger?id=eq.2", **keep).status == 204
        assert ids() == []


@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        ({"role": "authenticated", "sub": "u"}, 200, None),
        ({"sub": "u"}, 200, None),
        ({"role": "service_role", "exp": 1}, 401, "PGRST303"),
        ({"role": "service_role", "nbf": 99999999999}, 401, "PGRST303"),
        ({"role": "service_role", "exp": "soon"}, 401, "PGRST303"),
        ({"role": "nobody"}, 401, "22023"),
        ({"role": "postgres"}, 403, "42501"),
        ({"role": "supabase_admin"}, 403, "42501"),
        ({"role": "service_role; drop table clients"}, 401, "22023"),
    ],
)
def test_a_token_says_who_asks(rest: Rest, claims: dict[str, Any], status: int, code: str | None) -> None:
    bearer = f"Bearer {token(**claims)}"
    answer = rest.ask("GET", "/rpc/claims", key=rest.anon_key, authorization=bearer)
    assert answer.status == status, answer
    if code is None:
        assert answer.json["role"] == claims.get("role", "anon") and answer.json["sub"] == "u"
    else:
        assert answer.json["code"] == code


def test_a_forged_or_broken_token_is_refused(rest: Rest) -> None:
    good = token(role="service_role")
    unsigned = f"{good.split('.')[0].replace('HS256', 'none')}.{good.split('.')[1]}."
    none = token(role="service_role").split(".")
    none[0] = "eyJhbGciOiJub25lIn0"
    for text in (good[:-6] + "AAAAAA", "x", "a.b.c", unsigned, ".".join(none), ".".join(none[:2]) + "."):
        answer = rest.ask("GET", "/clients", key=rest.anon_key, authorization=f"Bearer {text}")
        assert (answer.status, answer.json["code"]) == (401, "PGRST301"), text


HOSTILE = ["'", "\\'", "';drop table clients;--", '"', "\\", "E'\\''", "$$", "%00", "\u0000", "é'\\\"", "a\nb"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_request_becomes_sql(rest: Rest, text: str) -> None:
    """Values, names and paths are looked up as they are, whatever is in them."""
    asked = quote(text, safe="")
    whole = rest.ask("GET", f"/people?select=id&name=eq.{asked}")
    assert (whole.status, whole.json) == (200, [])
    listed = quote('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"', safe="")
    assert rest.ask("GET", f"/people?select=id&name=in.({listed})").json == []
    assert rest.ask("GET", f"/people?select=id&data->>{listed}=eq.1").json == []
    assert rest.ask("GET", f"/people?select=id,{listed}").status in (400, 404)
    assert rest.ask("GET", f"/people?order={listed}").status in (400, 404)
    assert rest.ask("GET", f"/{asked}").status == 404
    made = rest.ask(
        "POST", "/people?select=name", [{"id": 90, "name": text.replace("%00", "0")}], prefer="return=representation"
    )
    assert made.status in (201, 400)  # a NUL is no text of PostgreSQL's
    if made.status == 201:
        assert made.json == [{"name": text.replace("%00", "0")}]
    mark = "".join(char for char in text if char.isascii() and char.isprintable())
    marked = rest.ask("GET", "/rpc/claims", x_mark=mark)
    assert (marked.status, marked.json["header"]) == (200, mark)
    assert rest.ask("GET", "/clients?select=id").status == 200


def test_a_header_that_is_none_fails_one_request_only(rest: Rest) -> None:
    answer = rest.ask("POST", "/rpc/bad_header")
    assert (answer.status, answer.json) == (500, {"message": "The answer could not be sent"})
    assert rest.ask("GET", "/clients").status == 200


def test_the_root_describes_what_the_service_key_reaches(rest: Rest) -> None:
    document = rest.ask("GET", "/")
    assert document.headers["content-type"].startswith("application/openapi+json")
    body = document.json
    assert body["swagger"] == "2.0"
    assert {"/clients", "/open_tasks", "/rpc/add"} <= body["paths"].keys()
    assert body["definitions"]["clients"]["properties"]["id"]["type"] == "integer"
    assert "Primary Key" in body["definitions"]["clients"]["properties"]["id"]["description"]


def eventually(true: Any) -> None:
    """Wait for the server to hear of a change."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
