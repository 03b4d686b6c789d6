"""promthctl push: apply the pending migrations to one database, or to many."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from promthctl import push, supabase_cli
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DatabaseUrls, Local, LockTimeout, ProjectRefs, TargetNames, TargetsFile, lock_seconds
from promthctl.errors import UsageError
from promthctl.push import batch
from promthctl.quantities import count
from promthctl.resolve.choice import TargetChoice
from promthctl.views import batch as batch_views
from promthctl.views import push as views

app = typer.Typer(add_completion=False)


@app.command("push")
def command(
    context: typer.Context,
    local: Local = False,
    project_ref: ProjectRefs = None,
    db_url: DatabaseUrls = None,
    target_name: TargetNames = None,
    targets_file: TargetsFile = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=1, max=64, help="How many targets at the same time.")
    ] = 4,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="After one target has failed, do not start another.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the plan.")] = False,
    allow_destructive: Annotated[
        bool,
        typer.Option(
            "--allow-destructive",
            help="Also push what destroys data or cannot be analysed. Not needed on the local stack.",
        ),
    ] = False,
    include_all: Annotated[
        bool, typer.Option("--include-all", help="Also push what is older than the newest applied migration.")
    ] = False,
    no_rehearsal: Annotated[
        bool, typer.Option("--no-rehearsal", help="Do not try the push in a throw-away Postgres first.")
    ] = False,
    ignore_drift: Annotated[
        bool, typer.Option("--ignore-drift", help="Do not tell what the target has otherwise than its migrations make.")
    ] = False,
    lock_timeout: LockTimeout = None,
) -> None:
    """Apply the migrations that the target does not have yet, through the Supabase CLI.

    The plan is shown first: what is pending, which statements destroy data (with the rows at risk), which ones rewrite
    or lock a table, and where the target's history disagrees with the files. For that the pending files are tried in a
    throw-away Postgres with the target's schema and made-up rows: what became of those is told, and a push that would
    fail is not begun. Except on the local stack, you must then confirm it. While a migration waits for a lock, its
    holder is named; after --lock-timeout the migration is taken back, so that others get on, and tried again three
    times.
    """
    run: Invocation = context.obj
    patience, rehearsed = lock_seconds(lock_timeout), run.settings.rehearses and not no_rehearsal
    refs, urls, names = project_ref or [], db_url or [], target_name or []
    if local and (refs or urls or names or targets_file is not None):
        why = "the local stack is pushed to on its own"
        raise UsageError("--local cannot be combined with other targets", why, "promthctl push --local")
    if targets_file is not None or len(refs) + len(urls) + len(names) > 1:
        found = batch.candidate_targets(run.settings, refs, urls, names, targets_file, patience)
        _push_batch(run, found, jobs, dry_run, fail_fast, allow_destructive, include_all, rehearsed)
        return
    choice = TargetChoice(local, *(next(iter(given), None) for given in (refs, urls, names)))
    chosen = replace(run.target(choice), lock_seconds=patience)
    plan = push.plan_push(run.settings, chosen, include_all, rehearsed, not ignore_drift, run.output)
    if dry_run:
        run.output.show(push.preview_push(plan), views.preview)
        return
    if refusal := plan.refusal:
        raise refusal
    if plan.pending or plan.disagreements:
        run.output.aside(push.preview_push(plan), views.planned)
    push.check_accepted(plan)
    push.check_destructive(chosen, plan, allow_destructive)
    if plan.pending and not chosen.local:
        supabase_cli.find_runner(
            run.settings, run.output
        )  # before the question, so that an unusable CLI is reported first
        noun = count(len(plan.pending), "migration")
        run.confirm(f"Apply {noun} to {chosen.label}?", f"Nothing was pushed to {chosen.label}")
    run.output.show(push.apply_plan(run.settings, chosen, plan, run.output), views.push)


def _push_batch(
    run: Invocation,
    candidates: tuple[batch.Candidate, ...],
    jobs: int,
    dry_run: bool,
    fail_fast: bool,
    allow_destructive: bool,
    include_all: bool,
    rehearsed: bool,
) -> None:
    planned = batch.plan_batch(run.settings, candidates, include_all, jobs, run.output, rehearsed)
    result = batch.BatchResult(tuple(one.outcome for one in planned), dry_run=True)
    waiting = [one for one in planned if one.outcome.state == "pending"]
    if waiting and not dry_run:
        run.output.aside(result, batch_views.batch)
        supabase_cli.find_runner(run.settings, run.output)
        run.confirm(f"Apply what is pending to {count(len(waiting), 'target')}?", "Nothing was pushed")
    if not dry_run:
        result = batch.push_batch(run.settings, planned, jobs, fail_fast, allow_destructive, run.output)
    run.output.show(result, batch_views.batch)
    if result.exit_code:
        raise typer.Exit(result.exit_code)
