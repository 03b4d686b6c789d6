"""`promthctl diff`: from what the applied migrations make to what a target has, or back, as SQL that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import TIMEOUT_MAX

from promthctl import database, shadow, supabase_cli
from promthctl.drafting.engine import (
    Draft,
    State,
    backward,
    every_difference,
    forward,
    in_schemas,
    read_state,
    state_of,
)
from promthctl.errors import RefusedError
from promthctl.in_time import started
from promthctl.migration_set import HistoryEntry, Migration, supabase_folder
from promthctl.migration_set.squashed import as_replaced, find_squashes
from promthctl.push.squashes import check_met
from promthctl.schema import Difference
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

_NEXT_TRANSACTION = "\n\n-- What follows uses the values added above: commit before it.\n\n"


@dataclass(frozen=True)
class SchemaDiff:
    """sql: empty where the schemas are equal. left: the differences that it was seen to leave. unmanaged: kinds of
    objects on either side that the engine leaves out. unread: objects that it leaves, known by their names alone.
    pending: file names of migrations that the target does not have, which do not count.
    """

    target: str
    sql: str
    left: tuple[Difference, ...]
    unmanaged: tuple[str, ...]
    unread: tuple[str, ...]
    pending: tuple[str, ...]
    reverse: bool = False

    @property
    def differs(self) -> bool:
        return bool(self.sql or self.left or self.unread)


@dataclass(frozen=True)
class AsFound:
    """A target as it was read, with its default privileges as the shadow takes them."""

    history: dict[str, HistoryEntry]
    state: State
    privileges: tuple[str, ...]

    @property
    def major(self) -> int:
        return self.state.catalog.major


def read_target(target: Target) -> AsFound:
    """Raises TargetError for one out of reach."""
    with database.connect(target) as connection:
        history = database.read_history(connection, target)
        privileges = shadow.default_privileges_of(connection) or ()
        return AsFound(history, state_of(connection, target), privileges)


def applied_and_pending(
    settings: Settings, target: Target, history: dict[str, HistoryEntry]
) -> tuple[list[Migration], list[Migration]]:
    """The migrations that the target has, and those it lacks. Raises RefusedError where they contradict its history."""
    plan = supabase_folder.plan_project_sync(settings, history, history=tuple(history))
    if refusal := plan.refusal:
        raise refusal
    files = supabase_folder.expected_migrations(settings, plan)
    squashes = find_squashes(files, history)
    check_met(target, squashes, f"{target.label} cannot be compared with the migrations")
    history = as_replaced(history, squashes)
    if unknown := sorted(set(history).difference(file.version for file in files)):
        options = command_line_options(target)
        raise RefusedError(
            f"{target.label} cannot be compared with the migrations",
            f"its history has versions that have no file here: {', '.join(unknown)}",
            f"promthctl migrations fetch{options} writes them as they are recorded"
            if all(history[version].statements for version in unknown)
            else f"add their files; promthctl migrations list{options} shows them",
        )
    applied = [file for file in files if file.version in history]
    return applied, [file for file in files if file.version not in history]


def diff(settings: Settings, target: Target, schemas: Sequence[str], reverse: bool, steps: Steps) -> SchemaDiff:
    """What somebody changed in the target by hand; nothing is changed in it.

    schemas: only those; none for all. reverse: the SQL that takes it back.
    Raises RefusedError where the target has migrations that are not here, TargetError for one out of reach,
    PromthctlError for SQL of the engine that does not run, and what the shadow raises.
    """
    with database.connect(target) as connection:
        history = database.read_history(connection, target)
        privileges = shadow.default_privileges_of(connection) or ()
        major = connection.info.server_version // 10000
    applied, pending = applied_and_pending(settings, target, history)
    cli = supabase_cli.find_database_cli(settings, steps)
    with (
        steps.step("Comparing the schemas"),
        shadow.applied_database(settings, applied, major, privileges, steps) as made,
    ):
        # While the CLI reads them, too; nobody waits for these threads when it fails or is interrupted.
        states = [started(partial(read_state, one)) for one in (made.target, target)]
        found = cli.diff(made.target, target, schemas)
        before, there = (wait(TIMEOUT_MAX) for wait in states)
        assert before and there
        differ = [
            one for one in every_difference(there.catalog, before.catalog) if not schemas or in_schemas(one, schemas)
        ]
        draft = Draft("")
        if found.sql.strip() or differ or (not schemas and before.unread != there.unread):
            there_now = forward(made, before, found.sql, there, schemas, lasting=reverse)
            draft = Draft(_NEXT_TRANSACTION.join(there_now.parts).strip(), there_now.left, there_now.unread)
            if reverse:
                back = backward(cli, before, there_now.after[-1], schemas)
                draft = Draft(back.sql, (*back.left, *draft.left), (*back.unread, *draft.unread))
    names = tuple(file.filename for file in pending)
    return SchemaDiff(target.label, draft.sql, draft.left, found.unmanaged, draft.unread, names, reverse)
