"""A correct database is broken in every way we could think of: verify names each, and the SQL it gives fixes it.

Every case runs in one transaction of one database, which is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import discover, packaged_source
from promthctl.schema import Catalog, Difference, compare, snapshot
from tests.cases import Case, case_names, find_cases
from tests.embedded.test_compat import COMPAT, STYLES
from tests.embedded.test_verify_isolation import prove, verdict
from tests.servers import Server, fresh_database

CASES = find_cases("mutants")
AS_ADMIN = "-- as supabase_admin"  # the first line of a new.sql that does what role postgres may not


@pytest.fixture(scope="module")
def database_name(server: Server) -> Iterator[str]:
    """One Supabase-shaped database with the Mr.Promth migrations; no case leaves anything in it."""
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for migration in discover(packaged_source()):
                connection.execute(migration.content)
        yield url.rpartition("/")[2]


@pytest.fixture(scope="module")
def connections(server: Server, database_name: str) -> Iterator[dict[str, psycopg.Connection[Any]]]:
    with (
        psycopg.connect(server.url(database_name)) as postgres,
        psycopg.connect(server.url(database_name, "supabase_admin")) as admin,
    ):
        yield {"postgres": postgres, "supabase_admin": admin}


@pytest.fixture
def database(connections: dict[str, psycopg.Connection[Any]]) -> Iterator[psycopg.Connection[Any]]:
    """The database as role postgres; what a test does is rolled back."""
    connection = connections["postgres"]
    yield connection
    connection.rollback()


@pytest.fixture
def admin(connections: dict[str, psycopg.Connection[Any]]) -> Iterator[psycopg.Connection[Any]]:
    connection = connections["supabase_admin"]
    yield connection
    connection.rollback()


def fixed(connection: psycopg.Connection[Any], expected: Catalog, found: tuple[Difference, ...]) -> None:
    """After the SQL that verify gives, no difference is left."""
    for difference in found:
        connection.execute(difference.fix.encode())
    again = compare(expected, snapshot(connection))
    assert again == (), "\n".join(f"{one}\n{one.fix}" for one in (*found, *again))


def by_hand(found: tuple[Difference, ...]) -> bool:
    """Whether verify has only comments to offer, since no SQL can fix the differences."""
    return bool(found) and all(one.fix.startswith("--") for one in found)


def differences(found: tuple[Difference, ...]) -> dict[str, Any]:
    """As expected.json has them."""
    shown = [{"kind": one.kind, "name": one.name, "state": one.state} for one in found]
    return {"differences": shown} | ({"fixable": False} if by_hand(found) else {})


def isolation(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """As expected.json has it: every table that is not proven."""
    proofs = [proof for proof in prove(connection).tables if proof.state != "proven"]
    assert all(proof.reason for proof in proofs)
    return {"isolation": {proof.table: verdict(proof) for proof in proofs}}


@pytest.mark.parametrize("case", CASES, ids=case_names(CASES))
def test_a_broken_database_is_named_and_fixed(
    database: psycopg.Connection[Any], admin: psycopg.Connection[Any], case: Case
) -> None:
    """Checked is what expected.json has a key for: the differences, the isolation proof, or both."""
    connection = admin if case.new.startswith(AS_ADMIN) else database
    connection.execute(case.old.encode())
    before = snapshot(connection) if case.wants("differences") else None
    connection.execute(case.new.encode())
    found = compare(before, snapshot(connection)) if before else ()
    actual = differences(found) if before else {}
    case.check(actual | (isolation(connection) if case.wants("isolation") else {}))
    if before and not by_hand(found):
        assert compare(before, before) == ()
        fixed(connection, before, found)


def test_a_dump_and_its_restore_change_nothing(database: psycopg.Connection[Any]) -> None:
    """What Postgres prints and reads again it may print differently: (array[...])::text[] for one."""
    expected = snapshot(database)
    for name, policy in expected.of("policies").items():
        table = policy["table"]
        using = f" using ({policy['using']})" if policy["using"] else ""
        check = f" with check ({policy['check']})" if policy["check"] else ""
        database.execute(f"alter policy {name[len(table) + 1 :]} on {table}{using}{check}".encode())
    for name, constraint in expected.of("constraints").items():
        if constraint["definition"].startswith("CHECK"):
            table, short = constraint["table"], name[len(constraint["table"]) + 1 :]
            anew = f"drop constraint {short}, add constraint {short} {constraint['definition']}"
            database.execute(f"alter table {table} {anew}".encode())
    assert compare(expected, snapshot(database)) == ()


def test_only_asks_for_some_kinds(database: psycopg.Connection[Any]) -> None:
    expected = snapshot(database)
    database.execute(
        """alter table public.messages disable row level security; drop index public.cli_sessions_user_id_idx;
           alter table public.prompts drop column tags; grant select on public.prompts to anon"""
    )
    found = compare(expected, snapshot(database), only=("tables", "rls", "indexes"))
    assert [one.kind for one in found] == ["columns", "indexes", "rls"]
    assert compare(expected, snapshot(database), only=("functions",)) == ()


def test_a_reading_changes_nothing(database: psycopg.Connection[Any]) -> None:
    database.execute("set search_path = public; set datestyle = 'German'")
    snapshot(database)
    for name, value in (("search_path", "public"), ("datestyle", "German, DMY"), ("transaction_read_only", "off")):
        assert database.execute(f"show {name}".encode()).fetchone() == (value,)


# Its extensions hold up one another, which their names do not tell.
_STYLES = [style for style in STYLES if style not in ("platform", "search")]


@pytest.mark.parametrize("style", _STYLES)
def test_schemas_of_other_projects_are_built_and_taken_down(database: psycopg.Connection[Any], style: str) -> None:
    """From nothing to everything and back, by executing what verify says."""
    empty = snapshot(database)
    for file in sorted((COMPAT / style).glob("*.sql")):
        database.execute(file.read_bytes())
    full = snapshot(database)
    assert Catalog.from_json(full.to_json()) == full
    fixed(database, empty, compare(empty, full))
    fixed(database, full, compare(full, snapshot(database)))
