"""Leaks behind conditions are found, right schemas raise no alarm: one folder each, in one transaction of one database.

That a leak leaks is shown first, by its leak.sql: what stands before `-- as WHO [CLAIMS]` makes rows as postgres, the
last statement after it is executed as anon or as another user and must reach a row.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from promthctl.declarations import Declaration, lines_of, read_declarations
from promthctl.isolation import Finding, IsolationReport
from promthctl.isolation.sandbox import Actor
from tests.cases import Case, case_names, find_cases
from tests.embedded.test_verify_isolation import prove
from tests.servers import Server, fresh_database

LEAKS, RIGHT = find_cases("leaks"), find_cases("right")
OWNER, OTHER = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
_AS = re.compile(r"^-- as (anon|other)(?: (\{.*\}))?$", re.MULTILINE)


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with fresh_database(server) as url, psycopg.connect(url) as connection:
        yield connection


def reached(connection: psycopg.Connection[Any], leak: str) -> int:
    """How many rows the last statement of a leak.sql reaches."""
    users = {":owner": f"'{OWNER}'::uuid", ":other": f"'{OTHER}'::uuid"}
    text = re.sub(r"(?<!:):(?:owner|other)\b", lambda name: users[name[0]], leak)
    setup, who, claims, tried = _AS.split(text)
    for user in (OWNER, OTHER):
        connection.execute("insert into auth.users (id, email) values (%s, %s)", (user, f"{user}@example.com"))
    if setup.strip():
        connection.execute(setup.encode())
    actor = Actor("anon", "anon") if who == "anon" else Actor("other", "authenticated", OTHER)
    given = json.loads(claims or "{}")
    headers = given.pop("headers", {})
    for name, value in (("role", actor.role), ("request.jwt.claims", json.dumps({**actor.claims, **given})),
                        ("request.headers", json.dumps(headers)), ("request.jwt.claim.sub", actor.user or ""),
                        ("request.jwt.claim.role", actor.role)):  # fmt: skip
        connection.execute("select set_config(%s, %s, true)", (name, value))
    rows = 0
    for statement in filter(str.strip, tried.split(";\n")):
        rows = connection.execute(sql.SQL(statement)).rowcount
    return rows


@pytest.mark.parametrize("case", LEAKS, ids=case_names(LEAKS))
def test_a_leak_behind_a_condition_is_found(database: psycopg.Connection[Any], case: Case) -> None:
    try:
        database.execute(case.new.encode())
        with database.transaction(force_rollback=True):
            assert reached(database, (case.folder / "leak.sql").read_text(encoding="utf-8")) > 0, "it does not leak"
        report = prove(database)
        proofs = report.tables
        assert report.findings or any(proof.state == "leak" for proof in proofs), [
            (p.table, p.state, p.reason) for p in proofs
        ]
    finally:
        database.rollback()


@pytest.mark.parametrize("case", LEAKS, ids=case_names(LEAKS))
def test_what_is_declared_as_it_is_printed_is_found_no_more(database: psycopg.Connection[Any], case: Case) -> None:
    """The lines of all findings together; what they uncover has its own."""
    try:
        database.execute(case.new.encode())
        told = set[Declaration]()
        for _ in range(4):
            found = prove(database, declared=read_declarations(_tool(told)))
            new = {one.allow for one in _all_findings(found) if one.allow}
            assert not new & told, "declared, and found again"
            if not new:
                break
            told |= new
        else:
            pytest.fail(f"{sorted(told, key=str)} are declared, and more are told each time")
    finally:
        database.rollback()


def _tool(declared: set[Declaration]) -> dict[str, Any]:
    """The [tool.promthctl] of the lines that are printed."""
    document: dict[str, Any] = tomllib.loads(lines_of(sorted(declared, key=str)))
    tool: dict[str, Any] = document.get("tool", {}).get("promthctl", {})
    return tool


def _all_findings(report: IsolationReport) -> list[Finding]:
    return [*report.findings, *(one for proof in report.tables for one in proof.findings)]


@pytest.mark.parametrize("case", RIGHT, ids=case_names(RIGHT))
def test_a_right_schema_raises_no_alarm(database: psycopg.Connection[Any], case: Case) -> None:
    """With what it opens on purpose declared, as pyproject.toml would, in declared.json."""
    file = case.folder / "declared.json"
    declared = read_declarations(json.loads(file.read_text(encoding="utf-8")) if file.exists() else {})
    try:
        database.execute(case.new.encode())
        report = prove(database, declared=declared)
        alarms = [(p.table, p.state, p.reason) for p in report.tables if p.state != "proven"]
        assert (alarms, report.findings, report.unneeded) == ([], (), ())
    finally:
        database.rollback()
