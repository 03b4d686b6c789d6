"""`promthctl diff`: from what the applied migrations make to what a target has, or back, as SQL that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promthctl import database, shadow, supabase_cli
from promthctl.drafting.engine import Draft, in_schemas, prove
from promthctl.errors import RefusedError
from promthctl.migration_set import supabase_folder
from promthctl.schema import Difference, compare, snapshot
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options


@dataclass(frozen=True)
class SchemaDiff:
    """sql: empty where the schemas are equal. left: the differences that it was seen to leave. unmanaged: kinds of
    objects on either side that the engine leaves out, and nobody compared. pending: file names of migrations that the
    target does not have, which do not count.
    """

    target: str
    sql: str
    left: tuple[Difference, ...]
    unmanaged: tuple[str, ...]
    pending: tuple[str, ...]
    reverse: bool = False

    @property
    def differs(self) -> bool:
        return bool(self.sql or self.left)


def diff(settings: Settings, target: Target, schemas: Sequence[str], reverse: bool, steps: Steps) -> SchemaDiff:
    """What somebody changed in the target by hand; nothing is changed in it.

    schemas: only those; none for all. reverse: the SQL that takes it back.
    Raises RefusedError where the target has migrations that are not here, TargetError for one out of reach,
    PromthctlError for SQL of the engine that does not run, and what the shadow raises.
    """
    history = database.fetch_history(target)
    plan = supabase_folder.plan_project_sync(settings, history, history=tuple(history))
    if refusal := plan.refusal:
        raise refusal
    files = supabase_folder.expected_migrations(settings, plan)
    if unknown := sorted(set(history).difference(file.version for file in files)):
        raise RefusedError(
            f"{target.label} cannot be compared with the migrations",
            f"its history has versions that have no file here: {', '.join(unknown)}",
            f"add their files; promthctl migrations list{command_line_options(target)} shows them",
        )
    applied = [file for file in files if file.version in history]
    pending = tuple(file.filename for file in files if file.version not in history)
    with database.connect(target) as connection:
        privileges = shadow.default_privileges_of(connection) or ()
        major = connection.info.server_version // 10000
        there = snapshot(connection)
    with steps.step("Comparing the schemas"), shadow.trial_database(settings, major, privileges) as made:
        made.apply(applied)
        found = supabase_cli.find_database_cli(settings, steps).diff(made.target, target, schemas)
        back = supabase_cli.find_database_cli(settings, steps).diff(target, made.target, schemas) if reverse else None
        with database.connect(made.target) as connection, connection.transaction(force_rollback=True):
            before = snapshot(connection)
            there_counts = [one for one in compare(there, before) if not schemas or in_schemas(one, schemas)]
            forward = (
                prove(connection, found.sql, there, schemas) if found.sql.strip() or there_counts else Draft("", ())
            )
            if back is not None and (back.sql.strip() or forward.sql):
                # Taken back from the copy of the target's schema that the SQL has just made here.
                made_back = prove(connection, back.sql, before, schemas)
                forward = Draft(made_back.sql, (*made_back.left, *forward.left))
    return SchemaDiff(target.label, forward.sql, forward.left, found.unmanaged, pending, reverse)
