"""promthctl rollback: undo migrations, or restore the rows that a rollback removed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from promthctl.backups import Conflicts
from promthctl.cli import completion
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun, LockTimeout, lock_seconds, with_target
from promthctl.errors import UsageError
from promthctl.resolve.choice import TargetChoice

if TYPE_CHECKING:
    from promthctl.backups import folder
    from promthctl.targets import Target

app = typer.Typer(add_completion=False)


@app.command("rollback")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            autocompletion=completion.versions,
            help="The newest version to keep; 0 undoes all.",
        ),
    ] = None,
    restore: Annotated[
        str | None,
        typer.Option(
            "--restore",
            metavar="BACKUP",
            autocompletion=completion.backups,
            help="Restore the rows of a backup, given by its name or path.",
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the backups of this project.")] = False,
    dry_run: DryRun = False,
    no_backup: Annotated[
        bool, typer.Option("--no-backup", help="Do not export the rows first; they will be lost.")
    ] = False,
    conflicts: Annotated[
        Conflicts,
        typer.Option(
            "--conflicts",
            help="With --restore, if rows exist with other values: stop, keep them, or replace them.",
        ),
    ] = "stop",
    lock_timeout: LockTimeout = None,
) -> None:
    """Undo the migrations newer than VERSION with their down scripts, in one transaction.

    Tables that lose data are exported first. Later, `promthctl push` applies the migrations again and --restore brings
    the rows back.
    """
    from promthctl.backups import folder
    from promthctl.views import rollback as views

    run: Invocation = context.obj
    patience = lock_seconds(lock_timeout)
    if (to is not None) + (restore is not None) + list_ != 1:
        why = "one of --to VERSION, --restore BACKUP and --list is needed"
        raise UsageError("It is not clear what to roll back", why, "promthctl rollback --to VERSION --dry-run")
    if list_:
        run.output.show(folder.list_backups(run.settings), views.backups)
        return
    backup = folder.find_backup(run.settings, restore) if restore is not None else None  # before anything is asked
    chosen = replace(run.target(choice), lock_seconds=patience)
    if backup is not None:
        _restore(run, chosen, backup, conflicts, dry_run)
    elif to is not None:
        _undo(run, chosen, to, dry_run, not no_backup)


def _undo(run: Invocation, chosen: Target, to: str, dry_run: bool, backup: bool) -> None:
    from promthctl import rollback
    from promthctl.views import rollback as views

    plan = rollback.plan_rollback(run.settings, chosen, to, run.output)
    preview = rollback.preview_rollback(plan, backup)
    if dry_run:
        run.output.show(preview, views.rollback)
        return
    if plan.undo and not chosen.local:
        for line in views.announced(preview):
            run.output.note(line)
        run.confirm(f"Roll back {chosen.label}?", f"Nothing was rolled back on {chosen.label}")
    if backup and plan.undo:
        _keep_local(run, chosen, "rollback")
    run.output.show(rollback.roll_back(run.settings, chosen, plan, backup, run.output), views.rollback)


def _restore(run: Invocation, chosen: Target, backup: folder.Backup, conflicts: Conflicts, dry_run: bool) -> None:
    from promthctl.views import rollback as views

    if not dry_run and not chosen.local:
        for line in views.backup(backup):
            run.output.note(line)
        run.confirm(f"Restore it to {chosen.label}?", f"Nothing was restored to {chosen.label}")
    if not dry_run:
        _keep_local(run, chosen, "restore")
    from promthctl.backups import restoring

    run.output.show(restoring.restore(run.settings, chosen, backup, conflicts, dry_run, run.output), views.restore)


def _keep_local(run: Invocation, chosen: Target, what: str) -> None:
    """The local stack's database as it is, as a snapshot that is forgotten in time."""
    from promthctl import engines
    from promthctl.local_stack import snapshots

    if chosen.local:
        snapshots.save_before(run.settings, engines.current(run.settings), what, run.output)
