"""A run of the Supabase CLI that names whom it waits for, and is tried again when a lock was not to be had in time.

Neither line of the CLI has an option for that. PGOPTIONS, ?options= and ALTER ROLE … SET lock_timeout were seen to work
in 2.117, 2.122 and 3.1.0 on a direct connection; PgBouncer refuses the first two, and the last one outlives a push.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from promthctl import database
from promthctl.database.lock_waits import LOCK_SECONDS, LockWatch, watching_locks
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.quantities import duration
from promthctl.sql.tokens import scan_sql
from promthctl.steps import Steps, Update
from promthctl.supabase_cli.dialects import Answer
from promthctl.supabase_cli.migration_errors import kept_statements, what_stays
from promthctl.targets import Target

CLI_NAME = "@effect/sql-pg"  # its application_name, from 2.117 on
_LACKED = "(SQLSTATE 55P03)"  # lock_not_available
_PAUSES = (0.5, 1.0, 2.0)  # before each further try, as a multiple of what one may wait for a lock
_LONGEST_PAUSE = 60.0


def run_patiently(
    run: Callable[[Target, Update], Answer],
    target: Target,
    migrations: Sequence[Migration],
    steps: Steps,
    update: Update,
) -> Answer:
    """The answer of the last run; of its files, also those that earlier ones applied.

    run: starts the CLI on a target, and calls what it is given with the name of each file that is being applied.
    Raises PromthctlError that names the blocker, when the lock could not be had in any try.
    """
    limit = lock_seconds(target)
    own = {file.filename for file in migrations if _sets_lock_timeout(file.sql)}
    applied: tuple[str, ...] = ()
    for pause in (*_PAUSES, None):
        watch, held = LockWatch(limit), target.held()

        def begin(name: str, watch: LockWatch = watch) -> None:
            watch.limit = 0.0 if name in own else limit
            update(name)

        with watching_locks(held, watch, steps.note, text="\n".join(file.sql for file in migrations)):
            answer = run(held, begin)
        answer = replace(answer, applying=(*applied, *answer.applying))
        lacked_lock = watch.cancelled or _LACKED in answer.message
        if answer.ok or not lacked_lock or not watch.blockers:
            return answer
        applied = answer.applying[:-1]
        stuck = answer.applying[-1] if answer.applying else "The history"
        if not watch.cancelled:
            raise _blocked(target, stuck, watch, migrations, answer.message, "for longer than its own lock_timeout")
        if pause is None or kept_statements(stuck, migrations, answer.message):
            tried = f"for longer than {spoken(limit)}" + ("" if pause else f" in each of {len(_PAUSES) + 1} tries")
            raise _blocked(target, stuck, watch, migrations, answer.message, tried)
        seconds = min(pause * limit, _LONGEST_PAUSE)
        steps.note(f"{stuck} did not get its lock within {spoken(limit)}: next try in {spoken(seconds)}")
        time.sleep(seconds)
    raise AssertionError("the last round returns or raises")


def lock_seconds(target: Target) -> float:
    """How long one wait for a lock may take, in seconds; 0 for as long as it takes."""
    if target.lock_seconds is not None:
        return target.lock_seconds
    return 0.0 if target.local else LOCK_SECONDS


def spoken(seconds: float) -> str:
    return duration(int(seconds)) if seconds == int(seconds) else f"{seconds:g} s"


def _sets_lock_timeout(sql: str) -> bool:
    """True for a migration that says itself how long it waits, by SET or set_config: that is left to it."""
    if "lock_timeout" not in sql.lower():
        return False
    texts = (sql[token.start : token.end].lower() for token in scan_sql(sql) if token.kind != "comment")
    return any("lock_timeout" in text for text in texts)


def _blocked(
    target: Target, stuck: str, watch: LockWatch, migrations: Sequence[Migration], message: str, tried: str
) -> PromthctlError:
    """stuck: the file that could not have its lock; what became of it is asked. tried: for how long."""
    history = database.fetch_history(target)
    here = {file.version for file in migrations}.intersection(history)
    state = f"{len(here)} of {len(migrations)} are applied"
    if stuck.partition("_")[0] not in history:
        state = f"{what_stays(stuck, migrations, message)}, {state}"
    return PromthctlError(
        f"{stuck} could not be applied to {target.label}",
        f"{watch.waited_for()}, {tried}",
        f"{watch.remedy()}; then run the same command again, or with a longer --lock-timeout; {state}",
    )
