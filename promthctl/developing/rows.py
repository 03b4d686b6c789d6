"""Rows that no migration and no seed made, kept under a name before a replay takes them away.

A reset keeps the database before it, and of those before that one the newest few. In a loop of saves these are soon
replays of one another; so what somebody put in by hand is saved apart, once for each time that something was put in.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

from promthctl import database, resetting
from promthctl.engines import Engine, Snapshot
from promthctl.errors import PromthctlError
from promthctl.locks import alone
from promthctl.settings import Settings
from promthctl.steps import Silent, Steps
from promthctl.targets import Target

PREFIX = "watch-"
KEPT = 4  # snapshots of this kind, the newest
# Rows written since the statistics began, by whoever it was; a copy of a data directory begins at none.
_WRITTEN = """
select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_all_tables
 where schemaname not in ('pg_catalog', 'information_schema', 'pg_toast', 'supabase_migrations')"""


@dataclass(frozen=True)
class Trace:
    """What tells whether somebody wrote into a database. rows: by table. written: rows written so far."""

    rows: tuple[tuple[str, int | None], ...]
    written: int

    @property
    def empty(self) -> bool:
        return not any(number for _, number in self.rows)


def read_trace(target: Target) -> Trace:
    """Raises as resetting.read_contents and database.connect do."""
    contents = resetting.read_contents(target, Silent())
    with database.connect(target) as connection:
        [row] = connection.execute(_WRITTEN).fetchall()
    return Trace(tuple((table.label, table.rows) for table in contents.tables), int(str(row[0])))


def keep_rows(settings: Settings, engine: Engine, target: Target, ours: Trace | None, steps: Steps) -> Snapshot | None:
    """Save the database unless it has no row, or none but those of `ours`, the trace after the last replay.

    Of the older ones of this kind the newest stay. Raises as Engine.save_snapshot does.
    """
    now = read_trace(target)
    if now.empty or now == ours:
        return None
    with alone(settings, steps):
        old = [one.name for one in engine.snapshots() if one.name.startswith(PREFIX)]
        stamp = f"{PREFIX}{datetime.now(UTC):%Y%m%d-%H%M%S}"
        name = next(name for name in (stamp, *(f"{stamp}-{n}" for n in range(2, 100))) if name not in old)
        saved = engine.save_snapshot(name, "before a replay of local up --watch", steps)
        for one in old[KEPT - 1 :]:
            with contextlib.suppress(PromthctlError):
                engine.remove_snapshot(one)
    return saved
