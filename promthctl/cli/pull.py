"""promthctl pull: what was changed in a database by hand becomes the next migration."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun, LockTimeout, lock_seconds, with_target
from promthctl.quantities import count
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(add_completion=False)


@app.command("pull")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the migration does, e.g. add_tags.")],
    dry_run: DryRun = False,
    lock_timeout: LockTimeout = None,
) -> None:
    """Write what was changed in a database by hand as the next migration, with its down script, and record it there.

    In an empty folder the first migration is the whole database, without Supabase's own schemas. The Supabase CLI
    applies the files to a throw-away database first: after the migration the schema must be the target's, after the
    down script the one before. Otherwise nothing is written, and the differences are listed; exit code 1. In the
    target only its history is changed.
    """
    from promthctl.migration_files import changes, pulling
    from promthctl.views import pull as views

    run: Invocation = context.obj
    patience = lock_seconds(lock_timeout)
    settings = run.settings = pulling.own_settings(run.settings, "Nothing was pulled", "pull NAME")
    chosen = replace(run.target(choice), lock_seconds=patience)
    if not dry_run and changes.finish_interrupted(settings, run.output):
        run.output.note("An interrupted run was finished.")
    found = pulling.plan_pull(settings, chosen, name, run.output)
    if found.written and not dry_run:
        if not chosen.local:
            for file in found.written:
                run.output.note(f"  to be written: {file}")
            question = f"Write them, and record {', '.join(found.versions)} as applied to {chosen.label}?"
            run.confirm(question, f"Nothing was pulled from {chosen.label}")
        found = pulling.pull(settings, chosen, found, run.output)
    run.output.show(found, views.pull)
    if found.refused:
        why = f"what was drafted leaves {count(len(found.left), 'difference')}"
        hint = "remove them there, or write the migration by hand: promthctl migrations new NAME"
        run.output.envelope.problem("failed", f"Nothing was pulled from {found.target}", why, hint)
        run.output.envelope.nothing_succeeded()
        raise typer.Exit(1)
