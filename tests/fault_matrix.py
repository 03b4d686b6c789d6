"""Commands that change a database and accidents: what promthctl says is compared with what the database has.

    python -m tests.fault_matrix [RUNS]     at least that many runs (default: each combination once), two at a time

Prints a line for each contradiction and a table of the runs, at last their number and that of the contradictions; ends
with 1 if there is one. A part of it runs in tests/embedded/test_fault_matrix.py.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from promthctl import settings, toolchain
from promthctl.steps import Silent
from promthctl.toolchain import Toolchain
from tests.accidents import FAULTS, NotHere, Scene, SmallDisk, accident
from tests.fault_keys import FAULTS as KEY_FAULTS
from tests.fault_keys import NAME as KEYS
from tests.fault_keys import KeyRuns
from tests.fault_local import COMMANDS as LOCAL
from tests.fault_local import DIES, LocalRuns
from tests.fault_local import FAULTS as LOCAL_FAULTS
from tests.fault_outcomes import Outcome, Prepared, State, run_all, settle
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
SEEDS = {
    "1_a": "insert into public.a (id) select generate_series(1, 3000);\nselect pg_sleep(0.2);\n",
    "2_c": "insert into public.c values (1), (2);\ncommit;\nselect pg_sleep(0.2);\ninsert into public.c values (3);\n",
}
SEEDED = {"1_a": "a", "2_c": "c"}
CONFIG = 'project_id = "matrix"\n[db]\nport = 1\n[db.seed]\nsql_paths = ["./seeds/*.sql"]\n'
ROWS = "insert into public.{} (id) select generate_series(1, 500)"


@dataclass(frozen=True)
class Command:
    """words: without the target. applied: how many of the migrations are before. rows: tables that have some.

    by_hand: the SQL of the others was run by hand. undone: they were rolled back and pushed again, with a backup.
    """

    words: str
    applied: int = 1
    rows: tuple[str, ...] = ()
    by_hand: bool = False
    undone: bool = False


COMMANDS = {
    "push": Command("push --yes --lock-timeout 1"),
    "rollback": Command("rollback --to 001 --yes --lock-timeout 1", 3, ("a", "b")),
    "restore": Command("rollback --restore BACKUP --yes --lock-timeout 1", 3, ("b",), undone=True),
    "adopt": Command("migrations adopt --yes --lock-timeout 1", by_hand=True),
    "reset": Command("reset --lock-timeout 1", 3, ("b",)),
    "seed sql": Command("seed sql --yes --lock-timeout 1", 3),
}


@dataclass(frozen=True)
class Original:
    """What each run gets a copy of. project: its folder. template: the database's name."""

    project: Path
    template: str


@dataclass
class Matrix:
    """The server for all runs, and what is prepared on it."""

    server: Server
    folder: Path
    disk: SmallDisk | None = None
    prepared: dict[str, tuple[Prepared, Original]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def prepare(self, name: str) -> tuple[Prepared, Original]:
        """The command's situation, made once by promthctl itself, and what the command makes of it."""
        if name in self.prepared:
            return self.prepared[name]
        command = COMMANDS[name]
        number = len(self.prepared)
        original = Original(self.folder / f"prepared-{number}", f"matrix_{number}")
        with fresh_database(self.server) as url:
            _make(original.project, url, command)
            self._copy_database(urlsplit(url).path[1:], original.template)
        with self._copied(original) as (url, project), relay_to(url) as relay:
            began, counted = State.of(url), itertools.count()
            relay.until = lambda _: next(counted) < 0
            (told,) = run_all([project], f"{command.words} --db-url {relay.url}")
            done = State.of(url)
        assert told.code == 0, told.said
        tables = {migration: migration[-1] for migration in FILES}
        made = Prepared(name, began, done, next(counted), tables, SEEDED)
        self.prepared[name] = made, original
        return self.prepared[name]

    def run_one(self, name: str, fault: str, turn: int = 0) -> Outcome:
        """A run in a new project and database. Raises NotHere where this machine cannot have the accident."""
        made, original = self.prepare(name)
        with self._copied(original) as (url, project):
            projects = [project]
            if fault == "two at once":  # in later turns from two machines
                other = project.path.with_name("other")
                projects.append(_copy(original.project, other) if turn else project)
            scene = Scene(self.server, self.disk, project.path.parent, url, made.messages, turn)
            with accident(fault, scene) as way:
                began = State.of(url)
                told = run_all(projects, f"{COMMANDS[name].words} --db-url {way}")
            settle(url)
            return Outcome(made, fault, began, State.of(url), told)

    @contextmanager
    def _copied(self, original: Original) -> Iterator[tuple[str, Project]]:
        number = next(self.numbers)
        folder, name = self.folder / f"run-{number}", f"run_{number}"
        folder.mkdir()
        self._copy_database(original.template, name)
        try:
            yield self.server.url(name), _copy(original.project, folder / "project")
        finally:
            with psycopg.connect(self.server.url("template1", "supabase_admin"), autocommit=True) as admin:
                admin.execute(f"drop database {name} with (force)".encode())
            shutil.rmtree(folder)

    def _copy_database(self, template: str, name: str) -> None:
        with psycopg.connect(self.server.url("template1", "supabase_admin"), autocommit=True) as admin:
            admin.execute(f"create database {name} template {template}".encode())
        bootstrap = files("promthctl.engines.embedded") / "bootstrap" / "15_database.sql"
        with psycopg.connect(self.server.url(name, "supabase_admin"), autocommit=True) as connection:
            connection.execute(bootstrap.read_text(encoding="utf-8").encode())


@contextmanager
def local_runs(folder: Path, tools: Toolchain) -> Iterator[LocalRuns]:
    """Runs on a local stack with the same migrations and seeds."""
    with LocalRuns.on_a_stack(_write(folder, list(FILES)), tools, FILES, SEEDED) as runs:
        yield runs


def _copy(project: Path, folder: Path) -> Project:
    shutil.copytree(project, folder)
    return Project(folder)


def _write(folder: Path, names: list[str]) -> Project:
    (folder / "supabase" / "seeds").mkdir(parents=True)
    (folder / "db").mkdir()
    (folder / "supabase" / "config.toml").write_text(CONFIG)
    (folder / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    for name, text in SEEDS.items():
        (folder / "supabase" / "seeds" / f"{name}.sql").write_text(text)
    for name in names:
        (folder / "db" / f"{name}.sql").write_text(FILES[name])
    return Project(folder)


def _make(folder: Path, url: str, command: Command) -> None:
    names = list(FILES)
    project = _write(folder, names[: command.applied])
    project.run("push", "--db-url", url, "--yes")
    for name in names:
        (folder / "db" / f"{name}.sql").write_text(FILES[name])
    for name, text in DOWN.items():
        (folder / "db" / f"{name}.down.sql").write_text(text)
    with psycopg.connect(url) as connection:
        for name in names[command.applied :] if command.by_hand else ():
            connection.execute(FILES[name].encode(), prepare=False)
        for table in command.rows:
            connection.execute(ROWS.format(table).encode())
    if command.undone:
        project.run("rollback", "--to", "001", "--db-url", url, "--yes")
        project.run("push", "--db-url", url, "--yes")


_FAULTS = {**dict.fromkeys(COMMANDS, FAULTS), KEYS: KEY_FAULTS, **dict.fromkeys(LOCAL, LOCAL_FAULTS)}
_SLOW = ("reset", "local reset")


def matrix(runs: int) -> Iterator[tuple[str, str, int]]:
    """Every command with every accident, in as many turns as it takes; a reset, which is slow, in every other one."""
    every = (
        (name, fault, turn)
        for turn in itertools.count()
        for fault in (*FAULTS, DIES)
        for name, faults in _FAULTS.items()  # two of a command, one after the other, would wait
        if fault in faults and (name not in _SLOW or turn % 2 == 0)
    )
    return itertools.islice(every, runs)


def main(runs: int) -> int:
    """Run the matrix; the number of contradictions."""
    codes, skipped = Counter[tuple[str, int]](), Counter[str]()
    contradictions = unknown = 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job has as ignored
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        tools = toolchain.ensure(settings.load(folder), Silent())
        server = stack.enter_context(bare_server(folder, tools))
        made = Matrix(server, folder, stack.enter_context(SmallDisk.mounted(server)))
        keys = stack.enter_context(KeyRuns.on_a_stack(folder / "keys"))
        local = stack.enter_context(local_runs(folder / "local", tools))
        for command in COMMANDS:
            made.prepare(command)

        def run(one: tuple[str, str, int]) -> Outcome | str:
            command, fault, turn = one
            try:
                if command == KEYS:
                    return keys.run_one(fault, turn)
                return (local if command in LOCAL else made).run_one(command, fault, turn)
            except NotHere as why:
                return f"{command}, {fault}: {why}"

        pool = ThreadPoolExecutor(2)
        try:
            for outcome in pool.map(run, matrix(runs)):
                if isinstance(outcome, str):
                    skipped[outcome] += 1
                    continue
                print(*outcome.contradictions, sep="\n", end="\n" if outcome.contradictions else "", flush=True)
                contradictions += len(outcome.contradictions)
                unknown += outcome.unknown
                codes.update((outcome.made.name, one.code) for one in outcome.told)
        except KeyboardInterrupt:
            print("interrupted: of the runs until now")
        finally:
            pool.shutdown(cancel_futures=True)
    for command in _FAULTS:
        ended = (f"exit {code}: {count}" for (name, code), count in sorted(codes.items()) if name == command)
        print(f"{command:11}", *ended, sep="  ")
    for what, count in skipped.items():
        print(f"not tried, {count}: {what}")
    print(f"{codes.total()} runs, {unknown} said that something is not known, {contradictions} contradictions")
    return contradictions


if __name__ == "__main__":
    each = sum(map(len, _FAULTS.values()))
    sys.exit(1 if main(int(sys.argv[1]) if len(sys.argv) > 1 else each) else 0)
