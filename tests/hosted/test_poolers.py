"""A pooler between promthctl and the database: in session mode all works, in the others nothing is begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from promthctl.database import connect
from promthctl.errors import RefusedError
from promthctl.targets import from_url
from tests.hosted.cloud import REF, Cloud
from tests.hosted.conftest import MIGRATIONS
from tests.hosted.poolers import Mode, pooler
from tests.promthctl_runner import Project
from tests.servers import Server

DOWN = {"001_a.down.sql": "drop table public.a;", "002_b.down.sql": "drop table public.b;"}


@pytest.fixture
def own(make_project: Callable[..., Project]) -> Project:
    """A project with two migrations and their down scripts."""
    project = make_project()
    (project.path / "sql").mkdir()
    for name, text in {**MIGRATIONS, **DOWN}.items():
        (project.path / "sql" / name).write_text(text)
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    return project


@pytest.fixture
def session(tmp_path: Path, server: Server, database_url: str) -> Iterator[str]:
    """The fresh database's URL through a pooler in session mode."""
    with pooler(tmp_path, server, "session") as behind:
        yield behind.url(urlsplit(database_url).path[1:])


def state(database_url: str) -> tuple[list[str], int]:
    """The tables of public, and how many advisory locks are held, asked of the server itself."""
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
        locks = connection.execute(
            "select count(*) from pg_locks where locktype = 'advisory' and database ="
            " (select oid from pg_database where datname = current_database())"
        ).fetchone()
    assert locks is not None
    return [name for (name,) in tables], locks[0]


COMMANDS = ("push --yes", "push --dry-run", "reset", "verify", "rollback --to 0 --yes", "migrations adopt --yes")


@pytest.mark.parametrize(("mode", "commands"), [("transaction", COMMANDS), ("statement", ["push --yes"])])
def test_without_a_session_nothing_is_begun(
    own: Project, tmp_path: Path, server: Server, database_url: str, mode: Mode, commands: Sequence[str]
) -> None:
    name = urlsplit(database_url).path[1:]
    with pooler(tmp_path, server, mode) as behind:
        for words in commands:
            refused = own.run(*words.split(), "--db-url", behind.url(name), code=5).stderr
            assert f"is a pooler in {mode} mode" in refused
            assert state(database_url) == ([], 0)
    direct = f"postgresql://postgres@127.0.0.1:{server.port}/{name}"
    assert f"--db-url {direct}" in refused
    own.run("push", "--db-url", direct, "--yes", PGPASSWORD=server.password)  # what it says to do helps
    assert state(database_url) == (["a", "b"], 0)


@pytest.mark.parametrize(
    ("clients", "lines"),
    [
        (3, ("server_round_robin = 1",)),  # its connections in turn, not the last one again
        (1, ("default_pool_size = 1",)),
        (3, ("server_reset_query_always = 1",)),
    ],
    ids=["in turn", "one connection", "reset"],
)
def test_transaction_mode_is_seen_however_the_pool_is_set(
    tmp_path: Path, server: Server, database_url: str, clients: int, lines: tuple[str, ...]
) -> None:
    with pooler(tmp_path, server, "transaction", *lines) as behind:
        url = behind.url(urlsplit(database_url).path[1:])
        with ExitStack() as opened:
            for _ in range(clients):  # at once, each in a transaction: the pool has that many server connections
                opened.enter_context(psycopg.connect(url)).execute("select 1")
        with pytest.raises(RefusedError, match="transaction mode"), connect(from_url(url)):
            pass


def test_a_busy_pool_in_transaction_mode_is_seen(tmp_path: Path, server: Server, database_url: str) -> None:
    with pooler(tmp_path, server, "transaction") as behind:
        url = behind.url(urlsplit(database_url).path[1:])
        with psycopg.connect(url) as busy:
            busy.execute("select 1")
            with pytest.raises(RefusedError, match="transaction mode"), connect(from_url(url)):
                pass


def test_in_session_mode_everything_works(own: Project, session: str, database_url: str, line: str) -> None:
    target = ("--db-url", session, "--supabase-cli", line)
    assert own.json("push", *target, "--yes")["applied"] == list(MIGRATIONS)
    assert state(database_url) == (["a", "b"], 0)
    assert own.json("push", *target, "--dry-run")["pending"] == []
    own.run("verify", "--only", "tables", *target)
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into a values (1)")
    undone = own.json("rollback", "--to", "0", *target, "--yes")
    assert state(database_url) == ([], 0)
    own.run("push", *target, "--yes")
    own.run("rollback", "--restore", Path(undone["backup"]).name, *target, "--yes")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select id from a").fetchall() == [(1,)]
        connection.execute("drop schema supabase_migrations cascade")
    assert own.json("migrations", "adopt", *target, "--yes")["adopted"] == list(MIGRATIONS)
    own.run("reset", *target, stdin=f"{urlsplit(session).path[1:]}\n")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from a").fetchone() == (0,)
    assert state(database_url) == (["a", "b"], 0)


def test_a_hosted_project_is_reached_through_a_pooler(
    shop: Project, cloud: Cloud, session: str, database_url: str
) -> None:
    place = urlsplit(session)
    cloud.projects[REF].pooler = f"postgresql://postgres:[YOUR-PASSWORD]@{place.hostname}:{place.port}{place.path}"
    assert shop.json("push", "--project-ref", REF, "--yes")["applied"] == list(MIGRATIONS)
    assert state(database_url) == (["a", "b"], 0)


def test_a_parameter_that_the_pooler_refuses_is_named(own: Project, session: str, database_url: str) -> None:
    with_options = f"{session}?options=-c%20search_path%3Dpublic"
    refused = own.run("push", "--db-url", with_options, "--yes", code=4).stderr
    assert "unsupported startup parameter: options" in refused and "leave options out of the URL" in refused
    assert state(database_url) == ([], 0)
    own.run("push", "--db-url", session, "--yes")
    assert state(database_url) == (["a", "b"], 0)
