"""A push, rollback or reset that somebody's lock holds up: who it is, and that nothing stays half done."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from promthctl.database import history
from promthctl.errors import PromthctlError
from promthctl.targets import from_url
from tests.hosted.cloud import REF
from tests.hosted.poolers import pooler
from tests.promthctl_runner import Project
from tests.servers import Server

ALTER = "alter table public.a add column more int;"


@pytest.fixture
def own(make_project: Callable[..., Project], database_url: str) -> Project:
    """A project whose 001 is applied and whose 002 needs a lock that everybody's use of the table is against."""
    project = make_project()
    (project.path / "sql").mkdir()
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    write(project, {"001_a.sql": "create table public.a (id int);", "001_a.down.sql": "drop table public.a;"})
    project.run("push", "--db-url", database_url, "--yes")
    write(project, {"002_b.sql": "create table public.b (id int);", "003_more.sql": ALTER})
    return project


def write(project: Project, files: dict[str, str]) -> None:
    for name, text in files.items():
        (project.path / "sql" / name).write_text(text)


@contextmanager
def held(database_url: str) -> Iterator[psycopg.Connection]:
    """A transaction that holds a lock; it is in state "idle in transaction"."""
    holder = psycopg.connect(database_url, application_name="the nightly report")
    try:
        holder.execute("lock table a in access share mode")
        yield holder
    finally:
        holder.close()


def state(database_url: str) -> tuple[list[str], bool, int]:
    """The history, whether 003 is there, and how many locks are waited for, or are advisory ones."""
    with psycopg.connect(database_url) as connection:
        versions = connection.execute("select version from supabase_migrations.schema_migrations order by 1").fetchall()
        column = connection.execute(
            "select count(*) from pg_attribute where attrelid = to_regclass('public.a') and attname = 'more'"
        ).fetchone()
        waiting = connection.execute(
            "select count(*) from pg_locks where database = (select oid from pg_database where datname ="
            " current_database()) and (not granted or locktype = 'advisory')"
        ).fetchone()
    assert column and waiting
    return [version for (version,) in versions], column == (1,), waiting[0]


@pytest.mark.parametrize("way", ["direct", "session pooler"])
def test_a_push_against_a_held_lock_names_its_holder_and_applies_nothing_of_the_file(
    own: Project, server: Server, database_url: str, line: str, way: str, tmp_path: Path
) -> None:
    if way == "direct":
        _push_against_a_lock(own, database_url, database_url, line)
        return
    with pooler(tmp_path, server, "session") as behind:
        _push_against_a_lock(own, behind.url(urlsplit(database_url).path[1:]), database_url, line)


def _push_against_a_lock(own: Project, url: str, database_url: str, line: str) -> None:
    words = ("push", "--db-url", url, "--supabase-cli", line, "--lock-timeout", "300ms", "--yes")
    with held(database_url) as holder:
        told = own.run(*words, code=1).stderr
        who = f"pid {holder.info.backend_pid} (user postgres, the nightly report, from 127.0.0.1, idle in transaction"
        end = f"select pg_terminate_backend({holder.info.backend_pid})"
        assert f"Waiting for a lock that {who}" in told
        error = told[told.index("error: ") :]
        assert "003_more.sql could not be applied" in error and who in error and end in error
        assert "in each of 4 tries" in error and "nothing of 003_more.sql was applied, 2 of 3 are applied" in error
        assert state(database_url) == (["001", "002"], False, 0)
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute(end.encode())  # what it says to do
    assert own.json(*words)["applied"] == ["003_more.sql"]
    assert state(database_url) == (["001", "002", "003"], True, 0)


def test_a_temporary_role_sees_and_ends_its_own_wait(shop: Project, database_url: str, line: str) -> None:
    """A hosted project without its password: the login role may cancel, and postgres sees who holds the lock."""
    shop.run("push", "--project-ref", REF, "--yes")
    write(shop, {"003_more.sql": ALTER})
    words = ("push", "--project-ref", REF, "--yes", "--supabase-cli", line, "--lock-timeout", "300ms")
    with held(database_url) as holder:
        told = shop.run(*words, code=1, SUPABASE_DB_PASSWORD="").stderr
        assert f"pid {holder.info.backend_pid} (user postgres, the nightly report" in told[told.index("error: ") :]
        assert state(database_url) == (["001", "002"], False, 0)
    assert shop.json(*words, SUPABASE_DB_PASSWORD="")["applied"] == ["003_more.sql"]


def test_a_further_try_succeeds_when_the_lock_is_free(own: Project, database_url: str) -> None:
    with held(database_url):
        running = own.start("push", "--db-url", database_url, "--lock-timeout", "300ms", "--yes", "--json")
        assert running.stderr and running.stdout
        told = []
        for row in running.stderr:
            told.append(row)
            if "next try" in row:
                break
    stdout, _ = running.communicate(timeout=60)
    assert running.returncode == 0, "".join(told) + stdout
    assert '"002_b.sql"' in stdout and '"003_more.sql"' in stdout  # also what the first try applied
    assert state(database_url) == (["001", "002", "003"], True, 0)


def test_a_migration_s_own_lock_timeout_wins(own: Project, database_url: str) -> None:
    write(own, {"003_more.sql": f"set lock_timeout = '1500ms'; -- of its own\n{ALTER}"})
    with held(database_url):
        told = own.run("push", "--db-url", database_url, "--lock-timeout", "100ms", "--yes", code=1).stderr
    assert "next try" not in told and "for longer than its own lock_timeout" in told and "the nightly report" in told
    assert state(database_url) == (["001", "002"], False, 0)


def test_no_limit_waits_until_the_lock_is_free(own: Project, database_url: str) -> None:
    with held(database_url):
        running = own.start("push", "--db-url", database_url, "--lock-timeout", "0", "--yes")
        assert running.stderr
        assert any("the nightly report" in row for row in running.stderr)  # it is told while it waits
    assert own.run("push", "--db-url", database_url, "--dry-run").returncode == 0
    _ended(running)
    assert state(database_url) == (["001", "002", "003"], True, 0)


def _ended(running: subprocess.Popen[str]) -> None:
    running.communicate(timeout=60)
    assert running.returncode == 0


def test_an_interrupted_push_leaves_no_statement_in_the_queue(own: Project, database_url: str) -> None:
    with held(database_url):
        running = own.start("push", "--db-url", database_url, "--lock-timeout", "0", "--yes")
        assert running.stderr
        assert any("the nightly report" in row for row in running.stderr)
        running.terminate()
        running.communicate(timeout=60)
        assert running.returncode == 130
        with psycopg.connect(database_url) as other:
            other.execute("set statement_timeout = '20s'; select * from a")  # behind a queued ALTER it would wait
        assert state(database_url) == (["001", "002"], False, 0)


def test_the_first_of_a_queue_is_named(own: Project, database_url: str) -> None:
    with held(database_url) as holder, psycopg.connect(database_url) as second:
        queued = threading.Thread(target=_try, args=(second, "lock table a in share mode; lock table a"))
        queued.start()
        try:
            told = own.run("push", "--db-url", database_url, "--lock-timeout", "200ms", "--yes", code=1).stderr
        finally:
            second.cancel()
            queued.join()
        assert f"pid {holder.info.backend_pid} (" in told[told.index("error: ") :]
        assert f"pid {second.info.backend_pid} (" not in told


def _try(connection: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(statement.encode())


@pytest.mark.parametrize("words", [["--dry-run"], []], ids=["trying", "undoing"])
def test_a_rollback_names_the_holder_too(own: Project, database_url: str, words: list[str]) -> None:
    own.run("push", "--db-url", database_url, "--yes")
    write(own, {f"{name}.down.sql": "select 1;" for name in ("002_b", "003_more")})
    with held(database_url) as holder:
        rollback = ("rollback", "--to", "0", "--db-url", database_url, "--yes", "--lock-timeout", "3s", *words)
        told = own.run(*rollback, code=1).stderr
        assert f"pid {holder.info.backend_pid} (user postgres, the nightly report" in told[told.index("error: ") :]
        assert f"select pg_terminate_backend({holder.info.backend_pid})" in told
        assert state(database_url) == (["001", "002", "003"], True, 0)
    own.run(*rollback)


def test_a_batch_names_the_holder_in_its_target_s_line(own: Project, database_url: str) -> None:
    with held(database_url) as holder:
        second = database_url.replace("127.0.0.1", "localhost")
        words = ("push", "--db-url", database_url, "--db-url", second, "--jobs", "1", "--fail-fast")
        outcome = own.json(*words, "--lock-timeout", "200ms", "--yes", code=1)
        assert f"pid {holder.info.backend_pid} (" in outcome["targets"][0]["problem"]["why"]
        assert outcome["targets"][1]["state"] == "not tried"
    assert state(database_url) == (["001", "002"], False, 0)


def test_a_reset_names_whom_it_waits_for(own: Project, database_url: str, line: str) -> None:
    with held(database_url):
        name = urlsplit(database_url).path[1:]
        words = own.command("reset", "--db-url", database_url, "--supabase-cli", line)
        running = subprocess.Popen(
            words,
            env=own.environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert running.stdin and running.stderr
        running.stdin.write(f"{name}\n")
        running.stdin.flush()
        assert any("the nightly report" in row for row in running.stderr)
    running.communicate(timeout=60)
    assert running.returncode == 0


def test_other_changes_wait_as_long_as_a_push(own: Project, database_url: str) -> None:
    """What each says of the database is so, and once the holder is gone, the same command goes well."""
    write(own, {"003_more.sql": "create table public.c (id int);"})
    seed = own.path / "supabase" / "seed.sql"
    seed.write_text("set lock_timeout = 0;\ninsert into public.a values (1);\n")
    with psycopg.connect(database_url) as by_hand:
        by_hand.execute("create table public.b (id int); create table public.c (id int)")
    for words, table, kept in (
        ("migrations adopt --yes", "supabase_migrations.schema_migrations", "nothing of it was changed"),
        ("seed sql --yes", "public.a", "nothing of it was kept"),
        ("reset --no-backup", "public.a", "nothing was dropped, 3 of 3 are applied"),
    ):
        command = (*words.split(), "--db-url", database_url, "--lock-timeout", "200ms")
        with psycopg.connect(database_url, application_name="the nightly report") as holder:
            holder.execute(f"lock table {table} in share row exclusive mode".encode())
            told = own.run(*command, stdin=urlsplit(database_url).path[1:], code=1).stderr
            error = told[told.index("error: ") :]
            assert f"pid {holder.info.backend_pid} (user postgres, the nightly report" in error and kept in error
            assert "for longer than 0.2 s" in error and "a longer --lock-timeout" in error
        own.run(*command, stdin=urlsplit(database_url).path[1:])
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from public.a").fetchone() == (0,)  # of the reset, the last one
    assert state(database_url) == (["001", "002", "003"], False, 0)


def test_what_is_no_time_is_refused(own: Project, database_url: str) -> None:
    for words in (["push"], ["rollback", "--to", "0"], ["reset"], ["migrations", "adopt"], ["seed", "sql"]):
        told = own.run(*words, "--db-url", database_url, "--lock-timeout", "soon", code=2).stderr
        assert "--lock-timeout cannot be understood" in told


@pytest.fixture
def exposed(own: Project, database_url: str) -> Project:
    """The project without 002 and 003, on a database whose table has a policy and a view."""
    for name in ("002_b.sql", "003_more.sql"):
        (own.path / "sql" / name).unlink()
    with psycopg.connect(database_url) as by_hand:
        by_hand.execute("alter table public.a enable row level security; grant all on public.a to anon")
        by_hand.execute("create policy p on public.a using (id > 0); create view public.v as select id from public.a")
    return own


def test_verify_names_who_holds_what_it_reads(exposed: Project, database_url: str, line: str) -> None:
    """The catalog's own functions wait for a table that is locked against reading, and so do the CLI's advisors."""
    words = ("verify", "--db-url", database_url, "--lock-timeout", "500ms", "--supabase-cli", line)
    with psycopg.connect(database_url, application_name="the nightly report") as holder:
        holder.execute("lock table public.a in access exclusive mode")
        told = exposed.run(*words, code=1).stderr
        error = told[told.index("error: ") :]
        assert f"pid {holder.info.backend_pid} (user postgres, the nightly report" in error
        assert f"select pg_terminate_backend({holder.info.backend_pid}); then run the same command again" in error
        with psycopg.connect(database_url) as connection:
            waiting = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active'"
            assert connection.execute(waiting).fetchone() == (1,)


def test_verify_names_who_holds_what_it_tries(exposed: Project, database_url: str) -> None:
    words = ("verify", "--db-url", database_url)
    with psycopg.connect(database_url, application_name="the nightly report") as holder:
        holder.execute("lock table public.a in share row exclusive mode")  # it can be read, no row can be made
        found = exposed.json(*words, code=1)
        assert [table["state"] for table in found["isolation"]["tables"]] == ["not proven"]
        assert f"pid {holder.info.backend_pid} (user postgres, the nightly report" in str(found["isolation"]["caveats"])
    found = exposed.json(*words, code=1)
    assert "nightly" not in str(found) and [table["state"] for table in found["isolation"]["tables"]] == ["leak"]


def test_reading_the_history_does_not_wait_for_ever(
    own: Project, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOCK_SECONDS", 0.5)
    with psycopg.connect(database_url, application_name="the nightly report") as holder:
        holder.execute("lock table supabase_migrations.schema_migrations in access exclusive mode")
        told = own.run("push", "--db-url", database_url, "--yes", "--lock-timeout", "500ms", code=1).stderr
        assert f"pid {holder.info.backend_pid} (user postgres, the nightly report" in told
        assert f"select pg_terminate_backend({holder.info.backend_pid});" in told and "--lock-timeout" in told
        with pytest.raises(PromthctlError, match="could not be read") as raised:  # commands without the option
            history.fetch_history(from_url(database_url))
        assert "for longer than 0.5 s" in raised.value.why and "--lock-timeout" not in raised.value.hint
    own.run("push", "--db-url", database_url, "--yes")
