"""`promthctl pull`: what was changed in a target by hand becomes the next migration, proven, and recorded there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from promthctl import database, shadow, supabase_cli
from promthctl.database.history import read_history
from promthctl.drafting.differences import AsFound, applied_and_pending, read_target
from promthctl.drafting.engine import Forward, State, every_difference, forward, read_state, reordered, run
from promthctl.drafting.undoing import undoing
from promthctl.drafting.unread import differing_names, unread_objects
from promthctl.errors import PromthctlError, RefusedError, UsageError
from promthctl.locks import alone
from promthctl.migration_files import changes
from promthctl.migration_set import Migration, is_as_applied, supabase_folder
from promthctl.migration_set.creating import file_slug, next_version
from promthctl.migration_set.folder import down_path
from promthctl.migration_set.source import find_source, without_default_example
from promthctl.schema import Difference, snapshot
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.supabase_cli import DatabaseCli
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

_WHAT = "Nothing was pulled"
_ROWS = ("storage.buckets", "cron.job", "vault.secrets")  # what a Supabase keeps in rows and people take for schema
_PLACEHOLDER = re.compile(r"'(__[A-Z_]+__)'")


@dataclass(frozen=True)
class Pull:
    """What was written and recorded, or would be.

    written: the files, relative to the project, each migration with its down script; none where nothing differs.
    versions: of the migrations, in the target's history once `done`. left: why nothing is written: differences that the
    SQL was seen to leave. unread: objects without SQL, which the migration names in a comment. unmanaged: kinds of
    objects there that are known by name alone. rows: tables whose rows are not taken. reordered: tables
    whose columns come in another order. placeholders: what the engine wrote in place of secrets, in user mappings, say.
    """

    target: str
    written: tuple[str, ...]
    versions: tuple[str, ...]
    left: tuple[Difference, ...] = ()
    unread: tuple[str, ...] = ()
    unmanaged: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    reordered: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    done: bool = False
    migrations: tuple[Migration, ...] = field(default=(), repr=False)
    changes: changes.FileChanges = field(default_factory=changes.FileChanges, repr=False)
    found: AsFound | None = field(default=None, repr=False)

    @property
    def refused(self) -> bool:
        return bool(self.left)


def own_settings(settings: Settings, what: str, command: str) -> Settings:
    """The settings with a folder of the project's own: in an empty one supabase/migrations, not the example.

    what: was not done; command: to run elsewhere. Raises UsageError where the migrations are the example.
    """
    own = without_default_example(settings)
    if find_source(own).example:
        why = "the migrations here are those that come with promthctl"
        hint = f"promthctl -C DIR {command}, where DIR is empty or the folder of the project"
        raise UsageError(what, why, hint)
    return own


def plan_pull(settings: Settings, target: Target, name: str, steps: Steps) -> Pull:
    """Draft the migration and its down script, and prove both; nothing is changed.

    settings: of own_settings. name: what the migration does. Raises RefusedError where the target and the files
    disagree, UsageError for a name without a letter, PromthctlError for SQL of the engine that does not run, and what
    the shadow raises.
    """
    slug = file_slug(name)
    there = read_target(target)
    applied, pending = applied_and_pending(settings, target, there.history)
    if pending:
        raise _pending(target, pending)
    # The first migration of all has to say itself what new tables are open to; later ones are as their project is.
    privileges = there.privileges if applied else None
    rows = () if applied else _rows_of(target)
    return replace(draft(settings, slug, applied, there, target, privileges, steps), rows=rows)


def draft(
    settings: Settings,
    slug: str,
    applied: Sequence[Migration],
    there: AsFound,
    target: Target,
    privileges: Sequence[str] | None,
    steps: Steps,
) -> Pull:
    """The files of a migration from what `applied` make to the target as it was read, proven; nothing is written.

    privileges: the default ones of a database where it applies; None: those of the project.
    """
    cli = supabase_cli.find_database_cli(settings, steps)
    shown = f"promthctl diff{command_line_options(target)} prints the SQL"
    by_hand = f"{shown}; promthctl migrations new NAME creates the files to write it into"
    with (
        steps.step("Drafting the migration and its down script"),
        shadow.trial_database(settings, there.major, privileges) as made,
    ):
        made.apply(applied)
        before = read_state(made.target)
        found = cli.diff(made.target, target)
        result = Pull(target.label, (), (), unmanaged=found.unmanaged)
        differ = every_difference(there.state.catalog, before.catalog)
        if not found.sql.strip() and not differ and before.unread == there.state.unread:
            return result
        drafted = forward(made, before, found.sql, there.state)
        result = replace(result, unread=drafted.unread)
        if drafted.left or not any(drafted.parts):
            return replace(result, left=drafted.left)
        files = _files(settings, slug, applied, there, drafted)
        downs = _downs(cli, before, drafted, files, by_hand)
    with steps.step("Trying both with the Supabase CLI"):
        moved = _prove(settings, [*applied, *files], downs, before, there, privileges, drafted.unread, by_hand)
    paths = {file.path: file.content for file in files}
    paths |= {down_path(file, settings.migrations_dir): sql.encode() for file, sql in zip(files, downs, strict=True)}
    todo = changes.FileChanges(paths)
    changes.check_not_overwritten(todo, _WHAT, list(paths))
    return replace(
        result,
        written=tuple(os.path.relpath(path, settings.project_dir) for path in paths),
        versions=tuple(file.version for file in files),
        reordered=moved,
        placeholders=tuple(sorted(set(_PLACEHOLDER.findall(found.sql)))),
        migrations=tuple(files),
        changes=todo,
        found=there,
    )


def pull(settings: Settings, target: Target, plan: Pull, steps: Steps) -> Pull:
    """Carry out a plan: write the files, then have the Supabase CLI record them, and read the history back.

    Raises RefusedError where the target has changed since; whatever fails after the files are written says so.
    """
    if plan.found is None:
        return plan
    adopt = f"promthctl migrations adopt{command_line_options(target)}"
    with alone(settings, steps), database.exclusive(target, steps):
        _expect_unchanged(target, plan.found)
        changes.check_not_overwritten(plan.changes, _WHAT, list(plan.changes.writes))
        if not plan.found.history:
            supabase_folder.ensure_config(settings)
        changes.carry_out_alone(settings, plan.changes)
        try:
            supabase_folder.sync_project(settings, plan.found.history, steps.note, history=tuple(plan.found.history))
            with steps.step("Recording migrations"):
                files = supabase_folder.expected_migrations(settings)
                cli = supabase_cli.find_database_cli(settings, steps)
                cli.repair(target, plan.versions, "applied", steps, files)
            _confirm(target, plan)
        except PromthctlError as error:
            error.what = f"{', '.join(plan.written)} are written, and were not seen to be recorded ({error.what})"
            error.hint = f"{error.hint}; then {adopt} records what is not recorded yet"
            raise
    return replace(plan, done=True)


def _pending(target: Target, pending: Sequence[Migration]) -> RefusedError:
    options = command_line_options(target)
    names = ", ".join(file.filename for file in pending)
    return RefusedError(
        f"{_WHAT} from {target.label}",
        f"{names} {'is' if len(pending) == 1 else 'are'} not applied there, and what is pulled would come after that",
        f"promthctl migrations adopt{options} records what is there; promthctl push{options} applies the rest",
    )


def _files(
    settings: Settings, slug: str, applied: Sequence[Migration], there: AsFound, drafted: Forward
) -> list[Migration]:
    """One migration for each part."""
    folder, taken = find_source(settings).folder, {*there.history, *(file.version for file in applied)}
    files = []
    for number, part in enumerate(drafted.parts, start=1):
        version = next_version(folder, taken, datetime.now(UTC))
        taken.add(version)
        name = slug if len(drafted.parts) == 1 else f"{slug}_{number}"
        head = "".join(f"-- Not here, for no SQL is known for it: {one}\n" for one in drafted.unread)
        content = f"{head}{part}\n" if number == 1 else f"{part}\n"
        files.append(Migration(version, name, folder / f"{version}_{name}.sql", content.encode()))
    return files


def _downs(cli: DatabaseCli, before: State, drafted: Forward, files: Sequence[Migration], by_hand: str) -> list[str]:
    """The down script of each. Raises PromthctlError, with that hint, where one could not be drafted."""
    downs, previous = [], before
    for file, after in zip(files, drafted.after, strict=True):
        found = undoing(cli, file, previous, after)
        if not found.sql:
            left = ", ".join((*(f"{one.kind} {one.name}" for one in found.left), *found.unread))
            raise PromthctlError(
                f"{_WHAT}: no down script could be drafted",
                f"{found.why}{f': {left}' if left else ''}",
                by_hand,
            )
        downs.append(found.sql)
        previous = read_state(after)
    return downs


def _prove(
    settings: Settings,
    files: Sequence[Migration],
    downs: Sequence[str],
    before: State,
    there: AsFound,
    privileges: Sequence[str] | None,
    unread: Sequence[str],
    by_hand: str,
) -> tuple[str, ...]:
    """Have the Supabase CLI apply all files to a fresh database, and undo the new ones as rollback does.

    Returns the tables whose columns come in another order than the target's. Raises PromthctlError, with that hint,
    where the schema is not the target's then, or not the one before.
    """
    with shadow.trial_database(settings, there.major, privileges) as made:
        made.apply(files)
        after = read_state(made.target)
        _expect_equal("the schema after the migration is not the target's", there.state, after, by_hand, unread)
        with database.connect(made.target) as connection, connection.transaction(force_rollback=True):
            for sql in reversed(downs):
                run(connection, sql)
            now = State(made.target, snapshot(connection), unread_objects(connection))
        _expect_equal("the schema after the down script is not the one before", before, now, by_hand)
    return reordered(there.state.catalog, after.catalog)


def _expect_equal(why: str, wanted: State, now: State, hint: str, unread: Sequence[str] = ()) -> None:
    differences = [f"{one.kind} {one.name}" for one in every_difference(wanted.catalog, now.catalog)]
    differences += [name for name in differing_names(wanted.unread, now.unread) if name not in unread]
    if differences:
        raise PromthctlError(_WHAT, f"{why}: {', '.join(differences)}", hint)


def _expect_unchanged(target: Target, found: AsFound) -> None:
    now = read_target(target)
    if (
        now.history != found.history
        or now.state.catalog != found.state.catalog
        or now.state.unread != found.state.unread
    ):
        why = "somebody changed it while the migration was drafted; no file was written"
        raise RefusedError(f"{_WHAT} from {target.label}", why, "run the same command again")


def _confirm(target: Target, plan: Pull) -> None:
    """The history must have what the files say, statement by statement."""
    with database.connect(target) as connection:
        history = read_history(connection, target)
    for file in plan.migrations:
        entry = history.get(file.version)
        if entry is None or not is_as_applied(file.sql, entry.statements):
            raise PromthctlError(
                f"The history of {target.label} does not have {file.filename} as it is",
                "it was reported as recorded, and reads otherwise",
                f"promthctl push{command_line_options(target)} --dry-run says what settles it",
            )


def _rows_of(target: Target) -> tuple[str, ...]:
    """Those of _ROWS that have any; what cannot be read counts as having none."""
    with database.connect(target) as connection:
        return tuple(name for name in _ROWS if _has_rows(connection, name))


def _has_rows(connection: psycopg.Connection[Any], name: str) -> bool:
    import psycopg
    from psycopg import sql

    query = sql.SQL("select exists (select from {})").format(sql.Identifier(*name.split(".")))
    try:
        ((found,),) = connection.execute(query).fetchall()
        return bool(found)
    except psycopg.Error:
        if connection.broken:
            raise
        return False
