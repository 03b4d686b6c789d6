"""What a target says after something was run on it: asked on a connection of its own, because the run's may be gone.

A server whose client is lost goes on with what it was sent, and may still commit it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from promthctl.database.connection import connect
from promthctl.database.history import read_history
from promthctl.database.sqlstates import cause_of
from promthctl.errors import PromthctlError, TargetError
from promthctl.migration_set import HistoryEntry
from promthctl.redact import redact
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

Found = TypeVar("Found")

_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)  # seconds before each try to connect
_SECONDS = 20.0  # after which no other try is begun
_SETTLE_SECONDS, _ASK_SECONDS = 5.0, 0.1  # for a session that still works
# The CLI's last statement is its entry in the history. A query is cut off at track_activity_query_size.
_WORKING = r"""
select pid from pg_stat_activity
 where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
   and (length(query) > 1 and strpos(%s, rtrim(query, E'; \n\r\t')) > 0
        or query ilike 'insert into supabase_migrations.schema_migrations%%') limit 1"""
# SQLSTATE → the setting whose limit was reached, and what the message says of it.
_LIMITS = {
    "57014": ("statement_timeout", "statement timeout"),
    "25P03": ("idle_in_transaction_session_timeout", ""),
    "25P04": ("transaction_timeout", ""),
}
_READ_ONLY = "25006"


@dataclass(frozen=True)
class Aftermath:
    """history: None where the target could not be asked, and then silence says why. working: the process id of a
    session that still runs a statement of the SQL; None if there is none.
    """

    history: Mapping[str, HistoryEntry] | None
    working: int | None = None
    silence: str = ""


def ask_again(target: Target, sql: str = "", *, patient: bool = False) -> Aftermath:
    """What the target says now; nothing is raised.

    sql: what was run; a session that still works on it is waited for some seconds. patient: try some times to reach a
    target that does not answer.
    """

    def look(connection: psycopg.Connection[Any]) -> Aftermath:
        working = _settled(connection, sql) if sql else None
        return Aftermath(read_history(connection, target), working)  # read last: a session may just have ended

    found, silence = _asked(target, look, _PAUSES if patient else _PAUSES[:1])
    return found or Aftermath(None, None, silence)


def _asked(
    target: Target, look: Callable[[psycopg.Connection[Any]], Found], pauses: Sequence[float]
) -> tuple[Found | None, str]:
    """What `look` finds, on a connection of its own; None, and why, where the target does not answer."""
    import psycopg

    began, silence = time.monotonic(), ""
    for pause in pauses:
        if time.monotonic() - began > _SECONDS:
            break
        time.sleep(pause)
        try:
            with connect(target) as connection:
                return look(connection), ""
        except PromthctlError as error:
            silence = error.why.splitlines()[0]
        except psycopg.Error as error:  # the server answers, and refuses the question
            silence = redact(str(error)).strip().partition("\n")[0]
    return None, silence


def confirm_history(
    target: Target, what: str, there: Sequence[str], gone: Sequence[str] = (), *, by_migrations: bool = True
) -> None:
    """Check after a run that reported success: the history must have some versions, and no longer have others.

    what: e.g. "The push to X". by_migrations: it ran their SQL, which can have undone that.
    Raises TargetError where the target does not answer, PromthctlError for a mismatch.
    """
    after = ask_again(target, patient=True)
    listed = f"promthctl migrations list{command_line_options(target)}"
    if after.history is None:
        why = f"it was reported as done, and {target.label} does not answer now ({after.silence})"
        raise TargetError(f"{what} is not confirmed", why, f"when it answers again: {listed} shows what is applied")
    missing = [version for version in there if version not in after.history]
    left = [version for version in gone if version in after.history]
    if not missing and not left:
        return
    wrong = [*([f"not {', '.join(missing)}"] if missing else []), *([f"still {', '.join(left)}"] if left else [])]
    raise PromthctlError(
        f"{what} was reported as done, and {target.label} does not confirm it",
        f"the history has {', '.join(sorted(after.history)) or 'no version'}: {' and '.join(wrong)}",
        (
            "take out of the migrations before what ends a transaction (in a procedure, say) or writes to"
            " supabase_migrations, and run the same command again"
            if by_migrations
            else "run the same command again"
        )
        + f"; {listed} shows the state of each",
    )


def outcome_of(target: Target, transaction: str) -> str:
    """What became of a transaction whose commit was asked for on a connection that is lost: "committed" or "aborted",
    otherwise why that is not known. transaction: its id, of pg_current_xact_id().
    """
    query = "select coalesce(pg_xact_status(%s::xid8), 'forgotten')"

    def look(connection: psycopg.Connection[Any]) -> str:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            ((status,),) = connection.execute(query, (transaction,)).fetchall()
            if status != "in progress" or time.monotonic() > deadline:
                return {"in progress": "the server still works on it"}.get(status, str(status))
            time.sleep(_ASK_SECONDS)

    found, silence = _asked(target, look, _PAUSES)
    return found or f"{target.label} does not answer now ({silence})"


def advice_for(target: Target, sqlstate: str | None, message: str) -> str:
    """What to do about an error of the server; where a setting of the target caused it, with its name and the command
    that changes it. Empty where that is to correct the SQL, or not known.
    """
    name, said = _LIMITS.get(sqlstate or "", ("", ""))
    if name and said in message:
        return _raise_limit(target, name) or f"raise {name}, then run the same command again"
    if sqlstate == _READ_ONLY:
        return _writable(target) or cause_of(sqlstate).advice
    return cause_of(sqlstate).advice


def _settled(connection: psycopg.Connection[Any], sql: str) -> int | None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (found := connection.execute(_WORKING, (sql,)).fetchone()) is not None and time.monotonic() < deadline:
        time.sleep(_ASK_SECONDS)
    return None if found is None else int(found[0])


def _raise_limit(target: Target, name: str) -> str:
    if (found := _setting(target, name)) is None:
        return ""
    value, source, role, database = found
    if value == "0":
        return f"raise the {name} that the SQL itself sets, then run the same command again"
    where = f"{role} in database {database}" if source == "database user" else role
    return f"alter role {where} set {name} = '1h' (it is {value} now), then run the same command again"


def _writable(target: Target) -> str:
    if (found := _setting(target, "default_transaction_read_only")) is None:
        return ""
    value, source, role, database = found
    if value == "recovery":
        return "it is a standby: use the primary server's address"
    if value == "off":
        return "take out what makes the transaction read-only in the SQL itself, then run the same command again"
    whose = {"user": f"role {role}", "database user": f"role {role} in database {database}"}
    what = whose.get(source, f"database {database}")
    return (
        "it is read-only, as Supabase makes a database whose disk is full: if there is room again,"
        f" begin read write; alter {what} set default_transaction_read_only = off; commit;"
    )


def _setting(target: Target, name: str) -> tuple[str, str, str, str] | None:
    """Its value ("recovery" on a standby), where that comes from, and the names of role and database, quoted."""
    import psycopg

    query = """select case when pg_is_in_recovery() then 'recovery' else current_setting(name) end, source,
                      quote_ident(session_user), quote_ident(current_database()) from pg_settings where name = %s"""
    try:
        with connect(target) as connection:
            found = connection.execute(query, (name,)).fetchone()
    except (PromthctlError, psycopg.Error):
        return None
    return None if found is None else (str(found[0]), str(found[1]), str(found[2]), str(found[3]))
