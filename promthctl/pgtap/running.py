"""Runs test files: those that begin and roll back by themselves side by side, all others alone and in their order."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.pgtap.files import TestFile, is_isolated
from promthctl.pgtap.script import Script
from promthctl.pgtap.tap import Assertion, Place, Problem, Tap
from promthctl.pgtap.transactions import AsWritten, Guarded
from promthctl.settings import Settings
from promthctl.sql.quoting import identifier
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_AT_MOST = 8  # by default: a connection each
_IN_EACH_OTHERS_WAY = ("40P01", "40001", "55P03")  # deadlock_detected, serialization_failure, lock_not_available
_UNDEFINED_SCHEMA = "3F000"
_CLOSED = (
    "As on hosted projects since 30 October 2026, new tables are closed to the API's roles until a migration grants; "
    "auto_expose_new_tables = true under [api] of supabase/config.toml opens them"
)
HELPERS = "basejump-supabase_test_helpers"


@dataclass(frozen=True)
class FileResult:
    """One file. seconds: it took. skipped: why nothing in it was run, by its own plan. bailed: its "Bail out!"."""

    file: str
    seconds: float
    planned: int | None
    assertions: tuple[Assertion, ...]
    problems: tuple[Problem, ...]
    skipped: str | None = None
    bailed: str | None = None

    @property
    def passed(self) -> bool:
        return not self.problems and self.bailed is None and not any(one.failed for one in self.assertions)


@dataclass(frozen=True)
class TestRun:
    """database: where they ran. files: in their order. left_out: files that a "Bail out!" left unrun. notes: what the
    tests were given that is not theirs.
    """

    __test__ = False

    database: str
    files: tuple[FileResult, ...]
    seconds: float
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.left_out and all(one.passed for one in self.files)


@dataclass
class Runner:
    """Runs files on one database. guarded: nothing may stay in it. jobs: how many at once, None for what fits.

    pgtap: the statement that makes the extension where a guarded transaction has to.
    """

    settings: Settings
    target: Target
    guarded: bool
    jobs: int | None = None
    pgtap: str = ""
    notes: list[str] = field(default_factory=list)
    _held: Target = field(init=False, repr=False)
    _setup: tuple[TestFile, ...] = ()
    _bailed: bool = False
    _idle: queue.SimpleQueue[Connection] = field(default_factory=queue.SimpleQueue)
    _busy: list[Connection] = field(default_factory=list)
    _helping: threading.Lock = field(default_factory=threading.Lock)

    def run(self, files: Sequence[TestFile], done: Callable[[FileResult], None]) -> TestRun:
        """Run them all, and tell `done` of each as it ends, from any thread.

        Raises TargetError where the database is out of reach.
        """
        began = time.monotonic()
        isolated = {file: is_isolated(file) for file in files}
        if self.guarded and any(isolated.values()):
            first = next(place for place, file in enumerate(files) if isolated[file])
            self._setup = tuple(files[:first])
        self._held = self.target.held()
        results: dict[TestFile, FileResult] = {}
        jobs = self.jobs or min(_AT_MOST, os.cpu_count() or 1)
        with self._connections(), ThreadPoolExecutor(jobs) as pool:
            try:
                for group in _groups(files, isolated, self.guarded):
                    for file, result in zip(group, pool.map(self._one, group), strict=True):
                        if result is not None:
                            results[file] = result
                            done(result)
            except BaseException:
                self._bailed = True
                for connection in list(self._busy):
                    connection.cancel_safe(timeout=2)
                raise
        left_out = tuple(file.name for file in files if file not in results)
        found = tuple(results[file] for file in files if file in results)
        seconds = round(time.monotonic() - began, 3)
        if any("permission denied for table" in text for one in found for text in _said(one)):
            self.notes.append(_CLOSED)
        return TestRun(self.target.label, found, seconds, left_out, tuple(self.notes))

    def _one(self, file: TestFile) -> FileResult | None:
        """None after a "Bail out!"."""
        if self._bailed:
            return None
        result = self._try(file)
        if any(problem.sqlstate in _IN_EACH_OTHERS_WAY for problem in result.problems):
            with self._helping:  # one after the other
                result = self._try(file)
        elif any(_wants_helpers(problem) for problem in result.problems) and self._help():
            result = self._try(file)
        self._bailed = self._bailed or result.bailed is not None
        return result

    def _try(self, file: TestFile) -> FileResult:
        began = time.monotonic()
        with self._connection() as connection:
            tap = Tap()
            if self.guarded:
                self._in_transaction(connection, file, tap)
            else:
                Script(self.settings, connection, AsWritten(), tap).run(file)
        return FileResult(
            file.name,
            round(time.monotonic() - began, 3),
            tap.planned,
            tuple(tap.assertions),
            tuple(tap.problems),
            tap.skipped,
            tap.bailed,
        )

    def _in_transaction(self, connection: Connection, file: TestFile, tap: Tap) -> None:
        connection.execute("begin")
        number = connection.execute("select pg_current_xact_id()::text").fetchone()
        try:
            if self.pgtap:
                connection.execute(self.pgtap.encode())
            for setup in self._setup[: self._setup.index(file) if file in self._setup else None]:
                self._prepare(connection, setup)
            Script(self.settings, connection, Guarded(), tap).run(file)
        finally:
            if not connection.broken:
                connection.execute("rollback")
        if not connection.broken:
            state = connection.execute("select pg_xact_status(%s::xid8)", number).fetchone()
            if state != ("aborted",):
                tap.problems.append(Problem(f"its transaction is {state}, not rolled back", Place(file.name, 1), "?"))

    def _prepare(self, connection: Connection, setup: TestFile) -> None:
        """Run a file whose work the next ones need, and leave nothing else of its session."""
        connection.execute("savepoint promthctl_setup")
        Script(self.settings, connection, Guarded(), Tap()).run(setup)
        if connection.info.transaction_status.name == "INERROR":
            connection.execute("rollback to savepoint promthctl_setup")
        for words in ("release savepoint promthctl_setup", "discard temp", "reset all"):
            connection.execute(words.encode())

    def _help(self) -> bool:
        """Make the test helpers that the tests take for granted, on a copy; False where they cannot be."""
        if self.guarded:
            return False
        with self._helping, self._connection() as connection:
            there = (
                "select to_regnamespace('tests') is not null,"
                " exists (select from pg_available_extensions where name = %s)"
            )
            made, available = connection.execute(there, [HELPERS]).fetchone() or (False, False)
            if not made and available:
                connection.execute(f"create extension {identifier(HELPERS)}".encode())
                self.notes.append(f"The tests call tests.…(): extension {HELPERS} was made, as promthctl has it")
            return bool(made or available)

    @contextmanager
    def _connections(self) -> Iterator[None]:
        """Sessions for all jobs; the first shows whether the target can be reached."""
        with self._connection():
            pass
        try:
            yield
        finally:
            while not self._idle.empty():
                self._idle.get().close()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = database.session(self._held)
            connection.prepare_threshold = None  # DISCARD ALL, here or in a test, takes prepared statements away
        self._busy.append(connection)
        try:
            yield connection
        finally:
            self._busy.remove(connection)
            if _cleared(connection):
                self._idle.put(connection)
            else:
                connection.close()


def _groups(files: Sequence[TestFile], isolated: dict[TestFile, bool], guarded: bool) -> Iterator[list[TestFile]]:
    """Files that may run side by side, in the order of all."""
    group: list[TestFile] = []
    for file in files:
        if guarded or isolated[file]:
            group.append(file)
            continue
        if group:
            yield group
        yield [file]
        group = []
    if group:
        yield group


def _cleared(connection: Connection) -> bool:
    """Whether the session is as a new one is: what a file left of its settings and temporary tables is gone."""
    import psycopg

    try:
        if connection.info.transaction_status.name != "IDLE":
            connection.execute("rollback")
        connection.execute("discard all")
        return True
    except psycopg.Error:
        return False


def _said(result: FileResult) -> Iterator[str]:
    """All that tells why a file failed."""
    yield from (problem.message for problem in result.problems)
    yield from (line for one in result.assertions if one.failed for line in one.diagnostics)


def _wants_helpers(problem: Problem) -> bool:
    return problem.sqlstate == _UNDEFINED_SCHEMA and '"tests"' in problem.message
