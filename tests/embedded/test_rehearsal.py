"""The rehearsal's verdict is compared with what really happens to the rows of a database (tests/cases/rehearsal)."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import Migration
from promthctl.push.planning import PushPlan
from promthctl.push.risks.classify import analyse_migrations
from promthctl.rehearsal import Rehearsal, observer
from promthctl.rehearsal.rehearsing import outcome_in, told_of
from promthctl.rehearsal.twin import Twin, TwinFacts
from promthctl.rehearsal.witnesses import make_witnesses
from promthctl.targets import Target
from tests.cases import ROOT
from tests.servers import Server, fresh_database

BOOTSTRAP = files("promthctl.engines.embedded") / "bootstrap" / "15_database.sql"
FOLDER = ROOT / "rehearsal"
HARMLESS_FLAGGED = 0.03  # of the harmless cases at most
# What the rows alone do not show.
NUMBERS = re.compile(r"sequence|identity set back|setval|restart|serial becomes")
SPELLED_ANEW = {"enum member renamed"}
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
        with psycopg.connect(self.server.url("template1", "supabase_admin"), autocommit=True) as admin:
            admin.execute(f"create database {name} template {template}".encode())
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
        with psycopg.connect(server.url(name, "supabase_admin"), autocommit=True) as high:
            made = make_witnesses(high)
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


def texts(url: str) -> list[dict[str, str]]:
    """Every row of every table as text, by column."""
    query = """select format('%I.%I', n.nspname, c.relname), array_agg(format('%I', attname) order by attnum)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where c.relkind = 'r' and n.nspname in ('public', 'app', 'backend', 'storage') and attnum > 0 and not attisdropped
     group by c.oid, 1"""
    found = []
    with psycopg.connect(url, options="-c timezone=UTC", autocommit=True) as connection:
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


def really(databases: Databases, name: str, sql: str) -> str:
    """lost, intact or fails."""
    url = databases.server.url(name)
    high = databases.server.url(name, "supabase_admin")
    before = texts(high)
    pieces = sql.split(";") if "concurrently" in sql else [sql]
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            for piece in pieces:
                connection.execute(piece.encode())
    except psycopg.Error:
        return "fails"
    return "lost" if lost(before, texts(high)) else "intact"


def verdict(databases: Databases, case: Case) -> tuple[str, PushPlan]:
    """What really happened to the case, and the plan."""
    with databases.copy_of(databases.real) as name:
        with psycopg.connect(databases.server.url(name), autocommit=True) as connection:
            plan = rehearsed(databases, connection, case.sql)
        return really(databases, name, case.sql), plan


def told(plan: PushPlan) -> str:
    assert plan.rehearsal
    found = [f"{one.kind}: {one.what} {'(safe)' if one.safe else ''}" for one in plan.rehearsal.findings]
    return "; ".join([*found, *(risk.what for one in plan.destructive for risk in one.risks if risk.destructive)])


@pytest.mark.parametrize("group", ["destroying", "changing"])
def test_nothing_that_destroys_goes_unflagged(databases: Databases, group: str) -> None:
    wrong = []
    for case in cases(group):
        real, plan = verdict(databases, case)
        if real != "lost" and not NUMBERS.search(case.name):
            wrong.append(f"{case.name}: the case does not do what it says, the rows are {real}")
        if not plan.destroys:
            wrong.append(f"{case.name}: not flagged; {told(plan)}")
    assert wrong == []


def test_what_is_harmless_is_hardly_ever_flagged(databases: Databases) -> None:
    flagged, wrong = [], []
    found = cases("harmless")
    for case in found:
        real, plan = verdict(databases, case)
        if real != "intact" and case.name not in SPELLED_ANEW:
            wrong.append(f"{case.name}: the case does not do what it says, the rows are {real}")
        if plan.destroys or (plan.rehearsal and plan.rehearsal.failing):
            flagged.append(f"{case.name}: {told(plan)}")
    assert wrong == []
    assert len(flagged) <= HARMLESS_FLAGGED * len(found), "\n".join(flagged)


def test_what_the_targets_rows_refuse_is_told_before_anything_is_touched(databases: Databases) -> None:
    wrong = []
    for case in cases("preconditions"):
        real, plan = verdict(databases, case)
        if real != "fails":
            wrong.append(f"{case.name}: the case does not do what it says, the rows are {real}")
        if not (plan.rehearsal and plan.rehearsal.failing):
            wrong.append(f"{case.name}: not seen; {told(plan)}")
    assert wrong == []


def findings(found: Rehearsal | None, kind: str) -> list[str]:
    assert found
    return [one.what for one in found.findings if one.kind == kind]
