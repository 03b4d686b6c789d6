"""What a run of the fault matrix said, compared with what the database has."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from tests.accidents import CUTS, LOCKS
from tests.promthctl_runner import Project

# Seconds, after which a run hangs, on however busy a machine: it is interrupted, and its exit code shows that.
PATIENCE = 300.0
_PATIENCE_AFTER = 120.0  # after the first interruption for another, and after that before it is killed


@dataclass(frozen=True)
class State:
    """tables: of public, with their columns and number of rows. history, seeds: what is recorded."""

    tables: dict[str, tuple[str, int]]
    history: frozenset[str]
    seeds: frozenset[str]

    @classmethod
    def of(cls, url: str) -> State:
        there = """select relname, (select string_agg(attname, ',' order by attname) from pg_attribute
                                     where attrelid = c.oid and attnum > 0 and not attisdropped),
            (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from public.%I', relname), false, true,
                                                 '')))[1]::text::int
            from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'"""
        with psycopg.connect(url, autocommit=True) as connection:
            tables = {name: (columns, rows) for name, columns, rows in connection.execute(there.encode())}
            return cls(
                tables, cls._recorded(connection, "schema_migrations", "version"),
                cls._recorded(connection, "seed_files", "path"),
            )  # fmt: skip

    @staticmethod
    def _recorded(connection: psycopg.Connection[tuple[object, ...]], table: str, column: str) -> frozenset[str]:
        if connection.execute("select to_regclass(%s)", (f"supabase_migrations.{table}",)).fetchone() == (None,):
            return frozenset()
        return frozenset(
            str(row[0]) for row in connection.execute(f"select {column} from supabase_migrations.{table}".encode())
        )

    def __str__(self) -> str:
        return f"history {sorted(self.history)}, seeds {sorted(self.seeds)}, tables {self.tables}"


@dataclass(frozen=True)
class Told:
    """A run's exit code, 130 where it was interrupted, and what it printed, as one line."""

    code: int
    said: str


@dataclass(frozen=True)
class Prepared:
    """A command, ready to be run. began, done: what the database has before, and after a run without accidents.

    messages: that this sent to the server. files, seeds: the migrations and the seeds, by name, with the table of each.
    """

    name: str
    began: State
    done: State
    messages: int
    files: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, str] = field(default_factory=dict)


def run_all(
    projects: Sequence[Project], words: str, patience: float = PATIENCE, env: Mapping[str, str] | None = None
) -> list[Told]:
    with ThreadPoolExecutor(len(projects)) as pool:
        return list(pool.map(lambda project: _run(project, words, patience, env or {}), projects))


def _run(project: Project, words: str, patience: float, env: Mapping[str, str]) -> Told:
    """words: BACKUP in them is the project's first one. The database's name, the last of them, is typed."""
    (backup, *_) = [path.name for path in sorted((project.path / ".promthctl" / "backups").glob("*"))] or [""]
    running = subprocess.Popen(
        project.command(*words.replace("BACKUP", backup).split()), env=project.environment(**env), cwd=project.path,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    typed: str | None = f"{words.rpartition('/')[2]}\n"
    for wait, number in (
        (patience, signal.SIGINT),
        (_PATIENCE_AFTER, signal.SIGINT),
        (_PATIENCE_AFTER, signal.SIGKILL),
    ):
        try:
            said, _ = running.communicate(typed, timeout=wait)
            break
        except subprocess.TimeoutExpired:
            running.send_signal(number)
            typed = None
    else:
        said, _ = running.communicate()  # killed: no exit code of ours
    return Told(running.returncode, " ".join(said.split()))


def settle(url: str) -> None:
    """Wait for sessions that lost their client."""
    query = """select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend'"""
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query.encode()).fetchone() is not None:
            threading.Event().wait(0.05)


# What is said when it is not known, or that there was a change; each says how to find out.
UNKNOWN = ("is not known", "not confirmed", "is recorded if it was kept", "shows what is applied", "does not confirm")
DONE = ("the server finished", "the reset is done")
_CHANGED = (*DONE, "rows were stored", "could not be applied", "broke off in", "could not be run on", *UNKNOWN)
NOTHING = ("nothing was changed", "nothing was written", "Nothing was", "nothing was recorded", "nothing was restored")


@dataclass(frozen=True)
class Outcome:
    """A run, or two at once, with what the database had before and has now."""

    made: Prepared
    fault: str
    began: State
    ended: State
    told: Sequence[Told]

    @property
    def unknown(self) -> bool:
        return any(one.code != 0 and any(words in one.said for words in UNKNOWN) for one in self.told)

    @property
    def contradictions(self) -> list[str]:
        found = []
        for one in self.told:
            found += [
                f"{self.made.name}, {self.fault}: {what}; exit {one.code}; {self.ended}; it said: {one.said}"
                for claimed, true, what in (*self._claims(one), *self._of_files(one))
                if claimed and not true
            ]
        return found

    def _claims(self, one: Told) -> Iterator[tuple[bool, bool, str]]:
        alone, same, done = len(self.told) == 1, self.ended == self.began, self.ended == self.made.done
        said_nothing = any(words in one.said for words in NOTHING)
        yield one.code == 0, done, "it is not done"
        yield alone and one.code != 0 and said_nothing, same, "something was changed"
        yield (
            alone and one.code != 0 and not same,
            any(words in one.said for words in _CHANGED),
            "changed, and not said",
        )
        sure = not any(words in one.said for words in (*UNKNOWN, *DONE)) and one.code != 130
        yield alone and one.code != 0 and done and not same, not sure, "it is done, and was called failed"
        yield True, not any(words in one.said for words in ("has a bug", "Traceback")), "a bug"
        yield True, "correct /" not in one.said and "correct db" not in one.said, "the file's fault"
        yield (
            True,
            one.code in allowed(self.made.name, self.fault) or "does not confirm it" in one.said,
            "the exit code is of another kind",
        )

    def _of_files(self, one: Told) -> Iterator[tuple[bool, bool, str]]:
        if self.made.name == "local reset":  # what it says of files is about the new database, which is not kept
            return
        alone, resetting = len(self.told) == 1, self.made.name == "reset"
        for name, table in self.made.files.items():
            there = name[:3] in self.ended.history and table in self.ended.tables
            gone = name[:3] not in self.ended.history and (
                table not in self.ended.tables
                if resetting
                else (table in self.ended.tables) == (table in self.began.tables)
            )
            yield alone and f"nothing of {name}.sql was applied" in one.said, gone, f"something of {name} was applied"
            yield f"the server finished {name}.sql" in one.said, there, f"{name} is not finished"
        for name, table in self.made.seeds.items():
            failed = alone and f"{name}.sql could not be run" in one.said
            rows = self.ended.tables.get(table, ("", 0))[1]
            yield failed and "nothing of it was kept" in one.said, rows == 0, f"something of {name} was kept"
            yield failed and "was not undone" in one.said, rows > 0, f"nothing of {name} was kept"


def allowed(command: str, fault: str) -> tuple[int, ...]:
    """The exit codes that errors.py allows for an accident, beside 0: it may strike where it does no harm."""
    if fault in (*CUTS, "away for good", "server dies", "terminated", "disk full", "read-only"):
        return 0, 4
    if fault in LOCKS:
        if command == "local up":  # which waits as long as it takes
            return 0, 130
        return (0, 4) if command == "seed keys" else (0, 1)  # an API that does not answer
    if fault == "statement_timeout":
        return 0, 1
    return {"transaction pooler": (5,), "session pooler": (0,)}.get(fault, (0, 5))
