"""One transaction that changes a target: all of it or nothing, waiting for locks, but not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.database.connection_errors import unreachable
from promthctl.database.lock_waits import LockWatch, lock_seconds, watching_locks
from promthctl.database.sqlstates import cause_of, is_lost
from promthctl.errors import PromthctlError, TargetError
from promthctl.locks import alone
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

# A rollback may take long, whatever the role's own limits say; transaction_timeout came with PostgreSQL 17.
_UNLIMITED = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
_DEPENDENTS = "2BP01"  # dependent_objects_still_exist: its detail names objects, others' details may show values


@contextmanager
def undisturbed(settings: Settings, target: Target, steps: Steps) -> Iterator[None]:
    """No other promthctl changes the target meanwhile, nor starts or stops the local stack."""
    with alone(settings, steps) if target.local else nullcontext(), database.exclusive(target, steps):
        yield


@dataclass(frozen=True)
class ChangeTransaction:
    """A transaction in progress. role: the one that the connection acts as, "none" for the user that opened it.

    lock_seconds: how long it waits for one lock, 0 for as long as it takes. watch: who kept it waiting.
    """

    connection: psycopg.Connection[Any]
    role: str
    lock_seconds: float
    watch: LockWatch

    def settle(self) -> None:
        """Reset what a script set for its session, and set our own limits for the rest of the transaction."""
        self.connection.execute("reset session authorization; reset all")
        self.connection.execute(
            "select set_config(name, case name when 'lock_timeout' then %s when 'client_encoding' then 'UTF8'"
            " else '0' end, true) from pg_settings where name = any (%s)",
            (f"{self.lock_seconds * 1000:.0f}ms", ["lock_timeout", "client_encoding", *_UNLIMITED]),
        )
        self.connection.execute("select set_config('role', %s, true)", (self.role,))


@contextmanager
def changing(target: Target, what: str, steps: Steps, *, keep: bool) -> Iterator[ChangeTransaction]:
    """A transaction that is committed at the end if `keep`, otherwise rolled back.

    what: the sentence of the error, e.g. "The rollback of X failed". steps: are told whom it waits for. Raises
    PromthctlError for whatever the database refuses, TargetError when the connection is lost and the commit did not
    reach the server.
    """
    import psycopg

    transaction = ""  # its id, once its commit was asked for
    watch = LockWatch()  # the server itself ends what waits too long
    with database.connect(target) as connection:
        connection.isolation_level = (
            psycopg.IsolationLevel.READ_COMMITTED
        )  # each statement sees what is committed by then
        try:
            ((role, pid),) = connection.execute("select current_setting('role'), pg_backend_pid()").fetchall()
            with (
                watching_locks(target, watch, steps.note, pid=int(str(pid)), at_once=True),
                connection.transaction(force_rollback=not keep),
            ):
                change = ChangeTransaction(connection, str(role), lock_seconds(target), watch)
                change.settle()
                yield change
                if keep:
                    transaction = _id_of(connection)
        except psycopg.Error as error:
            if not connection.broken:
                raise database_failure(what, error, "nothing was changed", watch=watch) from None
            outcome = database.outcome_of(target, transaction) if transaction else "aborted"
            if outcome == "committed":  # all of it is done, only the answer was lost
                return
            why = f"the connection was lost: {spoken_message(error)}"
            if outcome == "aborted":
                raise TargetError(what, why, "check the network, then run it again; nothing was changed") from None
            listed = f"promthctl migrations list{command_line_options(target)}"
            raise TargetError(
                what,
                f"{why}; whether it was done is not known: {outcome}",
                f"when it answers again: {listed} shows what is applied; then run it again",
            ) from None


def _id_of(connection: psycopg.Connection[Any]) -> str:
    """The id of the transaction, by which the server is asked what became of it."""
    ((number,),) = connection.execute("select pg_current_xact_id()::text").fetchall()
    return str(number)


def database_failure(
    what: str, error: psycopg.Error, state: str, place: str = "", watch: LockWatch | None = None
) -> PromthctlError:
    """A database error, with what to do about it.

    state: what became of the changes. place: file and line. watch: who kept the transaction waiting.
    """
    code, reason = error.sqlstate or "", spoken_message(error)
    cause = cause_of(code)
    advice = cause.advice or "correct that and run the same command again"
    if cause.fault == "contention" and watch is not None and watch.blockers:
        reason = watch.too_long() if watch.cancelled else f"{reason}: {watch.waited_for()}"
        advice = watch.remedy() if watch.cancelled else f"{watch.remedy()}, or with a longer --lock-timeout"
    kind = TargetError if cause.by_target else PromthctlError
    return kind(what, f"{place}{reason}", f"{advice}; {state}")


def reading_failure(
    target: Target, what: str, error: psycopg.Error, state: str, watch: LockWatch | None = None
) -> PromthctlError:
    """Why a database could not be read: the session was lost, or it was refused; the rest as for database_failure."""
    import psycopg

    if isinstance(error, psycopg.OperationalError) and is_lost(error.sqlstate):
        return unreachable(target, str(error))
    return database_failure(what, error, state, watch=watch)


def spoken_message(error: psycopg.Error) -> str:
    """The message of a database error, with its detail where that names objects."""
    reason = error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
    if error.sqlstate == _DEPENDENTS and error.diag.message_detail:
        reason = f"{reason}\n{error.diag.message_detail}"
    return reason
