"""The plan of a push says what PostgreSQL then does: every claim is compared with the statement run for real."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import Migration
from promthctl.output import to_json
from promthctl.push import waits
from promthctl.push.risks import PlannedStatement, Risk, Rows
from promthctl.push.risks.catalog import read_target_catalog
from promthctl.push.risks.classify import analyse_migrations
from promthctl.push.waits import estimate_waits
from promthctl.schema import compare, snapshot
from tests.cases import Case, base_sql, case_names, find_cases
from tests.servers import Server, fresh_database

CASES = find_cases("plan")
HEAVY = ("AccessExclusiveLock", "ExclusiveLock", "ShareRowExclusiveLock", "ShareLock")  # the strongest first
FACTS = ("id", "kind", "object", "rows", "lock", "brief", "cascades")  # of a risk, in expected.json


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    """A database with the base of the cases, which they leave as it is."""
    with fresh_database(server) as fresh, psycopg.connect(fresh, autocommit=True) as connection:
        connection.execute(base_sql("plan").encode())
        before = snapshot(connection)
        yield fresh
        assert compare(before, snapshot(connection)) == ()


@pytest.fixture(scope="module")
def target(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def writer(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Runs what the plan only describes."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@contextmanager
def after(writer: psycopg.Connection[Any], old: str) -> Iterator[None]:
    """The state that a case's old.sql leads to; the tables it creates are dropped afterwards."""
    before = relations(writer)
    writer.execute(old.encode())
    try:
        yield
    finally:
        made = ", ".join(name for oid, (name, _) in relations(writer).items() if oid not in before)
        writer.execute(f"drop table if exists {made} cascade".encode() if made else b"")


def plan(target: psycopg.Connection[Any], *migrations: str) -> tuple[PlannedStatement, ...]:
    files = [
        Migration(f"{number:03}", "x", Path(f"{number:03}_x.sql"), sql.encode())
        for number, sql in enumerate(migrations, start=1)
    ]
    return analyse_migrations(files, target)


def risks(target: psycopg.Connection[Any], sql: str, *kinds: str) -> list[Risk]:
    """The risks of some kinds, by default all but locks and rewrites."""
    wanted = kinds or ("destroys", "unparsed", "security", "not_analysed")
    return [risk for statement in plan(target, sql) for risk in statement.risks if risk.kind in wanted]


def relations(connection: psycopg.Connection[Any]) -> dict[int, tuple[str, int]]:
    """oid → name and file of the schema's tables."""
    query = """select oid, oid::regclass::text, relfilenode from pg_class
                where relnamespace = 's'::regnamespace and relkind in ('r', 'm', 'p')"""
    return {oid: (name, node) for oid, name, node in connection.execute(query)}


@dataclass(frozen=True)
class Effect:
    """locks: table → the heaviest lock on it. rewrites: the tables that get another file."""

    locks: dict[str, str]
    rewrites: set[str]

    def to_json(self) -> dict[str, Any]:
        return {"locks": dict(sorted(self.locks.items())), "rewrites": sorted(self.rewrites)}


def heaviest(locks: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of (table, lock) pairs."""
    found: dict[str, str] = {}
    for name, mode in locks:
        found[name] = min(mode, found.get(name, mode), key=HEAVY.index)
    return found


def claimed(statements: Iterable[PlannedStatement]) -> Effect:
    """What the plan says."""
    found = [risk for statement in statements for risk in statement.risks]
    locks = heaviest((risk.object, f"{risk.lock.title().replace(' ', '')}Lock") for risk in found if risk.lock)
    return Effect(locks, {risk.object for risk in found if risk.kind == "rewrites"})


def run(writer: psycopg.Connection[Any], sql: str) -> Effect:
    """What PostgreSQL does; it is rolled back. Raises psycopg.Error when PostgreSQL refuses."""
    before = relations(writer)
    with writer.transaction(force_rollback=True):
        writer.execute(sql.encode())
        query = "select relation, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation'"
        held = writer.execute(query).fetchall()
        files = dict(writer.execute("select oid, relfilenode from pg_class").fetchall())
    locks = heaviest((before[oid][0], mode) for oid, mode in held if oid in before and mode in HEAVY)
    return Effect(locks, {name for oid, (name, node) in before.items() if files.get(oid, node) != node})


def differing(writer: psycopg.Connection[Any], case: Case, statements: Iterable[PlannedStatement]) -> dict[str, Any]:
    """What PostgreSQL does, or the error it refuses with, where that is not what the plan says; otherwise nothing."""
    try:
        real = run(writer, case.new)
    except psycopg.Error as error:
        return {"postgresql": {"error": type(error).__name__}}
    return {} if real == claimed(statements) else {"postgresql": real.to_json()}


def read_back(writer: psycopg.Connection[Any], expression: str) -> str | None:
    """The changed value as it was; None where there is no way back."""
    try:
        return str(writer.execute(f"select {expression} from s.change").fetchall()[0][0])
    except psycopg.Error:
        return None


def loses_the_value(writer: psycopg.Connection[Any], sql: str) -> bool:
    """Whether the value in s.change.c cannot be recovered after `sql` has changed its type."""
    query = "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 's.change'::regclass"
    ((old,),) = writer.execute(f"{query} and attname = 'c'".encode()).fetchall()
    before = read_back(writer, "c::text")
    try:
        writer.execute(sql.encode())
    except psycopg.DataError:  # the migration fails: nothing has changed
        return False
    return before not in (read_back(writer, f"c::text::{old}::text"), read_back(writer, f"c::{old}::text"))


def shown(statements: Iterable[PlannedStatement]) -> list[dict[str, Any]]:
    """The statements as --json prints them, without what is empty and without the wording."""
    return [
        {**facts(statement, ("line", "kind", "object")), "risks": [facts(risk, FACTS) for risk in statement.risks]}
        for statement in statements
    ]


def facts(part: PlannedStatement | Risk, names: Iterable[str]) -> dict[str, Any]:
    fields = to_json(part)
    return {name: fields[name] for name in names if fields[name]}


@pytest.mark.parametrize("case", CASES, ids=case_names(CASES))
def test_a_plan_says_what_postgresql_does(
    target: psycopg.Connection[Any], writer: psycopg.Connection[Any], case: Case
) -> None:
    with after(writer, case.old):
        statements = plan(target, case.new)
        case.check({"statements": shown(statements)} | differing(writer, case, statements))
        if case.topic == "change-type-of-value":
            destroys = any(risk.kind == "destroys" for statement in statements for risk in statement.risks)
            assert destroys == loses_the_value(writer, case.new)


def test_owned_objects_are_counted(target: psycopg.Connection[Any]) -> None:
    (risk,) = risks(target, "drop owned by postgres cascade", "destroys")
    assert risk.object == "postgres" and risk.rows == Rows(56, exact=True)


@pytest.mark.parametrize("sql", ["delete from s.child where id > 0", "update s.t set b = '' where id = 1"])
def test_rows_that_a_condition_selects_are_reported_without_a_number(target: psycopg.Connection[Any], sql: str) -> None:
    (risk,) = risks(target, sql, "not_analysed")
    assert "that meet its condition" in risk.what and risk.rows is None


def test_every_statement_has_its_file_and_line(target: psycopg.Connection[Any]) -> None:
    found = plan(
        target,
        "-- one; ภาษาไทย\n\n/* two; */ create table s.x (i int);\r\n\r\n  alter table s.x\n    add j int;;\n",
        "\ufeffdo $$\nbegin\n  drop table s.x;\nend $$;\nselekt\n1;\ngrant select on s.t to anon",
    )
    assert [(one.file, one.line, one.kind, one.object) for one in found] == [
        ("001_x.sql", 3, "creates", "table s.x"),
        ("001_x.sql", 5, "alters", "table s.x"),
        ("002_x.sql", 1, "runs", "DO block"),
        ("002_x.sql", 3, "drops", "table s.x"),
        ("002_x.sql", 5, "unparsed", ""),
        ("002_x.sql", 7, "alters", "grant s.t"),
    ]
    assert [one.destructive for one in found] == [False] * 4 + [True, False]


def test_each_migration_begins_with_the_databases_search_path(target: psycopg.Connection[Any]) -> None:
    found = plan(target, "set search_path = s; drop table child", "drop table loose")
    assert [[risk.object for risk in one.risks if risk.kind == "destroys"] for one in found] == [[], ["s.child"], []]


def test_a_count_leaves_the_limit_of_other_questions_alone(target: psycopg.Connection[Any]) -> None:
    with read_target_catalog(target) as catalog:
        assert [catalog.count(each) for each in catalog.relations if each.name == "loose"] == [Rows(1, exact=True)]
        assert target.execute("show statement_timeout").fetchone() == ("30s",)


def test_no_literal_is_repeated(target: psycopg.Connection[Any]) -> None:
    found = plan(
        target,
        "alter role anon password 'fake-pw'; select vault.create_secret('fake-pw'); set app.key = 'fake-pw';"
        "do $$ begin execute 'alter role anon password ''fake-pw'' '; end $$; insert into s.loose values ('fake-pw');"
        "comment on table s.t is 'fake-pw'; update s.t set b = 'fake-pw'; notify x, 'fake-pw';"
        "alter table s.t add x text default 'fake-pw', add constraint k check (b <> 'fake-pw')",
    )
    assert len(found) == 10 and "fake-pw" not in repr(found)


def test_a_count_that_takes_too_long_becomes_an_estimate(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promthctl.push.risks.catalog._COUNT_SECONDS", 0.15)
    with fresh_database(server) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create table public.big as select i, nullif(i % 4, 0) as c from generate_series(1, 50000) i"
        )
        connection.execute("analyze public.big")
        with psycopg.connect(url) as other:  # whose lock makes every count wait
            other.execute("lock table public.big in access exclusive mode")
            found = risks(connection, "alter table public.big drop column c; drop table public.big", "destroys")
    assert [risk.rows and risk.rows.exact for risk in found] == [False, False]
    assert found[1].rows and 49_000 < found[1].rows.count < 51_000
    assert found[0].rows and 36_000 < found[0].rows.count < 39_000


def test_rows_that_row_level_security_hides_are_not_counted_as_none(url: str, writer: psycopg.Connection[Any]) -> None:
    writer.execute("create role blind login; grant usage on schema s to blind; grant select on s.t to blind")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            writer.execute("grant blind to postgres")
            connection.execute("set role blind")
            (risk,) = risks(connection, "drop table s.t", "destroys")
        assert risk.rows is None or not risk.rows.exact
    finally:
        writer.execute("drop owned by blind; drop role blind")


def test_a_plan_writes_nothing(target: psycopg.Connection[Any], url: str) -> None:
    plan(target, *(case.new for case in CASES))
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("select count(*) from s.t").fetchone() == (10,)
        idle = "select count(*) from pg_stat_activity where datname = current_database() and xact_start is not null"
        assert connection.execute(f"{idle} and pid <> pg_backend_pid()".encode()).fetchone() == (0,)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), target.transaction():
        target.execute("create table public.t ()")


def test_what_may_wait_is_estimated(
    target: psycopg.Connection[Any], writer: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = plan(target, "create index on s.t (b); alter table s.child add x int")
    assert estimate_waits(target, statements) == ()
    monkeypatch.setattr(waits, "BYTES_PER_SECOND", 1)
    monkeypatch.setattr(waits, "_OLD_SECONDS", 0.0)
    with writer.transaction(force_rollback=True):
        writer.execute("select from s.child")
        found = {one.object: one for one in estimate_waits(target, statements)}
    assert (found["s.t"].lock, found["s.t"].oldest) == ("SHARE", None) and found["s.t"].seconds > 8000
    assert (found["s.child"].seconds, found["s.child"].oldest is not None) == (0.0, True)
