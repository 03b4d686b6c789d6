"""Commands that change a database and accidents: what promthctl says is compared with what the database has.

    python -m tests.fault_matrix [RUNS]     at least that many runs (default: each combination once)

Prints a line for each contradiction, and the number of runs and contradictions; ends with 1 if there is one. A part of
it runs in tests/embedded/test_fault_matrix.py.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import urlsplit

import psycopg

from promthctl import settings, toolchain
from promthctl.steps import Silent
from tests.promthctl_runner import Project
from tests.servers import Server, bare_server, fresh_database
from tests.tcp_relay import relay_to

SURVIVES = "set local client_connection_check_interval = 0;\n"  # as on hosted
FILES = {
    "001_a": "create table public.a (id int primary key);\n",
    "002_b": f"{SURVIVES}create table public.b (id int primary key);\nselect pg_sleep(0.3);\n",
    "003_c": f"{SURVIVES}create table public.c (id int primary key);\nalter table public.a add extra int;\n",
}
DOWN = {"002_b": "drop table public.b;\n", "003_c": "drop table public.c; alter table public.a drop extra;\n"}
COMMANDS = {
    "push": (["push", "--yes"], {"001"}, {"001", "002", "003"}),
    "rollback": (["rollback", "--to", "001", "--yes"], {"001", "002", "003"}, {"001"}),
    "adopt": (["migrations", "adopt", "--yes"], {"001"}, {"001", "002", "003"}),
}  # the command, the history before, and after it is done
CUTS = tuple(f"cut at {place}" for place in range(10))
FAULTS = (*CUTS, "terminated", "statement_timeout", "lock held", "read-only", "two at once", "away for good")
_CUT_EACH = 6  # messages of the clients between two of the places


@dataclass(frozen=True)
class State:
    """tables: of public. history: the versions."""

    tables: frozenset[str]
    history: frozenset[str]

    @classmethod
    def of(cls, url: str) -> State:
        there = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        with psycopg.connect(url) as connection:
            tables = frozenset(name for (name,) in connection.execute(there))
            rows = connection.execute("select version from supabase_migrations.schema_migrations")
            return cls(tables, frozenset(version for (version,) in rows))


def run_one(server: Server, folder: Path, command: str, fault: str) -> list[str]:
    """The contradictions of one run, in a new project and database."""
    words, before, after = COMMANDS[command]
    with fresh_database(server) as url, relay_to(url) as relay, ExitStack() as accident:
        project = _project(folder, url, command, before)
        began = State.of(url)
        accident.enter_context(_accident(server, url, relay, fault))
        told = _run_all(project, [*words, "--db-url", relay.url], 2 if fault == "two at once" else 1)
        accident.close()
        _settle(url)
        ended = State.of(url)
        return [f"{command}, {fault}: {one}" for done in told for one in _contradictions(done, began, ended, after)]


def _project(folder: Path, url: str, command: str, history: set[str]) -> Project:
    folder.mkdir()
    project = Project(folder)
    (folder / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    (folder / "db").mkdir()
    kept = [name for name in FILES if name[:3] in history]
    for name in kept:
        (folder / "db" / f"{name}.sql").write_text(FILES[name])
    project.run("push", "--db-url", url, "--yes")
    for name, sql in FILES.items():
        (folder / "db" / f"{name}.sql").write_text(sql)
    for name, sql in DOWN.items():
        (folder / "db" / f"{name}.down.sql").write_text(sql)
    if command == "adopt":
        with psycopg.connect(url) as connection:
            for name in FILES.keys() - kept:
                connection.execute(FILES[name].encode(), prepare=False)
    return project


def _run_all(project: Project, words: list[str], number: int) -> list[CompletedProcess[str]]:
    told: list[CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: told.append(project.run(*words, code=None))) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == number, "a run ended in a traceback"
    return told


@contextmanager
def _accident(server: Server, url: str, relay: object, fault: str) -> Iterator[None]:
    from tests.tcp_relay import Relay

    assert isinstance(relay, Relay)
    database, ended = urlsplit(url).path[1:], threading.Event()
    if fault.startswith("cut at") or fault == "away for good":
        place = 30 if fault == "away for good" else 1 + _CUT_EACH * int(fault.split()[-1])
        numbers = itertools.count()

        def until(_: bytes) -> bool:
            now = next(numbers) == place
            relay.closed = relay.closed or (now and fault == "away for good")
            return now

        relay.until = until
        yield
    elif fault in ("statement_timeout", "read-only"):
        text = "statement_timeout = '120ms'" if fault == "statement_timeout" else "default_transaction_read_only = on"
        with psycopg.connect(server.url("template1", "supabase_admin"), autocommit=True) as admin:
            admin.execute(f"alter database {database} set {text}".encode())
            yield
            admin.execute(f"alter database {database} reset all".encode())
    elif fault == "lock held":
        with psycopg.connect(url) as holder:
            holder.execute("lock table public.a in access share mode")
            timer = threading.Timer(4, holder.rollback)
            timer.start()
            yield
            timer.join()
    elif fault == "terminated":
        thread = threading.Thread(target=_terminate, args=(url, ended))
        thread.start()
        yield
        ended.set()
        thread.join()
    else:
        yield


def _terminate(url: str, ended: threading.Event) -> None:
    """End the first session that is seen to change something."""
    query = """select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
        and pid <> pg_backend_pid() and query ~*
        '^(create table|select pg_sleep|drop table|alter table|insert)' limit 1"""
    with psycopg.connect(url, autocommit=True) as connection:
        while not ended.is_set() and not connection.execute(query.encode()).fetchall():
            ended.wait(0.005)


def _settle(url: str) -> None:
    """Wait for sessions that lost their client."""
    query = """select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend'"""
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query.encode()).fetchone() is not None:
            threading.Event().wait(0.05)


def _contradictions(done: CompletedProcess[str], began: State, ended: State, after: set[str]) -> Iterator[str]:
    said = " ".join((done.stdout + done.stderr).split())
    checks: list[tuple[bool, bool, str]] = [
        (done.returncode == 0, ended.history == after, "exit code 0"),
        ("nothing was changed" in said, ended == began, "nothing was changed"),
        ("has a bug" in said, False, "a bug"),
        ("correct /" in said, False, "the file's fault"),
        ("not confirm" in said, ended.history != after, "not confirmed"),
    ]
    for name in FILES:
        there = name[:3] in ended.history and name[-1] in ended.tables
        gone = name[:3] not in ended.history and (name[-1] in ended.tables) == (name[-1] in began.tables)
        checks += [
            (f"nothing of {name}.sql was applied" in said, gone, f"nothing of {name}"),
            (f"the server finished {name}.sql" in said, there, f"{name} finished"),
        ]
    for claimed, true, what in checks:
        if claimed and not true:
            yield f"said: {what}; history {sorted(ended.history)}, tables {sorted(ended.tables)}: {said}"


def matrix() -> Iterator[tuple[str, str]]:
    yield from itertools.product(COMMANDS, FAULTS)


def main(runs: int, report: Callable[[str], None] = print) -> int:
    """Run the matrix; the number of contradictions."""
    found, number = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        tools = toolchain.ensure(settings.load(folder), Silent())
        with bare_server(folder, tools) as server:
            while number < runs:
                for command, fault in matrix():
                    wrong = run_one(server, folder / f"run-{number}", command, fault)
                    found, number = found + len(wrong), number + 1
                    for line in wrong:
                        report(line)
                    if number >= runs:
                        break
    report(f"{number} runs, {found} contradictions")
    return found


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]) if len(sys.argv) > 1 else len([*matrix()])) else 0)
