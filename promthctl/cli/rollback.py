"""promthctl rollback: undo migrations, or put back what a rollback has taken."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl import rollback
from promthctl.backups import folder, restoring
from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, target
from promthctl.errors import UsageError
from promthctl.targets import Target
from promthctl.views import rollback as views

app = typer.Typer(add_completion=False)


@app.command("rollback")
def command(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The newest version that stays; 0 undoes all.")
    ] = None,
    restore: Annotated[
        str | None,
        typer.Option("--restore", metavar="BACKUP", help="Put the rows of a backup back: its name, or its path."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the backups of this project.")] = False,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")] = False,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Lose the rows: export nothing before.")] = False,
    conflicts: Annotated[
        restoring.Conflicts,
        typer.Option(
            "--conflicts",
            help="With --restore, where rows are there with other values: stop, keep them, or replace them.",
        ),
    ] = "stop",
) -> None:
    """Undo the migrations newer than VERSION with their down scripts, in one transaction.

    The tables that lose data are exported before; promthctl push brings the migrations back, --restore the rows.
    """
    run: Invocation = context.obj
    if (to is not None) + (restore is not None) + list_ != 1:
        why = "it takes one of --to VERSION, --restore BACKUP and --list"
        raise UsageError("It is not clear what to roll back", why, "promthctl rollback --to VERSION --dry-run")
    if list_:
        run.output.show(folder.list_backups(run.settings), views.backups)
        return
    backup = folder.find_backup(run.settings, restore) if restore is not None else None  # before anything is asked
    chosen = target(run, local, project_ref, db_url, target_name)
    if backup is not None:
        _restore(run, chosen, backup, conflicts, dry_run)
    elif to is not None:
        _undo(run, chosen, to, dry_run, not no_backup)


def _undo(run: Invocation, chosen: Target, to: str, dry_run: bool, backup: bool) -> None:
    plan = rollback.plan_rollback(run.settings, chosen, to, run.output)
    preview = rollback.preview_rollback(plan, backup)
    if dry_run:
        run.output.show(preview, views.rollback)
        return
    if plan.undo and not chosen.local:
        for line in views.announced(preview):
            run.output.note(line)
        run.confirm(f"Roll back {chosen.label}?", f"Nothing was rolled back on {chosen.label}")
    run.output.show(rollback.roll_back(run.settings, chosen, plan, backup, run.output), views.rollback)


def _restore(
    run: Invocation, chosen: Target, backup: folder.Backup, conflicts: restoring.Conflicts, dry_run: bool
) -> None:
    if not dry_run and not chosen.local:
        for line in views.backup(backup):
            run.output.note(line)
        run.confirm(f"Restore it to {chosen.label}?", f"Nothing was restored to {chosen.label}")
    run.output.show(restoring.restore(run.settings, chosen, backup, conflicts, dry_run, run.output), views.restore)
