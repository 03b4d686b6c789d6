"""`promthctl migrations down`: down scripts, drafted from the schemas before and after a migration, and tried."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from promthctl import shadow, supabase_cli
from promthctl.drafting.engine import read_state
from promthctl.drafting.undoing import Undoing, undoing
from promthctl.errors import RefusedError, UsageError
from promthctl.migration_files import changes
from promthctl.migration_set import Migration, supabase_folder
from promthctl.migration_set.creating import is_unwritten
from promthctl.migration_set.folder import DOWN_FOLDER, down_path, with_down_scripts
from promthctl.migration_set.problems import set_aside
from promthctl.schema import Difference
from promthctl.settings import Settings
from promthctl.shadow import ThrowAwayDatabase
from promthctl.steps import Steps
from promthctl.supabase_cli import DatabaseCli

_WHAT = "No down script was written"
_SHARED = 8  # a second database takes as long to make as one script


@dataclass(frozen=True)
class NotWritten:
    """A migration without a down script. why: in a sentence. left, unread: differences that what was tried leaves."""

    migration: str
    path: str
    why: str
    left: tuple[Difference, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class DownScripts:
    """written: files relative to the project, each proven. done: they are on disk; otherwise they would be written."""

    written: tuple[str, ...]
    not_written: tuple[NotWritten, ...]
    done: bool = False
    changes: changes.FileChanges = field(default_factory=changes.FileChanges, repr=False)


def plan_down_scripts(settings: Settings, versions: Collection[str] | None, steps: Steps) -> DownScripts:
    """Draft and prove them in a throw-away database: the state before, up, down, and the catalog is the one before.

    versions: of which migrations; None for all that have no down script. Raises UsageError for a version without a
    migration, RefusedError for one that has its down script, and what the shadow raises for migrations that fail.
    """
    files = with_downs(settings)
    chosen = _chosen(files, versions)
    if not chosen:
        return DownScripts((), ())
    numbers = [number for number, migration in enumerate(files) if migration.version in chosen]
    writes: dict[Path, bytes] = {}
    failed: list[NotWritten] = []
    for number, found in zip(numbers, _tried(settings, files, numbers, steps), strict=True):
        path = down_path(files[number], settings.migrations_dir)
        if found.sql:
            writes[path] = found.sql.encode()
        else:
            failed.append(_not_written(settings, files[number], path, found))
    todo = changes.FileChanges(writes)
    changes.check_not_overwritten(todo, _WHAT, [path for path in writes if path not in _empty(files)])
    return DownScripts(tuple(_relative(settings, path) for path in writes), tuple(failed), changes=todo)


def _tried(settings: Settings, files: Sequence[Migration], numbers: Sequence[int], steps: Steps) -> Sequence[Undoing]:
    """What undoes the migrations of these numbers, in order. Many are shared between two databases, side by side."""
    cli = supabase_cli.find_database_cli(settings, steps)
    half = (len(numbers) + 1) // 2
    shares = [numbers[:half], numbers[half:]] if len(numbers) >= _SHARED and (os.cpu_count() or 1) > 1 else [numbers]
    ended = threading.Event()
    with contextlib.ExitStack() as held:
        advance = held.enter_context(steps.progress("Trying what leads back", len(numbers), tenths=False))
        databases = [held.enter_context(shadow.trial_database(settings)) for _ in shares]
        turn = threading.Lock()

        def tell(migration: Migration) -> None:
            with turn:
                advance(0, migration.filename)

        def try_share(made: ThrowAwayDatabase, share: Sequence[int]) -> list[Undoing]:
            found = []
            for undone in _undoings(cli, made, files, share, tell, ended):
                found.append(undone)
                with turn:
                    advance(1)
            return found

        workers = held.enter_context(ThreadPoolExecutor(len(shares)))
        running = [workers.submit(try_share, made, share) for made, share in zip(databases, shares, strict=True)]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
            ended.set()  # where one failed the other need not go on, and nobody waits for it longer than one takes
            failures = [error for each in running if (error := each.exception()) is not None]
            if failures:
                raise failures[0]
            return [found for each in running for found in each.result()]
        finally:
            ended.set()


def _undoings(
    cli: DatabaseCli,
    made: ThrowAwayDatabase,
    files: Sequence[Migration],
    numbers: Sequence[int],
    tell: Callable[[Migration], None],
    ended: threading.Event,
) -> Iterator[Undoing]:
    """What undoes each of these migrations, which are applied one after the other; until `ended`."""
    applied = 0

    def apply(until: int) -> None:
        # Of an applied file the CLI reads the version alone.
        made.apply([*(replace(file, content=b"") for file in files[:applied]), *files[applied:until]])

    for number in numbers:
        if ended.is_set():
            return
        tell(files[number])
        if number > applied:
            apply(number)
            applied = number
        before = made.copy(f"before_{number}")
        state = read_state(before)
        apply(number + 1)
        applied = number + 1
        yield undoing(cli, files[number], state, made.target)
        made.drop(before)


def write_down_scripts(settings: Settings, plan: DownScripts, steps: Steps) -> DownScripts:
    """Carry out a plan: all of the files or none."""
    if plan.written:
        changes.carry_out(settings, plan.changes, steps)
    return replace(plan, done=True)


def with_downs(settings: Settings) -> Sequence[Migration]:
    """All of them in the CLI's order, with the down scripts they have."""
    plan = supabase_folder.plan_project_sync(settings, ())
    files = supabase_folder.expected_migrations(settings, plan)
    others = with_down_scripts([file for file in files if file.down is None], settings.supabase_dir / DOWN_FOLDER)
    found = {file.version: file for file in others}
    return [found.get(file.version, file) for file in files]


def _chosen(files: Sequence[Migration], versions: Collection[str] | None) -> frozenset[str]:
    if versions is None:
        return frozenset(file.version for file in files if file.down is None or file.down in _empty([file]))
    by_version = {file.version: file for file in files}
    for version in versions:
        if version not in by_version:
            why = "VERSION is the digits that a migration's file name begins with"
            raise UsageError(f"There is no migration {version}", why, "promthctl migrations list shows the versions")
        down = by_version[version].down
        if down is not None and down not in _empty([by_version[version]]):
            hint = f"{set_aside(down)}, and run it again to have one written"
            raise RefusedError(_WHAT, f"{by_version[version].filename} has a down script: {down.name}", hint)
    return frozenset(versions)


def _empty(files: Sequence[Migration]) -> frozenset[Path]:
    """The down scripts in which nobody has written anything yet."""
    return frozenset(
        file.down
        for file in files
        if file.down is not None
        and is_unwritten(file.down.read_text(encoding="utf-8-sig", errors="replace"), f"{file.version}_{file.name}")
    )


def _not_written(settings: Settings, migration: Migration, path: Path, found: Undoing) -> NotWritten:
    return NotWritten(migration.filename, _relative(settings, path), found.why, found.left, found.unread)


def _relative(settings: Settings, path: Path) -> str:
    return os.path.relpath(path, settings.project_dir)
