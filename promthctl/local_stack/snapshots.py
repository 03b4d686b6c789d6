"""Snapshots of the local database: made, listed, put in its place, removed."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl import database, resetting
from promthctl.engines import Engine, KeptCopy, Snapshot
from promthctl.engines.access import local_target, stack_access
from promthctl.errors import already_done
from promthctl.locks import alone
from promthctl.settings import Settings
from promthctl.steps import Steps


@dataclass(frozen=True)
class SnapshotList:
    """The newest first. kept: the database before the last reset or restore, which `local reset --undo` brings back."""

    snapshots: tuple[Snapshot, ...]
    kept: KeptCopy | None


@dataclass(frozen=True)
class RestoredSnapshot:
    """What is there again. tables: counted now. applied: versions. kept: the database that was in use."""

    name: str
    target: str
    applied: tuple[str, ...]
    tables: int
    kept: KeptCopy | None


@dataclass(frozen=True)
class RemovedSnapshot:
    name: str
    bytes: int


def list_snapshots(engine: Engine) -> SnapshotList:
    return SnapshotList(engine.snapshots(), engine.kept())


def save(settings: Settings, engine: Engine, name: str, steps: Steps) -> Snapshot:
    """Raises TargetError where there is no database, else see Engine.save_snapshot."""
    engine.snapshots()  # an engine without any says so first
    stack_access(engine)
    with alone(settings, steps):
        return engine.save_snapshot(name, "made by hand", steps)


def save_before(settings: Settings, engine: Engine, what: str, steps: Steps) -> Snapshot | None:
    """An automatic one before something that takes rows away; None where the engine makes none. what: in a word."""
    if not engine.keeps_copies:
        return None
    with alone(settings, steps):
        return engine.save_snapshot(None, f"before a {what}", steps)


def restore(settings: Settings, engine: Engine, name: str, steps: Steps) -> RestoredSnapshot:
    """See Engine.restore_snapshot; what is there then is read from the database."""
    engine.snapshots()
    stack_access(engine)
    with alone(settings, steps):
        kept = engine.restore_snapshot(name, steps)
        with already_done(f"The snapshot {name!r} is in use", "what it has could not be read", "the restore is done"):
            target = local_target(stack_access(engine))  # on another port, if the one before was taken meanwhile
            history = tuple(database.fetch_history(target))
            tables = resetting.count_tables(target, steps)
    return RestoredSnapshot(name, target.label, history, tables, kept)


def remove(settings: Settings, engine: Engine, name: str, steps: Steps) -> RemovedSnapshot:
    """Raises UsageError when there is none of that name."""
    engine.snapshots()
    with alone(settings, steps):
        gone = engine.remove_snapshot(name)
    return RemovedSnapshot(gone.name, gone.bytes)
