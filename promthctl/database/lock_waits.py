"""Who keeps a session of ours waiting for a lock, and the end of a wait that takes too long.

A second connection looks. It can end the waiting statement as lock_timeout would, and needs no parameter of the
session for that: poolers refuse those (PgBouncer) or ignore them (Supabase's).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.database.connection import connect
from promthctl.errors import PromthctlError
from promthctl.quantities import duration
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

LOCK_SECONDS = 10.0  # for a lock on anything but the local stack: everybody behind the one who waits, waits too
_POLL_SECONDS = 0.1
_GIVE_UP_SECONDS = 5.0  # with a connection that is not to be had
_QUIET_SECONDS = 0.3  # most work waits for nobody: then no connection is made
# The session of ours that waits. With a pid, that one; with a query's beginning, one that runs that; else the one that
# runs a part of a text, writes the history, or has a name.
# Waiting for old snapshots (virtualxid), as CREATE INDEX CONCURRENTLY does, stops nobody else.
_WAITING = r"""
select a.pid from pg_stat_activity a
 where a.datname = current_database() and a.pid <> pg_backend_pid() and a.wait_event_type = 'Lock'
   and a.wait_event <> 'advisory'
   and (a.pid = %(pid)s
        or %(pid)s = 0 and a.usename = session_user and a.query_start >= to_timestamp(%(since)s) and length(a.query) > 1
           and case when %(begins)s <> '' then starts_with(a.query, %(begins)s)
                    else strpos(%(text)s, rtrim(a.query, E'; \n\r\t')) > 0 or strpos(a.query, 'schema_migrations') > 0
                         or nullif(a.application_name, '') = %(application)s end)
 limit 1"""
# Those who wait for others themselves are passed over for the others. A prepared transaction has the pid 0.
_BLOCKERS = """
with recursive chain (pid) as (
  select unnest(pg_blocking_pids(%(pid)s))
  union
  select unnest(pg_blocking_pids(pid)) from chain)
select pid, coalesce(usename::text, ''), coalesce(application_name, ''), coalesce(host(client_addr), ''),
       coalesce(state, ''),
       coalesce(extract(epoch from clock_timestamp() - case state when 'active' then query_start else state_change end),
                0)::int,
       coalesce(pg_has_role(usesysid, 'usage') or (pg_has_role('pg_signal_backend', 'usage')
                and not (select rolsuper from pg_roles where oid = usesysid)), true)
  from chain left join pg_stat_activity a using (pid)
 where pid <> %(pid)s and cardinality(pg_blocking_pids(pid)) = 0 order by 1"""
_CANCEL = f"select pg_cancel_backend(pid) from ({_WAITING}) waiting"  # noqa: S608 - only if it waits still


@dataclass(frozen=True)
class Blocker:
    """A session that holds what ours waits for. pid: 0 for a prepared transaction, which has no session.

    seconds: for how long its state has been what it is. can_be_ended: our role may end it.
    """

    pid: int
    user: str
    application: str
    address: str
    state: str
    seconds: int
    can_be_ended: bool

    def __str__(self) -> str:
        if not self.pid:
            return "a prepared transaction (see pg_prepared_xacts)"
        parts = [f"user {self.user}" if self.user else "", self.application, self.address and f"from {self.address}"]
        if self.state == "active":
            parts.append(f"its query has run for {duration(self.seconds)}")
        elif self.state:
            parts.append(f"{self.state} for {duration(self.seconds)}")
        return f"pid {self.pid} ({', '.join(filter(None, parts))})"

    @property
    def remedy(self) -> str:
        """The statement that ends it, and who may run it."""
        if not self.pid:
            return "rollback prepared 'GID', with the gid from pg_prepared_xacts"
        end = f"select pg_terminate_backend({self.pid})"
        return end if self.can_be_ended else f"{end}, as {self.user} or a superuser"


@dataclass
class LockWatch:
    """What was seen of our session's waits. limit: seconds for each, 0 for as long as it takes.

    blockers: of the last wait. cancelled: it was ended, for it took longer than the limit.
    """

    limit: float = 0.0
    blockers: tuple[Blocker, ...] = ()
    cancelled: bool = False

    def waited_for(self) -> str:
        """As a clause for people."""
        found = " and ".join(map(str, self.blockers[:3])) or "a session that is gone"
        return f"{found} {'hold' if len(self.blockers) > 1 else 'holds'} a lock that it needs"

    def remedy(self, again: str = "run the same command again", *, longer: bool = True) -> str:
        """As a clause for people. again: what to do afterwards. longer: the command has --lock-timeout."""
        ways = "; ".join(blocker.remedy for blocker in self.blockers[:3])
        first = f"wait until that is done, or end it: {ways}" if ways else "it may be gone by now"
        return f"{first}; then {again}{', or with a longer --lock-timeout' if self.cancelled and longer else ''}"

    def explains(self, sqlstate: str | None) -> bool:
        """True if a statement failed with that code because it did not get a lock."""
        return bool(self.blockers) and (sqlstate == "55P03" or (sqlstate == "57014" and self.cancelled))

    def too_long(self) -> str:
        """Why it failed, as a clause for people."""
        limit = spoken(self.limit) if self.cancelled else "its own lock_timeout"
        return f"{self.waited_for()}, for longer than {limit}"


def lock_seconds(target: Target) -> float:
    """How long one wait for a lock may take, in seconds; 0 for as long as it takes."""
    if target.lock_seconds is not None:
        return target.lock_seconds
    return 0.0 if target.local else LOCK_SECONDS


def spoken(seconds: float) -> str:
    return duration(int(seconds)) if seconds == int(seconds) else f"{seconds:g} s"


@contextmanager
def ending_waits(
    target: Target, connection: psycopg.Connection[Any], tell: Callable[[str], None]
) -> Iterator[LockWatch]:
    """While the block runs, name whom the connection waits for, and end what takes longer than the target's limit."""
    watch = LockWatch(lock_seconds(target))
    ((pid,),) = connection.execute("select pg_backend_pid()").fetchall()  # a pooler makes up the one of the connection
    with watching_locks(target, watch, tell, pid=pid):
        yield watch


@contextmanager
def watching_locks(
    target: Target,
    watch: LockWatch,
    tell: Callable[[str], None],
    *,
    text: str = "",
    application: str = "",
    begins: str = "",
    pid: int = 0,
    at_once: bool = False,
) -> Iterator[None]:
    """While the block runs, keep `watch` up to date, and end waits that take longer than its limit.

    tell: takes one line for each blocker that is new, from another thread. Which session of ours it is: that of the
    server process `pid`; one whose query begins with `begins`; else one that runs a part of the SQL in `text`, or has
    the name `application`. at_once: for one that ends its waits itself, maybe soon. When the block is left by an
    exception, a statement of it that still waits is ended.
    """
    stop = threading.Event()
    begun = time.monotonic()
    failed = False

    def work() -> None:
        import psycopg

        with contextlib.suppress(psycopg.Error, PromthctlError):  # then nobody looks, and nothing is ended
            if not stop.wait(0 if at_once else _QUIET_SECONDS):
                with connect(target) as connection:
                    which = {"text": text, "pid": pid, "application": application, "begins": begins}
                    which["since"] = _since(connection, begun)
                    _watch(connection, target, watch, tell, which, stop)
                    if failed:
                        _as_login_role(connection, target, True)
                        connection.execute(_CANCEL, which)

    looking = threading.Thread(target=work, daemon=True)
    looking.start()
    try:
        yield
    except BaseException:
        failed = True
        raise
    finally:
        stop.set()
        looking.join(_GIVE_UP_SECONDS)


def _watch(
    connection: psycopg.Connection[Any],
    target: Target,
    watch: LockWatch,
    tell: Callable[[str], None],
    which: dict[str, object],
    stop: threading.Event,
) -> None:
    told: set[int] = set()
    waiting, since = None, 0.0
    while not stop.wait(_POLL_SECONDS):
        _as_login_role(connection, target, True)
        now = connection.execute(_WAITING, which).fetchone()
        if now is None or now != waiting:
            waiting, since = now, time.monotonic()
        if now is None:
            continue
        _as_login_role(connection, target, False)
        found = tuple(Blocker(*row) for row in connection.execute(_BLOCKERS, {"pid": now[0]}))
        if not found:
            continue
        watch.blockers = found
        for blocker in found:
            if blocker.pid not in told:
                told.add(blocker.pid)
                tell(f"Waiting for a lock that {blocker} holds; to end it: {blocker.remedy}")
        if watch.limit and time.monotonic() - since > watch.limit:
            _as_login_role(connection, target, True)
            before, watch.cancelled = watch.cancelled, True  # first: the statement's error may be read at once
            watch.cancelled = connection.execute(_CANCEL, which).fetchone() is not None or before
            waiting = None


def _as_login_role(connection: psycopg.Connection[Any], target: Target, login: bool) -> None:
    """A temporary role may look at its own sessions and end them; as postgres it sees what others do."""
    if target.steps_down:
        connection.execute("reset role" if login else "set session role postgres")


def _since(connection: psycopg.Connection[Any], begun: float) -> object:
    """The server's time when the watching began, in seconds, which are written alike in every DateStyle."""
    seconds = time.monotonic() - begun
    row = connection.execute("select extract(epoch from clock_timestamp())::float8 - %s", (seconds,)).fetchone()
    assert row is not None
    return row[0]
