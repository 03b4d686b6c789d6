"""The rehearsal's verdict is compared with what really happens to the rows of a database (tests/cases/rehearsal)."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import Migration
from promthctl.push.lock_checks import check_locks
from promthctl.push.planning import PushPlan
from promthctl.push.risks.classify import analyse_migrations
from promthctl.rehearsal import Rehearsal, RowsAtRisk, observer
from promthctl.rehearsal.rehearsing import outcome_in, told_of
from promthctl.rehearsal.twin import Twin, TwinFacts
from promthctl.rehearsal.witnesses import make_witnesses
from promthctl.targets import Target
from tests.cases import ROOT
from tests.servers import Server, fresh_database, same_roles

BOOTSTRAP = files("promthctl.engines.embedded") / "bootstrap" / "15_database.sql"
FOLDER = ROOT / "rehearsal"
HARMLESS_FLAGGED = 0.03  # of the harmless cases at most
# What the rows alone do not show.
NUMBERS = re.compile(r"sequence|identity set back|setval|restart|serial becomes")
SPELLED_ANEW = {"enum member renamed"}
FLAGGED: set[str] = set()  # harmless all the same
UNFORESEEN: set[str] = set()  # cases whose locks or rewrites the plan predicts wrongly
_numbers = itertools.count()


@dataclass(frozen=True)
class Case:
    group: str
    name: str
    sql: str


def cases(group: str) -> list[Case]:
    """The cases of a file: each begins with `-- case: its name`."""
    text = (FOLDER / f"{group}.sql").read_text(encoding="utf-8")
    found = []
    for part in text.split("-- case: ")[1:]:
        name, _, sql = part.partition("\n")
        found.append(Case(group, name.strip(), sql))
    return found


@dataclass(frozen=True)
class Databases:
    """Two to copy from: real, with the rows of a user, and a twin of it with a rehearsal's."""

    server: Server
    real: str
    twin: str
    facts: TwinFacts

    @contextmanager
    def copy_of(self, template: str) -> Iterator[str]:
        """A copy's name."""
        name = f"copy_{next(_numbers)}"
        template1 = self.server.url("template1", "supabase_admin")
        with psycopg.connect(template1, autocommit=True) as admin, same_roles(admin):
            admin.execute(f"create database {name} template {template} strategy file_copy".encode())
            with psycopg.connect(self.server.url(name, "supabase_admin"), autocommit=True) as connection:
                connection.execute(BOOTSTRAP.read_text(encoding="utf-8").encode())
            try:
                yield name
            finally:
                admin.execute(f"drop database {name} with (force)".encode())

    def target(self, name: str, user: str = "postgres") -> Target:
        return Target(
            name, f"postgresql://{user}@127.0.0.1:{self.server.port}/{name}", self.server.password, local=True
        )


@pytest.fixture(scope="module")
def databases(server: Server) -> Iterator[Databases]:
    unsafe = ("fsync", "full_page_writes", "synchronous_commit")  # of databases that are thrown away
    with psycopg.connect(server.url("template1", "supabase_admin"), autocommit=True) as admin:
        for name in unsafe:
            admin.execute(f"alter system set {name} = off".encode())
        admin.execute("select pg_reload_conf()")
    base, rows = ((FOLDER / name).read_text(encoding="utf-8") for name in ("base.sql", "rows.sql"))
    with fresh_database(server) as real, fresh_database(server) as twin:
        for url in (real, twin):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(base.encode())
        with psycopg.connect(real, autocommit=True) as connection:
            connection.execute(rows.encode())
        name = twin.rpartition("/")[2]
        with psycopg.connect(twin, autocommit=True) as own:
            made = make_witnesses(own)
        with psycopg.connect(server.url(name, "supabase_admin"), autocommit=True) as high:
            observer.install(high)
        assert not made.without
        yield Databases(server, real.rpartition("/")[2], name, TwinFacts(17, users=made.users))


def rehearsed(databases: Databases, connection: psycopg.Connection[Any], *sql: str) -> PushPlan:
    """The plan of a push of these files to the database behind the connection."""
    pending = [Migration(f"{n:03}", "x", Path(f"{n:03}_x.sql"), text.encode()) for n, text in enumerate(sql, start=2)]
    with databases.copy_of(databases.twin) as name:
        twin = Twin(databases.target(name), databases.target(name, "supabase_admin"), databases.facts)
        outcome = outcome_in(twin, pending)
    found = told_of(connection, outcome, pending, 17)
    return PushPlan("x", False, 1, tuple(pending), analyse_migrations(pending, connection), rehearsal=found)


def texts(connection: psycopg.Connection[Any]) -> list[dict[str, str]]:
    """Every row of every table as text, by column."""
    query = """select format('%I.%I', n.nspname, c.relname), array_agg(format('%I', attname) order by attnum)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where c.relkind = 'r' and n.nspname in ('public', 'app', 'backend', 'storage') and attnum > 0 and not attisdropped
     group by c.oid, 1"""
    found = []
    connection.execute("reset session authorization; set timezone = 'UTC'; set search_path = pg_catalog")
    for table, columns in connection.execute(query).fetchall():
        fields = ", ".join(f"{column}::text" for column in columns)
        for row in connection.execute(f"select {fields} from only {table}".encode()).fetchall():
            found.append({c: plain(v) for c, v in zip(columns, row, strict=True) if v is not None})
    return found


def plain(text: str) -> str:
    """One spelling for equal numbers and times."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d .*\+00", text):
        return text.removesuffix("+00")
    try:
        return str(Decimal(text).normalize()) if str(Decimal(text)) == text else text
    except InvalidOperation:
        return {"true": "t", "false": "f"}.get(text, text)


def lost(before: list[dict[str, str]], after: list[dict[str, str]]) -> bool:
    """Whether a value of a row is not found beside one of the row's two longest any more."""
    spread = [{*row.values(), *leaves(row)} for row in after]
    for row in before:
        keys = set(sorted(row.values(), key=len)[-2:])
        around = set().union(*(values for values in spread if keys & values))
        if not set(row.values()) <= around:
            return True
    return False


def leaves(row: dict[str, str]) -> Iterator[str]:
    for value in row.values():
        if value.startswith(("{", '"')):
            try:
                data = json.loads(value)
            except ValueError:
                continue
            yield from (str(one) for one in (data.values() if isinstance(data, dict) else [data]))


def not_rolled_back(sql: str) -> bool:
    """Whether the case has to be tried in a database of its own: it does something outside of a transaction."""
    return any(one in sql for one in ("concurrently", "begin;", "initially deferred"))


def really(databases: Databases, name: str, sql: str) -> str:
    """What becomes of the rows: lost, intact or fails. What can be is rolled back."""
    alone = not_rolled_back(sql)
    with psycopg.connect(databases.server.url(name, "supabase_admin"), autocommit=True) as connection:
        before = texts(connection)
        with connection.transaction(force_rollback=True) if not alone else nullcontext():
            connection.execute("set session authorization postgres; reset search_path; reset timezone")
            try:
                for piece in [sql] if not alone or "deferred" in sql else sql.split(";"):
                    connection.execute(piece.encode())
            except psycopg.Error:
                return "fails"
            return "lost" if lost(before, texts(connection)) else "intact"


def verdict(databases: Databases, case: Case) -> tuple[str, PushPlan]:
    """What really happened to the case, and the plan."""
    alone = not_rolled_back(case.sql)
    with databases.copy_of(databases.real) if alone else nullcontext(databases.real) as name:
        with psycopg.connect(databases.server.url(name), autocommit=True) as connection:
            plan = rehearsed(databases, connection, case.sql)
        assert case.name in UNFORESEEN or mismatched(plan) == []
        return really(databases, name, case.sql), plan


def told(plan: PushPlan) -> str:
    assert plan.rehearsal
    found = [f"{one.kind}: {one.what} {'(safe)' if one.safe else ''}" for one in plan.rehearsal.findings]
    return "; ".join([*found, *(risk.what for one in plan.destructive for risk in one.risks if risk.destructive)])


def mismatched(plan: PushPlan) -> list[str]:
    """Locks and rewrites predicted and not seen, or seen and not predicted, but of what nobody can read in the text."""
    unseen = {(one.file, one.line) for one in plan.statements for risk in one.risks if risk.kind == "not_analysed"}
    return [
        f"line {one.line}: {one.object}: {one.lock}{', rewritten' if one.rewrite else ''}, only {one.state}"
        for one in check_locks(plan.statements, plan.rehearsal)
        if one.state != "confirmed" and (one.file, one.line) not in unseen
    ]


LOSING = [*cases("destroying"), *cases("changing")]
HARMLESS, REFUSED = cases("harmless"), cases("preconditions")


@pytest.mark.parametrize("case", LOSING, ids=[case.name for case in LOSING])
def test_what_destroys_is_flagged(databases: Databases, case: Case) -> None:
    real, plan = verdict(databases, case)
    assert real == "lost" or NUMBERS.search(case.name), f"the case does not do what it says, its rows are {real}"
    assert plan.destroys, told(plan)


@pytest.mark.parametrize("case", HARMLESS, ids=[case.name for case in HARMLESS])
def test_what_is_harmless_is_not_flagged(databases: Databases, case: Case) -> None:
    real, plan = verdict(databases, case)
    assert real == "intact" or case.name in SPELLED_ANEW, f"the case does not do what it says, its rows are {real}"
    assert (plan.destroys or bool(plan.rehearsal and plan.rehearsal.failing)) == (case.name in FLAGGED), told(plan)


def test_hardly_anything_harmless_is_flagged() -> None:
    assert len(FLAGGED) <= HARMLESS_FLAGGED * len(HARMLESS)
    assert {case.name for case in HARMLESS} >= FLAGGED


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_what_the_targets_rows_refuse_is_told_before(databases: Databases, case: Case) -> None:
    real, plan = verdict(databases, case)
    assert real == "fails", f"the case does not do what it says, its rows are {real}"
    assert plan.rehearsal and plan.rehearsal.failing, told(plan)


def rehearse_one(databases: Databases, sql: str) -> Rehearsal:
    """The rehearsal of one file on the real database, which it leaves as it is."""
    with psycopg.connect(databases.server.url(databases.real), autocommit=True) as connection:
        found = rehearsed(databases, connection, sql).rehearsal
    assert found
    return found


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "grant select on app.things to anon; grant usage on schema app to anon",
            "anon can read every row of app.things",
        ),
        ("grant service_role to authenticated", "authenticated can act as service_role"),
        ("alter policy own on notes using (true)", "a signed-in user can"),
        (
            "create view v as select * from notes; grant select on v to anon",
            "anon can read public.notes through the view",
        ),
        ("alter table notes disable row level security; grant all on notes to anon", "every row of public.notes"),
        (
            "create function f() returns int language sql security definer as 'select 1'",
            "can call f(), which runs with",
        ),
        (
            "do $$ begin execute 'grant usage on schema app to anon; grant all on app.things to anon'; end $$",
            "app.things",
        ),
        ("create policy w on notes for insert to authenticated with check (true)", "can add rows to public.notes"),
    ],
)
def test_what_opens_is_told_first(databases: Databases, sql: str, said: str) -> None:
    first = rehearse_one(databases, sql).findings[0]
    assert first.kind == "opens" and said in first.what and not first.destructive


@pytest.mark.parametrize(
    "sql",
    [
        "create table x (i int); alter table x enable row level security",
        "drop policy own on notes",
        "revoke all on notes from anon",
    ],
)
def test_nothing_opens(databases: Databases, sql: str) -> None:
    assert [one for one in rehearse_one(databases, sql).findings if one.kind == "opens"] == []


def test_a_finding_names_the_statement_and_counts_the_targets_rows(databases: Databases) -> None:
    sql = "create table x (i int);\n\ndo $$ begin\n  execute 'drop table ' || 'comments';\nend $$;\nselect 1;"
    (found,) = [one for one in rehearse_one(databases, sql).findings if one.destructive]
    assert (found.file, found.line, found.object) == ("002_x.sql", 3, "public.comments")
    assert found.rows == RowsAtRisk(9, exact=True)


def test_a_precondition_counts_the_rows_and_shows_no_value(databases: Databases) -> None:
    (found,) = rehearse_one(databases, "select 1;\nalter table notes alter body set not null").failing
    assert (found.line, found.what) == (2, "1 row of notes has body NULL")
    said = " ".join(one.what for one in rehearse_one(databases, "alter table notes add unique (status)").failing)
    assert "share their status" in said and "open" not in said.replace("opens", "")


def test_rows_that_an_earlier_statement_mends_are_no_reason_to_fail(databases: Databases) -> None:
    found = rehearse_one(
        databases, "update notes set body = '' where body is null; alter table notes alter body set not null"
    )
    assert found.failing == () and found.destructive == ()


def test_what_depends_on_rows_is_no_doubt_where_the_target_has_none(databases: Databases) -> None:
    """As in the first push of most projects: a bucket, and a job whose name is its own."""
    sql = (
        "create table x (i int); insert into storage.buckets (id, name) values ('a', 'a')"
        " on conflict (id) do update set public = excluded.public; do $$ begin"
        " if now() > '2000-01-01' then execute 'delete from x'; end if; end $$"
    )
    assert {one.kind for one in rehearse_one(databases, sql).destructive} == {"not_rehearsed"}
    with databases.copy_of(databases.real) as name:
        with psycopg.connect(databases.server.url(name, "supabase_admin"), autocommit=True) as high:
            found = high.execute(
                "select oid::regclass::text from pg_class where relkind in ('r', 'p')"
                " and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')"
            )
            high.execute(f"truncate {', '.join(table for (table,) in found.fetchall())}".encode())
        with psycopg.connect(databases.server.url(name), autocommit=True) as connection:
            plan = rehearsed(databases, connection, sql)
    assert plan.rehearsal and plan.rehearsal.destructive == ()


def test_the_rehearsal_writes_nothing_to_the_target(databases: Databases) -> None:
    with psycopg.connect(databases.server.url(databases.real, "supabase_admin"), autocommit=True) as connection:
        before = texts(connection)
        rehearse_one(databases, "delete from notes where id = 3; alter table notes add check (price > 2)")
        assert texts(connection) == before
