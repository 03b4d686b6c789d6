"""A run of the Supabase CLI that names whom it waits for, and is tried again when a lock was not to be had in time.

Neither line of the CLI has an option for that. PGOPTIONS, ?options= and ALTER ROLE … SET lock_timeout were seen to work
in 2.117, 2.122 and 3.1.0 on a direct connection; PgBouncer refuses the first two, and the last one outlives a push.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from promthctl.database.lock_waits import LockWatch, lock_seconds, spoken, watching_locks
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.sql.tokens import scan_sql
from promthctl.steps import Steps, Update
from promthctl.supabase_cli.dialects import Answer
from promthctl.supabase_cli.migration_errors import kept_statements
from promthctl.targets import Target

CLI_NAME = "@effect/sql-pg"  # its application_name, from 2.117 on
_LACKED = "(SQLSTATE 55P03)"  # lock_not_available
_PAUSES = (0.5, 1.0, 2.0)  # before each further try, as a multiple of what one may wait for a lock
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Blocked:
    """A run that did not get a lock. answer: of the last try. stuck: the file being applied then, "" for none.

    why: who holds it, and for how long it was waited for. hint: what to do.
    """

    answer: Answer
    stuck: str
    why: str
    hint: str


def run_patiently(
    run: Callable[[Target, Update], Answer],
    target: Target,
    migrations: Sequence[Migration],
    steps: Steps,
    update: Update,
    blocked: Callable[[Blocked], PromthctlError],
    *,
    restarts: bool = False,
) -> Answer:
    """The answer of the last run.

    run: starts the CLI on a target, and calls what it is given with the name of each file that is being applied.
    blocked: makes the error that is raised when the lock could not be had in any try. restarts: a further try begins
    from its start; else it continues where the one before stopped, and the answer has all files.
    """
    limit = lock_seconds(target)
    own = {file.filename for file in migrations if _sets_lock_timeout(file.sql)}
    applied: tuple[str, ...] = ()
    for pause in (*_PAUSES, None):
        watch, held = LockWatch(limit), target.held()

        def begin(name: str, watch: LockWatch = watch) -> None:
            watch.limit = 0.0 if name in own else limit
            update(name)

        # What a reset drops with is not known: its session is, by its name.
        text, application = ("", CLI_NAME) if restarts else ("\n".join(file.sql for file in migrations), "")
        with watching_locks(held, watch, steps.note, text=text, application=application):
            answer = run(held, begin)
        answer = replace(answer, applying=(*applied, *answer.applying))
        lacked_lock = watch.cancelled or _LACKED in answer.message
        if answer.ok or not lacked_lock or not watch.blockers:
            return answer
        applied = () if restarts else answer.applying[:-1]
        stuck = answer.applying[-1] if answer.applying else ""
        half_done = not restarts and bool(stuck) and kept_statements(stuck, migrations, answer.message) != 0
        if not watch.cancelled or pause is None or half_done:
            tries = f" in each of {len(_PAUSES) + 1} tries" if watch.cancelled and pause is None else ""
            raise blocked(Blocked(answer, stuck, f"{watch.too_long()}{tries}", watch.remedy()))
        seconds = min(pause * limit, _LONGEST_PAUSE)
        who = stuck or "The Supabase CLI"
        steps.note(f"{who} did not get its lock within {spoken(limit)}: next try in {spoken(seconds)}")
        time.sleep(seconds)
    raise AssertionError("the last round returns or raises")


def _sets_lock_timeout(sql: str) -> bool:
    """True for a migration that says itself how long it waits, by SET or set_config: that is left to it."""
    if "lock_timeout" not in sql.lower():
        return False
    texts = (sql[token.start : token.end].lower() for token in scan_sql(sql) if token.kind != "comment")
    return any("lock_timeout" in text for text in texts)
