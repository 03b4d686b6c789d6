"""promthctl verify as a person runs it: exit codes, output, the report; nothing is left on the target."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest

from promthctl import process, settings, toolchain
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.ports import free_port
from promthctl.steps import Silent
from promthctl.toolchain import ServerChoice
from tests.promthctl_runner import Project, data
from tests.servers import Stack

BREAK = "alter table public.prompts disable row level security"
FIX = "alter table public.prompts enable row level security"


@pytest.fixture
def database(stack: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def broken(database: psycopg.Connection) -> Iterator[None]:
    database.execute(BREAK)
    try:
        yield
    finally:
        database.execute(FIX)


def test_the_migrated_stack_is_verified(stack: Stack) -> None:
    done = stack.project.run("verify")
    assert done.stdout.rstrip().endswith("Verified")
    assert "Target: the local stack" in done.stderr
    result = stack.project.json("verify")
    assert result["ok"] is True
    assert result["differences"] == []
    assert {table["state"] for table in result["isolation"]["tables"]} == {"proven"}
    assert len(result["isolation"]["tables"]) == 10
    assert {life["state"] for life in result["lifecycles"]} == {"passed"}
    assert result["advisors"] == []


def test_denied_attempts_do_not_fill_the_log(stack: Stack) -> None:
    def denied() -> int:
        return stack.project.run("local", "logs", "postgres").stdout.count("permission denied")

    before = denied()
    stack.project.run("verify")
    assert denied() == before


@pytest.mark.usefixtures("broken")
def test_a_finding_comes_with_its_fix_and_exit_code_1(stack: Stack) -> None:
    told = stack.project.run("verify", code=1).stdout
    assert "Not verified" in told
    assert "alter table public.prompts enable row level security" in told
    result = stack.project.json("verify", code=1)
    assert [(one["kind"], one["name"]) for one in result["differences"]] == [("rls", "public.prompts")]
    states = {table["table"]: table["state"] for table in result["isolation"]["tables"]}
    assert states["prompts"] == "leak"
    assert result["advisors"], "the CLI's advisors see it too"


@pytest.mark.usefixtures("broken")
def test_only_compares_what_was_asked_for(stack: Stack) -> None:
    assert stack.project.json("verify", "--only", "indexes")["ok"] is True
    assert stack.project.json("verify", "--only", "tables,rls,indexes", code=1)["isolation"] is None
    assert "nothing to compare" in stack.project.run("verify", "--only", ",", code=2).stderr
    assert "nonsense" in stack.project.run("verify", "--only", "nonsense", code=2).stderr


def test_any_database_can_be_verified(project: Project, database_url: str) -> None:
    project.run("push", "--db-url", database_url, "--yes")
    assert project.json("verify", "--db-url", database_url)["ok"] is True
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop index public.messages_session_id_created_at_idx")
    names = [one["name"] for one in project.json("verify", "--db-url", database_url, code=1)["differences"]]
    assert names == ["public.messages_session_id_created_at_idx"]


def test_everything_is_missing_from_an_empty_database(project: Project, database_url: str) -> None:
    result = project.json("verify", "--db-url", database_url, code=1)
    missing = {one["name"] for one in result["differences"] if (one["kind"], one["state"]) == ("tables", "missing")}
    assert len(missing) == 10


def test_what_is_public_on_purpose_is_declared(project: Project, database_url: str) -> None:
    (project.path / "sql").mkdir()
    (project.path / "sql" / "001_news.sql").write_text(
        "create table public.news (id uuid primary key default gen_random_uuid(), text text not null);\n"
        "alter table public.news enable row level security;\n"
        "create policy everyone on public.news for select to authenticated using (true);\n"
        "revoke all on public.news from anon;\n"
    )
    settings = project.path / "pyproject.toml"
    settings.write_text('[tool.promthctl]\nmigrations = "sql"\n')
    project.run("push", "--db-url", database_url, "--yes")
    verify = ("verify", "--db-url", database_url)
    assert "1 table not proven" in project.run(*verify).stdout
    assert "1 table not proven" in project.run(*verify, "--strict", code=1).stdout
    assert '--reason "TEXT"' in project.run(*verify, "--strict", "--accept", code=2).stderr
    accepted = project.json(*verify, "--strict", "--accept", "--reason", "not yet declared")
    assert accepted["ok"] and [one["reason"] for one in accepted["accepted"]] == ["not yet declared"]
    assert "Nothing new; 1 accepted" in project.run(*verify, "--fail-on", "not-proven").stdout
    settings.write_text('[tool.promthctl]\nmigrations = "sql"\npublic = { news = "true", old = "true" }\n')
    result = project.json(*verify, "--strict")
    assert [(table["table"], table["state"]) for table in result["isolation"]["tables"]] == [("news", "proven")]
    assert [one["object"] for one in result["gone"]] == ["news"]
    assert [one["name"] for one in result["isolation"]["unneeded"]] == ["old"]
    assert project.json(*verify, "--accept", "--reason", "nothing")["gone"] == []


def test_a_role_without_the_rights_is_named(project: Project, database_url: str) -> None:
    project.run("push", "--db-url", database_url, "--yes")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create role visitor login password 'not-a-secret'")
    address = database_url.rpartition("@")[2]
    told = project.run("verify", "--db-url", f"postgresql://visitor@{address}", code=1, PGPASSWORD="not-a-secret")
    assert "the role visitor cannot act as anon, authenticated, service_role" in told.stdout
    assert "connect as postgres to a Supabase database" in told.stdout


def test_an_unreachable_target_is_exit_code_4(project: Project) -> None:
    project.run("verify", "--db-url", "postgresql://postgres@127.0.0.1:1/postgres", code=4)


class _Page(HTMLParser):
    """Collects what would load something, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in {"script", "link", "img", "iframe"} or names & {"src", "href"}:
            self.loads.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", ["nowhere/report.html", ""])
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_verified(
    stack: Stack, tmp_path: Path, name: str
) -> None:
    done = stack.project.run("verify", "--report", str(tmp_path / name), code=2)
    assert "cannot be written" in done.stderr and done.stdout == ""


@pytest.mark.usefixtures("broken")
def test_the_report_is_one_page_without_network_or_secrets(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    stack.project.run("verify", "--report", str(file), code=1)
    html = file.read_text(encoding="utf-8")
    page = _Page()
    page.feed(html)
    assert page.loads == []
    assert not re.search(r"url\(|@import", html)
    assert "Not verified" in page.text
    assert "prompts" in page.text
    assert "<svg" in html
    assert file.stat().st_mode & 0o077 == 0
    for secret in (stack.service_role_key, stack.anon_key, stack.db_url):
        assert secret not in html


def checksums(connection: psycopg.Connection) -> dict[str, object]:
    """A hash of every row of every table, and every sequence's place."""
    tables = connection.execute(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('public', 'auth', 'storage', 'supabase_migrations')"
    ).fetchall()
    sums: dict[str, object] = {}
    for (table,) in tables:
        query = f"select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from {table} t"
        sums[table] = connection.execute(query.encode()).fetchone()
    sums["sequences"] = connection.execute("select schemaname, sequencename, last_value from pg_sequences").fetchall()
    return sums


def test_nothing_is_left_on_a_filled_database(stack: Stack, database: psycopg.Connection) -> None:
    database.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'left@example.com')")
    database.execute(
        "insert into chat_sessions (user_id, title) select id, 'Kept' from auth.users where email = 'left@example.com'"
    )
    before = checksums(database)
    stack.project.run("verify")
    assert checksums(database) == before
    database.execute("delete from auth.users where email = 'left@example.com'")


def test_what_was_not_tried_is_not_called_passed(make_project: Callable[..., Project], database_url: str) -> None:
    project = make_project("bare")
    (project.path / "supabase" / "migrations").mkdir(parents=True)
    sql = "create table public.projects (id int primary key, updated_at timestamptz);"  # nobody's, not the app's
    sql += " alter table public.projects enable row level security;"
    (project.path / "supabase" / "migrations" / "001_a.sql").write_text(sql)
    project.run("push", "--db-url", database_url, "--yes")
    told = project.run("verify", "--db-url", database_url, code=None).stdout
    passed = [line for line in told.splitlines() if "✔" in line and "a cell:" not in line]
    assert passed[0].endswith("The schema is what 1 migration makes") and len(passed) <= 3, told
    result = project.json("verify", "--db-url", database_url, code=None)
    assert result["lifecycles"] == []
    (project.path / "supabase" / "migrations" / "001_a.sql").unlink()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop table public.projects; drop schema supabase_migrations cascade")
    told = project.run("verify", "--db-url", database_url, code=None).stdout
    assert "No isolation was tried: there is no table that clients may reach" in told


def test_a_database_without_the_client_roles_keeps_its_comparison(make_project: Callable[..., Project]) -> None:
    """PostgreSQL as it is has neither anon nor auth."""
    project = make_project()
    (project.path / "sql").mkdir()
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    (project.path / "sql" / "001_a.sql").write_text("create table public.a (id int primary key);")
    with plain_postgres(project.path) as url:
        project.run("push", "--db-url", url, "--yes")
        report = project.path / "report.html"
        done = project.run("verify", "--db-url", url, "--report", str(report), code=1)
        result = project.json("verify", "--db-url", url, code=1)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("alter table a add column strange int")
        different = project.json("verify", "--db-url", url, code=1)
    assert "missing roles: anon" in done.stdout and "Not verified" in done.stdout  # it is no Supabase
    assert "cannot act as anon, authenticated, service_role" in done.stdout
    found, then = ({(one["kind"], one["name"]) for one in each["differences"]} for each in (result, different))
    assert ("roles", "anon") in found and then - found == {("columns", "public.a.strange")}
    assert result["isolation"] is None and "cannot act as anon" in result["untried"]
    assert "cannot act as anon" in report.read_text()


@contextmanager
def plain_postgres(folder: Path) -> Iterator[str]:
    """A cluster as initdb makes it, with the toolchain's PostgreSQL 17."""
    here = settings.load(folder)
    tools = toolchain.ensure(here, Silent())
    user = system_user.postgres_user(here)
    home = Path(tempfile.mkdtemp(prefix="plain-", dir="/tmp"))
    if user is not None:
        os.chown(home, user.uid, user.gid)
    programs = toolchain.postgres(tools, ServerChoice(17), here, user, free_port(), Silent())
    cluster = Cluster(programs, home / "postgres-17", user, here)
    binaries, environment = tools.postgres / "bin", cluster.environment()
    made = [binaries / "initdb", "-D", cluster.data, "-U", "postgres", "-A", "trust", "-N"]
    assert process.run(made, env=environment, cwd=Path("/"), user=user, timeout=100).code == 0
    with (cluster.data / "postgresql.conf").open("a") as configuration:
        configuration.write("unix_socket_directories = ''\n")  # the server may write to its own files only
    log, port = folder / "plain.log", free_port()
    server = cluster.start(port, log, lambda _: None)
    try:
        cluster.wait(server, log)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        cluster.stop(server)
        shutil.rmtree(home)


OUTSIDE = """
create sequence public.canary;
create function public.draw() returns bigint language sql as 'select nextval(''public.canary'')';
create function public.numbered() returns trigger language plpgsql security definer as
  'begin perform public.draw(); return new; end';
create trigger numbered after insert on public.prompts for each row execute function public.numbered();
"""


def test_rows_whose_triggers_cannot_be_undone_are_tried_only_with_consent(project: Project, database_url: str) -> None:
    project.run("push", "--db-url", database_url, "--yes")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(OUTSIDE)

        def drawn() -> bool:
            row = connection.execute("select is_called from public.canary").fetchone()
            return bool(row and row[0])

        done = project.run("verify", "--db-url", database_url, "--json", code=1)
        isolation = data(done.stdout)["isolation"]
        states = {table["table"]: table for table in isolation["tables"]}
        chain = ["trigger numbered on prompts", "public.numbered", "public.draw", "nextval"]
        assert states["prompts"]["state"] == "not proven" and " → ".join(chain) in states["prompts"]["reason"]
        assert {one["state"] for name, one in states.items() if name != "prompts"} == {"proven"}
        assert [one["chain"] for one in isolation["side_effects"]] == [chain]
        assert "--yes tries them" in done.stderr and not drawn()
        done = project.run("verify", "--db-url", database_url, "--json", "--yes", code=1)  # the schema differs
        isolation = data(done.stdout)["isolation"]
        assert {one["state"] for one in isolation["tables"]} == {"proven"} and drawn()
        assert any(" → ".join(chain) in caveat for caveat in isolation["caveats"])
