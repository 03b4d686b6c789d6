"""`local clone`: the local stack becomes a copy of a database, or of a backup file.

The copy is made beside the stack's database, compared with its source, and put in its place at the end; what was there
is kept for `local reset --undo`.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from promthctl import database
from promthctl.copies.backup_file import Loaded, Loader, count_rows
from promthctl.copies.masks import Masks
from promthctl.copies.pg_dump import HISTORY
from promthctl.engines import Engine, Filling, KeptCopy
from promthctl.engines.access import local_target, stack_access
from promthctl.errors import PrerequisiteError, PromthctlError, UsageError, already_done
from promthctl.local_stack.copying import Amount, Copied, begun_reading, copy_live, opened_source, own_tables
from promthctl.locks import alone
from promthctl.quantities import size
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

_DONE = "The local stack is the copy"
_AS_BEFORE = "the local stack is as it was"
_ROOM = 3  # times the rows' size: the copy, its log, and indexes
_UNPACKED = 8  # times a compressed file's size, about
_GZIP, _CUSTOM, _TAR = b"\x1f\x8b", b"PGDMP", b"ustar"


@dataclass(frozen=True)
class CloneOptions:
    """data: the rows. sample: this many of each table, and what they refer to. masks: table and column, see Masks.

    passwords: with what signs the users in.
    """

    data: bool = False
    sample: int | None = None
    masks: tuple[tuple[str, str], ...] = ()
    passwords: bool = False


@dataclass(frozen=True)
class Clone:
    """What the local stack is now: applied, tables and users were read there afterwards, and rows are as many as were
    seen in the copy.

    checked: how many tables have the source's number of rows and checksum; None where only numbers were compared, as of
    samples and of files. masked: the columns. left_out: what of the source is not here, and why. unlike: what the
    comparison of both catalogs found otherwise; None for a file. roles: made without login. extensions: that cannot be
    had. kept: the database that was there.
    """

    source: str
    target: str
    applied: tuple[str, ...]
    tables: int
    rows: int
    users: int
    checked: int | None
    masked: tuple[str, ...]
    left_out: tuple[str, ...]
    unlike: tuple[str, ...] | None
    roles: tuple[str, ...]
    extensions: tuple[str, ...]
    kept: KeptCopy | None


def clone_database(
    settings: Settings,
    engine: Engine,
    source: Target,
    options: CloneOptions,
    agree: Callable[[Amount], None],
    steps: Steps,
) -> Clone:
    """agree: called before rows are copied; it may raise.

    Raises PrerequisiteError without room for them, UsageError for an engine that keeps no copies or a column that
    cannot be masked, PromthctlError for what could not be copied or is not as in the source: nothing was changed then.
    """
    _check_engine(engine)
    masks = Masks(options.masks, options.passwords)
    with alone(settings, steps), opened_source(source, options.data, options.sample) as found:
        masks.find(found.connection)
        if options.data:
            _check_room(settings, found.amount.size)
            agree(found.amount)
        copied: list[Copied] = []
        with begun_reading(settings, found, steps) as reading:

            def fill(new: Filling) -> None:
                copied.append(copy_live(settings, reading, new, masks, steps))

            kept = engine.renew(fill, steps, done=_DONE, bulk=True)
        return _result(source.label, engine, copied[0], kept)


def clone_file(settings: Settings, engine: Engine, file: Path, options: CloneOptions, steps: Steps) -> Clone:
    """A file of SQL for psql, compressed or not. Raises UsageError for what is none; else as clone_database."""
    _check_engine(engine)
    zipped = _check_file(file)
    masks = Masks(options.masks, options.passwords)
    _check_room(settings, file.stat().st_size * (_UNPACKED if zipped else 1))
    with alone(settings, steps):
        copied: list[Copied] = []

        def fill(new: Filling) -> None:
            with steps.step(f"Loading {file.name}") as update, _opened(file, zipped) as stream:
                copied.append(_load(new, stream, file.name, masks, lambda done: update(size(done))))

        kept = engine.renew(fill, steps, done=_DONE, bulk=True)
        return _result(str(file), engine, copied[0], kept)


def _load(new: Filling, stream: IO[bytes], name: str, masks: Masks, update: Callable[[int], None]) -> Copied:
    import psycopg

    assert new.superuser_url
    with (
        psycopg.connect(new.access.db_url, autocommit=True) as own,
        psycopg.connect(new.superuser_url, autocommit=True) as high,
    ):
        loader = Loader(own, high, masks, _AS_BEFORE)
        try:
            loaded = loader.load(stream, name, update)  # type: ignore[arg-type]
        except (OSError, EOFError) as error:
            why = f"{name} cannot be read to its end: {error}"
            raise PromthctlError(f"{name} could not be loaded; {_AS_BEFORE}", why, "download it again") from None
        _check_counts(high, loaded, name)
        if unmasked := masks.check(high):
            why = f"{unmasked[0]} has {unmasked[1]:,} values that are not masked"
            hint = "dump the source with COPY, not with --inserts, or leave the mask out"
            raise PromthctlError(f"{name} could not be loaded; {_AS_BEFORE}", why, hint)
        rows = sum(rows for table, rows in loaded.rows.items() if not table.startswith(f"{HISTORY}."))
        return Copied(loaded, rows, checked=None, unlike=None, masked=_masked(masks))


def _check_counts(high: object, loaded: Loaded, name: str) -> None:
    """The tables must have as many rows as the file."""
    for table, rows in loaded.rows.items():
        there = count_rows(high, table)
        if there != rows:
            why = f"{table} has {there:,} rows, and the file has {rows:,} for it"
            raise PromthctlError(
                f"{name} could not be loaded; {_AS_BEFORE}",
                why,
                "run the same command again, and report it if it says so again",
            )


def _result(label: str, engine: Engine, copied: Copied, kept: KeptCopy | None) -> Clone:
    target = local_target(stack_access(engine))
    with already_done(_DONE, "what it has could not be read", "that is done"):
        history = tuple(database.fetch_history(target))
        with database.connect(target) as connection:
            tables = own_tables(connection)
            ((users,),) = connection.execute("select count(*) from auth.users").fetchall()
    loaded = copied.loaded
    return Clone(
        label, target.label, history, len(tables), copied.rows, int(str(users)), copied.checked, copied.masked,
        tuple(loaded.left_out), copied.unlike, tuple(loaded.made_roles), tuple(loaded.extensions), kept,
    )  # fmt: skip


def _masked(masks: Masks) -> tuple[str, ...]:
    return tuple(f"{mask.table}.{mask.column}" for mask in masks.asked())


def _check_engine(engine: Engine) -> None:
    if not engine.keeps_copies:
        raise UsageError(
            "The Docker engine's database cannot become a copy",
            "what it replaces is gone, so that a clone that fails would leave nothing",
            "promthctl local down, then promthctl local up --engine embedded, and the same command again",
        )


def _check_room(settings: Settings, amount: int) -> None:
    from promthctl.engines.embedded import system_user

    folder = system_user.data_home(settings, settings.project_id).parent
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < _ROOM * amount:
        raise PrerequisiteError(
            f"Nothing was copied; {_AS_BEFORE}: this machine has no room for it",
            f"{size(free)} are free in {there}, and {size(_ROOM * amount)} may be needed",
            "copy fewer rows: --sample 1000, or export PROMTHCTL_DATA_DIR=/path/with/more/room",
        )


def _check_file(file: Path) -> bool:
    """Whether it is compressed. Raises UsageError for what is no dump as text."""
    try:
        with file.open("rb") as stream:
            head = stream.read(512)
        zipped = head.startswith(_GZIP)
        if zipped:
            with gzip.open(file) as unpacked:
                head = unpacked.read(512)
    except (OSError, EOFError) as error:
        raise UsageError(f"{file} cannot be read", str(error), "promthctl local clone --file backup.sql.gz") from None
    if head.startswith(_CUSTOM) or head[257:262] == _TAR:
        why = "it is in a format of pg_dump's own, which pg_restore reads"
        raise UsageError(f"{file} is not a file of SQL", why, f"pg_restore -f backup.sql {file}, and clone that")
    return zipped


def _opened(file: Path, zipped: bool) -> IO[bytes]:
    return gzip.open(file) if zipped else file.open("rb")  # type: ignore[return-value]
