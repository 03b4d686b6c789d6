"""Functions and views as doors: each that opens another's rows is named, with SQL that shuts it; right ones are proven.

Every case runs in one transaction of one database, which is rolled back. That a door leaks is shown without the proof,
by a query of its leak.sql as a role of the API on rows of Alice's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from promthctl.declarations import NOTHING_DECLARED, Declarations
from promthctl.isolation import Finding
from promthctl.isolation.doors import DoorReport, DoorRun
from promthctl.isolation.ownership import find_ownerships
from promthctl.isolation.row_maker import RowMaker
from promthctl.isolation.sandbox import Sandbox
from promthctl.isolation.side_effects import SideEffects
from promthctl.isolation.table_reading import read_tables
from tests.cases import ROOT, Case, base_sql, case_names, find_cases
from tests.servers import Server, fresh_database

LEAKING, RIGHT = find_cases("doors/leaking"), find_cases("doors/right")
USERS = {"anon": None, "mallory": "3a110000-0000-0000-0000-000000000000"}
ALICE = "a11ce000-0000-0000-0000-000000000000"
SECRETS = ("of alice", "alice@example.com", "314159.25", ALICE)


@pytest.fixture(scope="module")
def base(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with fresh_database(server) as url, psycopg.connect(url) as connection:
        connection.execute(base_sql("doors").encode())
        connection.commit()
        yield connection


@pytest.fixture
def database(base: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    yield base
    base.rollback()


def tried(connection: psycopg.Connection[Any], declared: Declarations = NOTHING_DECLARED) -> DoorReport:
    """The functions and views alone."""
    with Sandbox.opened(connection, 3_000, 1_000) as sandbox:
        catalog = read_tables(connection, ("public", "api"))
        maker = RowMaker(sandbox, catalog, find_ownerships(catalog))
        users = [maker.user() for _ in range(3)]
        effects = SideEffects(connection)
        return DoorRun(sandbox, catalog, maker, users, declared, effects, ("public", "api")).run(time.monotonic() + 60)


def doors(report: DoorReport) -> dict[str, str]:
    return {door.door: door.state for door in report.proofs}


def told(report: DoorReport) -> dict[str, Any]:
    """As expected.json has it."""
    return {"findings": [[one.severity, one.object, one.who] for one in report.findings]}


def leaks(report: DoorReport) -> list[Finding]:
    return [one for one in report.findings if one.severity == "leak"]


def rows_of_alice(connection: psycopg.Connection[Any]) -> list[Any]:
    tables = ("auth.users", "public.profiles", "public.notes", "public.invoices")
    return [
        connection.execute(f"select t::text from {table} t where t::text like '%alice%'".encode()).fetchall()
        for table in tables
    ]


def reaches_alice(connection: psycopg.Connection[Any], case: Case) -> bool:
    """Whether leak.sql, run as who its first line names, shows or changes something of Alice's."""
    connection.execute(base_rows().encode())
    for part in (case.folder / "rows.sql",):
        if part.exists():
            connection.execute(part.read_bytes())
    before = rows_of_alice(connection)
    head, _, query = (case.folder / "leak.sql").read_text().partition("\n")
    user = USERS[head.removeprefix("-- as ")]
    role = "authenticated" if user else "anon"
    metadata = {"role": "admin", "is_admin": True}  # what Mallory has written there
    claims = {"role": role} | ({"sub": user, "user_metadata": metadata} if user else {})
    settings = sql.SQL(
        "select set_config('request.jwt.claims', {}, true), set_config('request.jwt.claim.sub', {}, true)"
    )
    connection.execute(settings.format(json.dumps(claims), user or ""))
    if not query.startswith("refresh"):  # a copy that its owner makes
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    cursor = connection.execute(query.encode())
    while cursor.nextset():
        pass
    shown = str(cursor.fetchall() if cursor.description else "")
    connection.execute("reset role")
    return any(secret in shown for secret in SECRETS) or rows_of_alice(connection) != before


def base_rows() -> str:
    return (ROOT / "doors" / "rows.sql").read_text()


@pytest.mark.parametrize("case", LEAKING, ids=case_names(LEAKING))
def test_a_door_that_leaks_is_named_and_shut(database: psycopg.Connection[Any], case: Case) -> None:
    database.execute(case.new.encode())
    with database.transaction(force_rollback=True):
        assert reaches_alice(database, case)
    report = tried(database)
    found = leaks(report)
    assert found, (told(report), doors(report))
    case.check(told(report))
    for one in found:
        database.execute(one.fix.encode())
    assert not leaks(tried(database)), [one.fix for one in found]


def test_a_row_that_is_deleted_from_a_partition_is_seen_to_be_gone(database: psycopg.Connection[Any]) -> None:
    database.execute(b"""
      create table public.visits (
        id uuid not null default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
        page text not null, at timestamptz not null default now(), primary key (id, at)) partition by range (at);
      create table public.visits_all partition of public.visits for values from (minvalue) to (maxvalue);
      alter table public.visits enable row level security;
      alter table public.visits_all enable row level security;
      create policy own on public.visits for select to authenticated using (user_id = (select auth.uid()));
      create function public.forget() returns void language sql security definer set search_path = '' as
        'delete from public.visits_all where at is not null'""")
    found = [one for one in leaks(tried(database)) if one.object == "forget()"]
    assert found and "deletes another user's visits" in found[0].what


@pytest.mark.parametrize("case", RIGHT, ids=case_names(RIGHT))
def test_a_right_function_or_view_is_proven(database: psycopg.Connection[Any], case: Case) -> None:
    database.execute(case.new.encode())
    report = tried(database)
    assert told(report) == {"findings": []}
    assert set(doors(report).values()) <= {"proven"}
