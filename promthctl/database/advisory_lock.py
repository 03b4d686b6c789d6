"""One promthctl at a time on a target, from any machine, and what a killed one left running there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from promthctl.database.connection import connect
from promthctl.errors import RefusedError
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_LOCK = int.from_bytes(b"promthct", "big")  # advisory locks are numbers that their users agree on
_LOCK_SECONDS, _ASK_SECONDS = 60.0, 0.2
_LOCK_HOLDER = """
select a.pid, coalesce(host(a.client_addr), 'the server itself'), to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')
  from pg_locks l join pg_stat_activity a using (pid) join pg_database d on d.oid = l.database
 where l.locktype = 'advisory' and l.granted and d.datname = current_database()
   and (l.classid::bigint << 32) + l.objid::bigint = %s and l.objsubid = 1"""
_LEFTOVER = r"""
select pid from pg_stat_activity
 where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
   and length(query) > 1 and strpos(%s, rtrim(query, E'; \n\r\t')) > 0 limit 1"""


@contextmanager
def exclusive(target: Target, steps: Steps) -> Iterator[None]:
    """Be the only promthctl, on any machine, that changes the target; the server releases the lock when we end.

    Waits a minute for another one, then raises RefusedError, which names it.
    """
    with connect(target) as connection:
        if not _try_lock(connection):
            with steps.step("Waiting for another promthctl to finish with this database"):
                deadline = time.monotonic() + _LOCK_SECONDS
                while not _try_lock(connection):
                    if time.monotonic() > deadline:
                        raise _held(target, connection.execute(_LOCK_HOLDER, (_LOCK,)).fetchone())
                    time.sleep(_ASK_SECONDS)
        yield


def wait_for_leftovers(target: Target, text: str, steps: Steps) -> None:
    """Wait for what a killed push left running: the server continues with what it was sent, and may still commit it.

    text: the SQL that is about to be applied; a statement of it that runs there now can only be left over, since the
    caller holds the lock. Raises RefusedError after a minute, with the command that ends it.
    """
    with connect(target) as connection:

        def running() -> tuple[object, ...] | None:
            return connection.execute(_LEFTOVER, (text,)).fetchone()

        if running() is None:
            return
        with steps.step("Waiting for the server to finish what an earlier push left running"):
            deadline = time.monotonic() + _LOCK_SECONDS
            while (found := running()) is not None:
                if time.monotonic() > deadline:
                    raise RefusedError(
                        f"A statement of an earlier push is still running on {target.label}",
                        f"backend {found[0]} is running it, and its promthctl is gone",
                        f"run the same command again later, or end it there: select pg_terminate_backend({found[0]})",
                    )
                time.sleep(_ASK_SECONDS)


def _try_lock(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    return connection.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone() == (True,)


def _held(target: Target, holder: tuple[object, ...] | None) -> RefusedError:
    who = "its connection from {1} (pid {0}) has been open since {2}".format(*holder) if holder else "it is still there"
    return RefusedError(
        f"Another promthctl is changing {target.label}",
        f"{who}; this one waited {_LOCK_SECONDS:.0f} seconds",
        "wait until it is done and run the same command again; nothing was changed",
        code="refused.locked",
    )
