"""Kills in the middle of the local stack's commands: what the next command finds, heals, and never loses.

    python -m tests.local_faults FAULTS [SEED] [COMMAND …]

At least that many faults (default 200), three projects at a time; of these commands alone if any is named.

Each command is traced once; then it gets a signal at functions of its own course, picked by SEED, and the next commands
must heal what is left: every committed row is there (after a reset or a restore: there or in the kept copy), no process
runs that no record names, a project beside it keeps its processes, its rows and its files. Prints a line for each
failure and one at the end; ends with 1 if there was one.
"""

from __future__ import annotations

import contextlib
import random
import re
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import psutil
import psycopg

from promthctl import settings
from promthctl.engines.embedded import system_user
from tests.promthctl_runner import Project

UP = ("local", "up", "--api-port", "0", "--db-port", "0")
DOWN, RESET = ("local", "down"), ("local", "reset")
UNDO, PURGE, TRUST = (*RESET, "--undo"), (*DOWN, "--purge", "--yes"), ("trust", "--yes")
SAVE, RESTORE, REMOVE = (("local", "snapshot", word, "one") for word in ("save", "restore", "remove"))
COMMANDS = {"up": UP, "down": DOWN, "reset": RESET, "undo": UNDO, "trust": TRUST, "save": SAVE, "restore": RESTORE}
# {beside}: the database of the project that nobody touches, which has more rows by then.
CLONE = ("local", "clone", "--db-url", "{beside}", "--data", "--yes")
COMMANDS |= {"clone": CLONE, "purge": PURGE, "new up": UP}
# The signal, and how often it is taken: what no program can catch is the hardest.
SIGNALS = ("SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "SIGINT")
_NAMES = "copies|engines|local_stack|migration_set|supabase_cli|toolchain|process|state|signatures|locks|trust"
_ROOMS = rf"promthctl\.({_NAMES})\b"
_CHANGES = r"(pathlib:Path\.(rename|replace|unlink|mkdir|chmod|write_text)|shutil:_?r?mtree\w*|subprocess:Popen\.\w+)$"
_POINT = re.compile(f"{_ROOMS}|{_CHANGES}")
_TIMES = 4  # a function that is called often is a point that many times at the most
CONFIG = '[tool.promthctl]\nmigrations = "sql"\n'


class Failed(Exception):
    """What was not as it has to be."""


@dataclass
class Local:
    """A project whose stack is killed again and again, and one beside it that nobody touches.

    rows: what was committed, and must be found. points: by command.
    """

    project: Project
    beside: Project
    choose: random.Random
    points: dict[str, list[str]] = field(default_factory=dict)
    rows: set[str] = field(default_factory=set)
    beside_rows: set[str] = field(default_factory=set)

    @classmethod
    def make(cls, folder: Path, seed: int, commands: dict[str, tuple[str, ...]]) -> Self:
        local = cls(_project(folder / "killed"), _project(folder / "beside"), random.Random(seed))
        local.beside.run(*UP)
        local.beside_rows.add(_commit(local.beside))
        for name, words in commands.items():
            local.prepare(name)
            trace = folder / "trace"
            running = local.project.start(*local.words(words), at=str(trace), signal="TRACE")
            said = running.communicate(timeout=300)[1]
            if running.returncode:
                raise Failed(f"{name} was not traced: {said}")
            local.points[name] = _points(trace.read_text())
            local.settle(name)
        return local

    def words(self, words: tuple[str, ...]) -> list[str]:
        return [url_of(self.beside) if word == "{beside}" else word for word in words]

    def prepare(self, name: str) -> None:
        """Bring the project to where the command has something to do."""
        run = self.project.run
        if name == "new up":
            run(*PURGE)
            self.rows.clear()
            return
        run(*UP)
        self.rows.add(_commit(self.project))
        if name == "up":
            run(*DOWN)
        elif name == "undo":
            run(*RESET)
        elif name in ("save", "restore"):
            if self.saved():
                run(*REMOVE, "--yes")
            if name == "restore":
                run(*SAVE)
                self.rows.add(_commit(self.project))
        elif name == "trust":
            (self.project.path / ".env").write_text(f"PGSSLMODE=disable\nNUMBER={self.choose.random()}\n")

    def run_one(self, name: str) -> str | None:
        """One fault; None when the command ended before it. Raises Failed, or AssertionError of a failing command."""
        self.prepare(name)
        point = self.choose.choice(self.points[name])
        number = self.choose.choice(SIGNALS)
        told = f"{name}, {number} at {point}"
        running = self.project.start(*self.words(COMMANDS[name]), at=point, signal=number)
        said = "".join(running.communicate(timeout=300))
        try:
            if "Traceback" in said:
                raise Failed(said)
            self.settle(name)
        except (Failed, AssertionError, psycopg.Error) as error:
            raise Failed(f"{told}: {error}") from error
        return None if running.returncode == 0 else told

    def settle(self, name: str) -> None:
        """The next command heals; then everything is looked at."""
        run = self.project.run
        if name == "trust":
            run("trust", "--yes")
        elif name == "purge":
            run(*PURGE)
            self.rows.clear()
            self.no_process()
            home = home_of(self.project)
            if home.exists():
                raise Failed(f"{home} is still there after a purge")
        else:
            if name == "down" and self.choose.random() < 0.5:
                run(*DOWN)
                self.no_process()
            run(*UP)
            if name == "clone":
                self.look_cloned()
            self.look(may_be_kept=name in ("reset", "undo", "restore", "clone"))
            if name == "save" and self.saved():
                run(*RESTORE)
                if self.rows - _rows(self.project):
                    raise Failed("the snapshot lacks rows")
            elif name == "restore" and not self.saved():
                raise Failed("the snapshot is gone")
        self.look_beside()

    def look(self, may_be_kept: bool) -> None:
        missing = self.rows - _rows(self.project)
        if missing and may_be_kept:  # the new database is in use: the rows are in the one that is kept
            self.project.run(*UNDO)
            missing = self.rows - _rows(self.project)
        if missing:
            raise Failed(f"{len(missing)} of {len(self.rows)} rows are lost")
        own = set(self.project.pids().values())
        own |= {child.pid for pid in own for child in psutil.Process(pid).children(recursive=True)}
        self.only(own)

    def look_cloned(self) -> None:
        """All rows of before and none of the source's, or the source's alone."""
        rows = _rows(self.project)
        if rows != self.beside_rows and not (rows >= self.rows and not rows & self.beside_rows):
            raise Failed(f"{len(rows)} rows are neither those of before nor those of the source")

    def saved(self) -> bool:
        return "one" in {one["name"] for one in self.project.json("local", "snapshot", "list")["snapshots"]}

    def no_process(self) -> None:
        self.only(set())

    def only(self, own: set[int]) -> None:
        deadline = time.monotonic() + 5  # a child that was killed with its parent may still be ending
        while orphans := {one.pid for one in self.project._processes()} - own:
            alive = [one for one in map(_command_line, orphans) if one]
            if not alive:
                return
            if time.monotonic() > deadline:
                raise Failed(f"processes that no record names: {alive}")
            time.sleep(0.1)
            own |= {child.pid for pid in own for child in _children(pid)}

    def look_beside(self) -> None:
        if self.beside_rows - _rows(self.beside) or not all(map(psutil.pid_exists, self.beside.pids().values())):
            raise Failed("the project beside it was touched")


L = TypeVar("L", bound=Local)


def _project(folder: Path) -> Project:
    (folder / "sql").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(CONFIG)
    (folder / "sql" / "001_a.sql").write_text("create table public.notes (id text primary key);\n")
    (folder / "sql" / "002_b.sql").write_text("alter table public.notes add at timestamptz default now();\n")
    return Project(folder)


def url_of(project: Project) -> str:
    record = project.record()
    return f"postgresql://postgres:{record['db_password']}@127.0.0.1:{record['db_port']}/postgres"


def _connect(project: Project) -> psycopg.Connection:
    return psycopg.connect(url_of(project))


def _commit(project: Project) -> str:
    row = str(uuid.uuid4())
    with _connect(project) as connection:
        connection.execute("insert into public.notes (id) values (%s)", (row,))
    return row


def _rows(project: Project) -> set[str]:
    with _connect(project) as connection:
        return {row for (row,) in connection.execute("select id from public.notes")}


def home_of(project: Project) -> Path:
    from promthctl.engines.embedded import ownership

    here = settings.load(project.path)
    return system_user.data_home(here, ownership.project_name(here))


def _points(trace: str) -> list[str]:
    found = []
    for line in trace.splitlines():
        count, name = line.split(" ", 1)
        if _POINT.match(name) and "<lambda>" not in name and "comp>" not in name and "genexpr" not in name:
            times = range(1, min(int(count), _TIMES) + 1)
            found += [f"{name}:{event}::{number}" for number in times for event in ("call", "return")]
    return found


def _children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def _command_line(pid: int) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(psutil.Process(pid).cmdline())
    return ""


@contextlib.contextmanager
def two_projects(folder: Path, seed: int, commands: dict[str, tuple[str, ...]], kind: type[L]) -> Iterator[L]:
    made = [Project(folder / name) for name in ("killed", "beside")]
    try:
        yield kind.make(folder, seed, commands)
    finally:
        for project in made:
            project.dispose()


def work(folder: Path, seed: int, wanted: int, commands: dict[str, tuple[str, ...]]) -> tuple[Counter[str], list[str]]:
    """At least that many faults; how many there were of each command, and the failures."""
    injected, failures = Counter[str](), []
    with two_projects(folder, seed, commands, Local) as local:
        while injected.total() < wanted:
            for name in commands:
                try:
                    injected[name] += local.run_one(name) is not None
                except Failed as error:
                    injected[name] += 1
                    failures.append(str(error))
                    print(error, flush=True)
                    local.rows.clear()
            print(f"{injected.total()} faults", file=sys.stderr, flush=True)
    return injected, failures


def main(wanted: int, seed: int, names: list[str]) -> int:
    """Inject the faults; the number of failures."""
    workers = 3
    commands = {name: COMMANDS[name] for name in names or COMMANDS}
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as pool:
        Path(name).chmod(0o755)
        folders = [Path(name) / f"{number}" for number in range(workers)]
        each = -(-wanted // workers)
        done = list(pool.map(lambda one: work(one[1], seed + one[0], each, commands), enumerate(folders)))
    injected = sum((counts for counts, _ in done), Counter[str]())
    failures = [one for _, found in done for one in found]
    counts = ", ".join(f"{name} {count}" for name, count in injected.items())
    print(f"{injected.total()} faults ({counts}), {len(failures)} failures: rows lost, orphans or foreign data touched")
    return len(failures)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:] if word.isdigit()]
    named = [word for word in sys.argv[1:] if not word.isdigit()]
    sys.exit(1 if main(given[0] if given else 200, given[1] if len(given) > 1 else 1, named) else 0)
