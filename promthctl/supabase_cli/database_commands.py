"""The Supabase CLI's commands on a database: db push, db reset, migration repair, db advisors.

A hosted project is named by the URL of its pooler, as any database is: that works the same in v2, in v3 and in
psycopg. The password is handed over as PGPASSWORD. Each runs in a folder of its own, see work_folder.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from promthctl import database
from promthctl.database.connection_errors import unreachable
from promthctl.database.lock_waits import LockWatch, lock_seconds, watching_locks
from promthctl.database.sqlstates import cause_of, is_lost
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError
from promthctl.migration_set import Migration
from promthctl.process import write_private
from promthctl.quantities import part_of
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.steps import Steps, Update, reaching
from promthctl.supabase_cli import failures, migration_errors
from promthctl.supabase_cli.choosing import fingerprint
from promthctl.supabase_cli.dialects import Answer, file_being_applied
from promthctl.supabase_cli.migration_errors import FailedRun
from promthctl.supabase_cli.patience import Blocked, run_patiently
from promthctl.supabase_cli.runner import Runner, find_runner
from promthctl.supabase_cli.temporary_roles import without_temporary_roles
from promthctl.supabase_cli.work_folder import work_folder
from promthctl.targets import Target, command_line_options

_UNREACHABLE = "failed to connect to postgres: "
_BROKEN = re.compile(  # in the words of both lines of the CLI, where no server has said anything
    r"connection (error|terminated|reset|refused|closed)|conn closed|unexpected EOF|broken pipe|timed? ?out", re.I
)
_OWN_ROLE = "role `promthctl_"  # those that the embedded engine alone has
# Before the first file, of the history that it makes first: something undid that, such as the end of its session.
_UNDONE = re.compile(r'(schema "supabase_migrations"|relation "supabase_migrations\.\w+") does not exist')
_ADVICE = "(\nwith foreign_keys as ("  # how the advisors' query begins, in both lines of the CLI
_UNMANAGED = re.compile(r"does not manage these PostgreSQL object kinds: (.+?)\. Changes")
_NEEDS = re.compile(r"needs `?([\w-]+)`?, which was not found on PATH")
LANGUAGES = {  # of `gen types`, and where the program comes from that it runs for some
    "typescript": "",
    "python": "",
    "go": "",
    "swift": "https://github.com/supabase/supabase-swift/releases",
    "dart": "https://dart.dev/get-dart",
}
_ALWAYS_UNMANAGED = ("parameter ACL",)  # of the server, and on every Supabase


@dataclass(frozen=True)
class SchemaSql:
    """sql: what leads from one schema to the other. unmanaged: kinds of objects there that the engine leaves out."""

    sql: str
    unmanaged: tuple[str, ...]


def find_database_cli(settings: Settings, steps: Steps) -> DatabaseCli:
    """The CLI that the settings choose. Raises what choosing.choose raises."""
    return DatabaseCli(find_runner(settings, steps))


@dataclass(frozen=True)
class DatabaseCli:
    """The commands that read or change one database."""

    runner: Runner

    @property
    def identity(self) -> str:
        """Another text for another CLI."""
        return repr(fingerprint(self.runner.binary))

    def push(self, target: Target, migrations: Sequence[Migration], steps: Steps, include_all: bool = False) -> None:
        """`supabase db push`: apply what is pending; then the target's history has all of them.

        migrations: all of the project, with the paths to name in errors (their source). include_all: also what is older
        than the newest applied one.
        Raises PromthctlError naming file, line and statement when a migration fails, TargetError where its end was not
        seen; either says what the target has then. PromthctlError also where the history does not confirm the CLI.
        """
        what = f"The push to {target.label}"
        names = [file.filename for file in migrations]
        with steps.progress("Applying migrations", len(names), tenths=False) as advance:
            update = reaching(names, advance)
            arguments = ["db", "push", *(["--include-all"] if include_all else [])]
            answer = run_patiently(
                lambda held, begin: self._run(held, arguments, migrations, begin),
                target, migrations, steps, update, lambda blocked: _push_blocked(target, migrations, blocked),
            )  # fmt: skip
        if not answer.ok:
            raise self._failure(target, answer, f"{what} failed", migrations)
        database.confirm_history(target, what, [file.version for file in migrations])

    def reset(self, target: Target, migrations: Sequence[Migration], steps: Steps) -> None:
        """`supabase db reset`: drop what the migrations made, replay them all. Raises as push does."""
        what = f"The reset of {target.label}"
        names = [file.filename for file in migrations]
        with steps.progress("Resetting the database", len(names), tenths=False) as advance:
            update = reaching(names, advance)
            answer = run_patiently(
                lambda held, begin: self._run(held, ["db", "reset", "--no-seed"], migrations, begin),
                target, migrations, steps, update, lambda blocked: _reset_blocked(target, migrations, blocked),
                restarts=True,
            )  # fmt: skip
        if not answer.ok:
            raise self._failure(target, answer, f"{what} failed", migrations)
        database.confirm_history(target, what, [file.version for file in migrations])

    def repair(
        self,
        target: Target,
        versions: Sequence[str],
        status: Literal["applied", "reverted"],
        steps: Steps,
        migrations: Sequence[Migration] = (),
    ) -> None:
        """`supabase migration repair`: put versions into the history, or take them out of it. Runs no migration.

        migrations: with those of the versions to be put in, whose statements go into the history.
        Raises PromthctlError, also where the history is not as it should be then.
        """
        arguments = ["migration", "repair", *versions, "--status", status]
        answer = run_patiently(
            lambda held, _: self._run(held, arguments, migrations),
            target, (), steps, lambda _: None, lambda blocked: _repair_blocked(target, versions, status, blocked),
        )  # fmt: skip
        if not answer.ok:
            raise self._failure(target, answer, f"The history of {target.label} could not be changed")
        what, applied = f"The change of the history of {target.label}", status == "applied"
        database.confirm_history(
            target, what, versions if applied else (), () if applied else versions, by_migrations=False
        )

    def advisors(self, target: Target) -> tuple[str, ...]:
        """`supabase db advisors`: what it warns of, one line each. Raises PromthctlError when it cannot run, also for
        want of a lock.
        """
        held, watch = target.held(), LockWatch(lock_seconds(target))
        with watching_locks(held, watch, lambda _: None, begins=_ADVICE):
            answer = self._run(held, ["db", "advisors", "--level", "warn"])
        if not answer.ok and watch.cancelled:
            answer = replace(answer, message=watch.too_long())
        found = answer.value.get("results") if isinstance(answer.value, dict) else None
        if not isinstance(found, list):
            raise self._failure(target, answer, f"The advisors could not read {target.label}")
        lines = (f"{one.get('title', one.get('name'))}: {one.get('detail', '')}" for one in found)
        return tuple(redact(line) for line in lines if not (target.local and _OWN_ROLE in line))

    def diff(self, start: Target, end: Target, schemas: Sequence[str] = ()) -> SchemaSql:
        """`supabase db diff --from --to` with pg-delta, which needs no Docker; neither database is changed.

        schemas: only those; none for all. Roles that a hosted project has for signing in are not in it.
        Raises PromthctlError when it cannot run.
        """
        start, end = start.held(), end.held()
        named = [f"--from={_with_mode(start)}", f"--to={_with_mode(end)}"]
        only = [f"--schema={','.join(schemas)}"] if schemas else []
        key_password = start.key_password or end.key_password
        environment = {"PGSSLPASSWORD": key_password} if key_password else {}
        with work_folder(self.runner.settings, ()) as folder:
            passwords = folder / "pgpass"  # one of its own for each database, so PGPASSWORD will not do
            known = [_passfile_line(each) for each in (start, end) if each.password]
            write_private(passwords, "\n".join([*known, _own_passfile()]))
            environment["PGPASSFILE"] = str(passwords)
            answer = self.runner.run(["db", "diff", *named, *only, "--use-pg-delta"], environment, folder=folder)
        sql = answer.value.get("diff") if isinstance(answer.value, dict) else None
        if not answer.ok or not isinstance(sql, str):
            raise self._failure(end, answer, f"The schema of {end.label} could not be compared")
        found = _UNMANAGED.search(answer.stderr)
        kinds = found[1].split(", ") if found else []
        return SchemaSql(without_temporary_roles(sql), tuple(kind for kind in kinds if kind not in _ALWAYS_UNMANAGED))

    def types(self, target: Target, language: str, schemas: Sequence[str]) -> str:
        """`supabase gen types`, which needs no Docker with a database's URL: the code it prints.

        language: one of LANGUAGES. schemas: none for what the CLI takes by default.
        Raises PrerequisiteError where it needs another program for the language, PromthctlError when it cannot run.
        """
        what = f"The types of {target.label} could not be made"
        only = [f"--schema={','.join(schemas)}"] if schemas else []
        answer = self._run(target.held(), ["gen", "types", f"--lang={language}", *only])
        needs = _NEEDS.search(answer.message)
        if not answer.ok and needs is not None:
            raise PrerequisiteError(
                what,
                f"for {language} the Supabase CLI runs {needs[1]}, which is not on PATH",
                f"install it ({LANGUAGES[language]}) and run the same command again",
            )
        if not answer.ok or not answer.printed.strip():
            raise self._failure(target, answer, what)
        return answer.printed

    def _run(
        self,
        target: Target,
        arguments: Sequence[str],
        migrations: Sequence[Migration] = (),
        update: Update | None = None,
    ) -> Answer:
        def relay(line: str) -> None:
            if update is not None and (name := file_being_applied(line)):
                update(name)

        named = f"{self.runner.dialect.database_option}={target.url}"
        environment = {**target.environment(), **self._without_tls(target)}
        with work_folder(self.runner.settings, migrations) as folder:
            return self.runner.run([*arguments, named], environment, folder=folder, on_line=relay)

    def _without_tls(self, target: Target) -> dict[str, str]:
        """What makes the CLI do without TLS where psycopg would, and on the local stack, which has none."""
        dialect = self.runner.dialect
        if target.local or (not dialect.falls_back_to_plain and not database.encrypted(target)):
            return {"PGSSLMODE": "disable"}
        return {}

    def _failure(
        self, target: Target, answer: Answer, what: str, migrations: Sequence[Migration] = ()
    ) -> PromthctlError:
        message, state = answer.message, migration_errors.sqlstate(answer.message)
        settings = self.runner.settings
        if failures.is_unknown_option(answer):
            return failures.cli_error(what, answer, "")
        if answer.applying:
            sql = "\n".join(file.sql for file in migrations if file.filename == answer.applying[-1])
            after = database.ask_again(target, sql, patient=is_lost(state))
            run = FailedRun(settings, target, answer.applying[-1], migrations, message, after)
            return migration_errors.migration_error(run)
        if message.startswith(_UNREACHABLE):
            return unreachable(target, message.removeprefix(_UNREACHABLE))
        listed = f"promthctl migrations list{command_line_options(target)} shows what is applied"
        advice = database.advice_for(target, state, message)
        undone = _UNDONE.search(message) is not None
        if undone:
            why = "the history that the Supabase CLI makes first was gone when it went on, as when its session is ended"
            message = f"{why}\n{message}"
            answer = replace(answer, message=message)
        by_target = undone or cause_of(state).by_target or (state is None and _BROKEN.search(message) is not None)
        if undone:
            advice = "run the same command again"
        elif by_target and not advice:
            advice = "check the network, then run the same command again"
        hint = migration_errors.hint(settings, target, message, f"{advice}; {listed}" if advice else listed)
        return failures.cli_error(what, answer, hint, TargetError if by_target else PromthctlError)


def _push_blocked(target: Target, migrations: Sequence[Migration], blocked: Blocked) -> PromthctlError:
    """What became of the file that could not have its lock is asked."""
    history = database.fetch_history(target)
    here = {file.version for file in migrations}.intersection(history)
    state, stuck = part_of(len(here), len(migrations), "applied"), blocked.stuck
    if stuck and stuck.partition("_")[0] not in history:
        state = f"{migration_errors.what_stays(stuck, migrations, blocked.answer.message)}, {state}"
    what = f"{stuck or 'The history'} could not be applied to {target.label}"
    return PromthctlError(what, blocked.why, f"{blocked.hint}; {state}")


def _reset_blocked(target: Target, migrations: Sequence[Migration], blocked: Blocked) -> PromthctlError:
    """The CLI empties the history in the transaction that drops everything."""
    history, stuck = database.fetch_history(target), blocked.stuck
    state = part_of(len(history), len(migrations), "applied")
    if not stuck and history:
        state = f"nothing was dropped, {state}"
    elif stuck:
        kept = migration_errors.what_stays(stuck, migrations, blocked.answer.message)
        state = f"what was there is gone; {kept}, {state}"
    return PromthctlError(f"The reset of {target.label} failed", blocked.why, f"{blocked.hint}; {state}")


def _repair_blocked(
    target: Target, versions: Sequence[str], status: Literal["applied", "reverted"], blocked: Blocked
) -> PromthctlError:
    here = set(versions).intersection(database.fetch_history(target))
    changed = here if status == "applied" else set(versions) - here
    state = f"of {', '.join(sorted(changed))} it was" if changed else "nothing of it was"
    what = f"The history of {target.label} could not be changed"
    return PromthctlError(what, blocked.why, f"{blocked.hint}; {state} changed")


def _with_mode(target: Target) -> str:
    """Its URL with its SSL mode: each of two databases has its own. Local ones speak no TLS."""
    mode = "disable" if target.local else target.sslmode
    if not mode:
        return target.url
    parts = urlsplit(target.url)
    kept = [part for part in parts.query.split("&") if part and not part.startswith("sslmode=")]
    return urlunsplit(parts._replace(query="&".join([*kept, f"sslmode={mode}"])))


def _own_passfile() -> str:
    """The user's own file of passwords, as far as libpq reads it; "" for none."""
    path = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
    try:
        return "" if path.stat().st_mode & 0o077 else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _passfile_line(target: Target) -> str:
    """Its line of a PGPASSFILE: https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    parts = urlsplit(target.url)
    values = (parts.hostname or "", str(parts.port or 5432), "*", unquote(parts.username or ""), target.password or "")
    return ":".join(value.replace("\\", "\\\\").replace(":", "\\:") for value in values)
