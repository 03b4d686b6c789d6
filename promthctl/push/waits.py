"""How long a plan's locks may hold others up, estimated from the tables' sizes and the transactions that use them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.push.risks import PlannedStatement

if TYPE_CHECKING:
    import psycopg

BYTES_PER_SECOND = 50_000_000  # that a table is scanned or written again: an ordinary disk, with others at work
_SHORTEST, _OLD_SECONDS = 1.0, 5.0  # what is worth a line
_SIZES = """
select n.label, {size},
       (select max(extract(epoch from clock_timestamp() - a.xact_start))::float8
          from pg_locks l join pg_stat_activity a on a.pid = l.pid
         where l.database = (select oid from pg_database where datname = current_database()) and l.relation = c.oid
           and l.granted and a.pid <> pg_backend_pid() and a.backend_type = 'client backend')
  from unnest(%s::text[], %s::text[]) n (label, quoted) join pg_class c on c.oid = to_regclass(n.quoted)"""
# Asking for the size waits for whoever holds the table exclusively; what it had at its last VACUUM or ANALYZE does not.
_SIZE = "pg_table_size(c.oid)::bigint"
_LAST_SIZE = "c.relpages::bigint * current_setting('block_size')::bigint"
_LOCK_TIMEOUT = "200ms"


@dataclass(frozen=True)
class Wait:
    """An estimate for one table. lock: the heaviest that the plan takes on it, as SQL names it.

    size: in bytes. seconds: that the lock is held while the table is scanned or written again, 0 for a brief lock.
    oldest: the age in seconds of the oldest transaction that uses the table now; the lock waits for its end.
    """

    object: str
    lock: str
    size: int
    seconds: float
    oldest: float | None


def estimate_waits(connection: psycopg.Connection[Any], statements: Iterable[PlannedStatement]) -> tuple[Wait, ...]:
    """Those worth mentioning. connection: the target's, in autocommit. Raises psycopg.Error."""
    from promthctl.sql.quoting import identifier

    found: dict[str, tuple[str, bool]] = {}  # table → (lock, whether it lasts)
    for statement in statements:
        for risk in statement.risks:
            if risk.lock and risk.object:
                lock, lasting = found.get(risk.object, (risk.lock, False))
                heavier = max(lock, risk.lock, key=lambda one: one.startswith("ACCESS"))
                found[risk.object] = heavier, lasting or not risk.brief
    quoted = [".".join(identifier(part) for part in label.split(".", 1)) for label in found]
    rows = _sizes(connection, [*found], quoted) if found else []
    waits = []
    for label, size, oldest in rows:
        lock, lasting = found[label]
        seconds = size / BYTES_PER_SECOND if lasting else 0.0
        if seconds >= _SHORTEST or (oldest or 0.0) >= _OLD_SECONDS:
            waits.append(Wait(label, lock, size, round(seconds, 1), None if oldest is None else round(oldest, 1)))
    return tuple(waits)


def _sizes(
    connection: psycopg.Connection[Any], labels: Sequence[str], quoted: Sequence[str]
) -> list[tuple[str, int, float | None]]:
    import psycopg

    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{_LOCK_TIMEOUT}'".encode())
            return connection.execute(_SIZES.format(size=_SIZE).encode(), (labels, quoted)).fetchall()
    except psycopg.errors.LockNotAvailable:
        return connection.execute(_SIZES.format(size=_LAST_SIZE).encode(), (labels, quoted)).fetchall()
