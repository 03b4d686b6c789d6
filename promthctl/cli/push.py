"""promthctl push: apply the pending migrations to one database, or to many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DatabaseUrls, Local, LockTimeout, ProjectRefs, TargetNames, TargetsFile, lock_seconds
from promthctl.errors import UsageError
from promthctl.quantities import count, size
from promthctl.resolve.choice import TargetChoice

if TYPE_CHECKING:
    from promthctl import push
    from promthctl.push import batch
    from promthctl.rehearsal import DataRehearsal
    from promthctl.rehearsal.with_data import Amount
    from promthctl.targets import Target

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
    rehearse_with_data: Annotated[
        bool,
        typer.Option(
            "--rehearse-with-data",
            help="Also run the migrations on a copy of the target's rows, made on this machine and removed afterwards.",
        ),
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            metavar="N",
            min=1,
            help="With --rehearse-with-data: N rows of each table, and what they refer to.",
        ),
    ] = None,
    ignore_drift: Annotated[
        bool, typer.Option("--ignore-drift", help="Do not tell what the target has otherwise than its migrations make.")
    ] = False,
    lock_timeout: LockTimeout = None,
) -> None:
    """Apply the migrations that the target does not have yet, through the Supabase CLI.

    The plan is shown first: what is pending, which statements destroy data (with the rows at risk), which ones rewrite
    or lock a table, and where the target's history disagrees with the files. For that the pending files are tried in a
    throw-away Postgres with the target's schema and made-up rows: what became of those is told, and a push that would
    fail is not begun. With --rehearse-with-data they are also run on a copy of the target's rows (those of the tables
    they touch, and what these refer to), and how long each takes is told. Except on the local stack, you must confirm
    both. While a migration waits for a lock, its
    holder is named; after --lock-timeout the migration is taken back, so that others get on, and tried again three
    times.
    """
    from promthctl import push, supabase_cli
    from promthctl.push import batch
    from promthctl.views import push as views

    run: Invocation = context.obj
    patience, rehearsed = lock_seconds(lock_timeout), run.settings.rehearses and not no_rehearsal
    refs, urls, names = project_ref or [], db_url or [], target_name or []
    if local and (refs or urls or names or targets_file is not None):
        why = "the local stack is pushed to on its own"
        raise UsageError("--local cannot be combined with other targets", why, "promthctl push --local")
    if sample is not None and not rehearse_with_data:
        again = f"promthctl push --rehearse-with-data --sample {sample}"
        raise UsageError(
            "--sample says how many rows are copied", "no rows are copied without --rehearse-with-data", again
        )
    if rehearse_with_data and no_rehearsal:
        why = "the rehearsal finds out which tables to copy"
        raise UsageError("--rehearse-with-data cannot be combined with --no-rehearsal", why, "leave one of them out")
    many = targets_file is not None or len(refs) + len(urls) + len(names) > 1
    if rehearse_with_data and many:
        why = "the rows of one target are copied, after a question about it"
        raise UsageError("--rehearse-with-data is for one target", why, "name one target, or leave the option out")
    if many:
        run.say_example()
        found = batch.candidate_targets(run.settings, refs, urls, names, targets_file, patience)
        _push_batch(run, found, jobs, dry_run, fail_fast, allow_destructive, include_all, rehearsed)
        return
    choice = TargetChoice(local, *(next(iter(given), None) for given in (refs, urls, names)))
    chosen = replace(run.target(choice), lock_seconds=patience)
    plan = push.plan_push(run.settings, chosen, include_all, rehearsed, not ignore_drift, run.output)
    if dry_run:
        tried = _try(run, chosen, plan, sample) if rehearse_with_data else None
        run.output.show(push.preview_push(plan, tried), views.preview)
        push.check_tried(plan, tried)
        return
    if refusal := plan.refusal:
        raise refusal
    if plan.pending or plan.disagreements:
        run.output.aside(push.preview_push(plan), views.planned)
    push.check_accepted(plan)
    push.check_destructive(chosen, plan, allow_destructive)
    if rehearse_with_data and (tried := _try(run, chosen, plan, sample)):
        run.output.aside(tried, views.tried)
        push.check_tried(plan, tried)
    if (plan.pending or plan.squashes) and not chosen.local:
        supabase_cli.find_runner(
            run.settings, run.output
        )  # before the question, so that an unusable CLI is reported first
        question = f"Apply {count(len(plan.pending), 'migration')} to {chosen.label}?"
        if not plan.pending:
            question = f"Record {count(len(plan.squashes), 'squashed migration')} in the history of {chosen.label}?"
        run.confirm(question, f"Nothing was pushed to {chosen.label}")
    run.output.show(push.apply_plan(run.settings, chosen, plan, run.output), views.push)


def _try(run: Invocation, target: Target, plan: push.PushPlan, sample: int | None) -> DataRehearsal | None:
    """Run the plan on a copy of the target's rows, after asking whether so much may be copied."""
    from promthctl import push

    def agree(amount: Amount) -> None:
        if not target.local:
            rows = "" if amount.rows is None else f", about {count(amount.rows, 'row')}"
            what = f"{count(amount.tables, 'table')}{rows}, about {size(amount.size)}"
            run.confirm(
                f"Copy {what}, of {target.label} to this machine?", "No rows were copied, and nothing was pushed"
            )

    return push.try_with_data(run.settings, target, plan, sample, agree, run.output)


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
    from promthctl import supabase_cli
    from promthctl.push import batch
    from promthctl.views import batch as batch_views

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
    _tell_problems(run, result)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _tell_problems(run: Invocation, result: batch.BatchResult) -> None:
    """What --json has among its errors: each target that failed, and Ctrl-C."""
    for one in result.targets:
        if (bad := one.problem) is not None:
            run.output.envelope.problem(bad.code, bad.error, bad.why, bad.hint, bad.exit_code, target=one.target)
    if result.interrupted:
        why = "Ctrl-C came before all targets were done"
        hint = "run the same command again: it goes on with the rest"
        run.output.envelope.problem("interrupted", "Interrupted", why, hint, result.exit_code)
    if all(one.problem for one in result.targets):
        run.output.envelope.nothing_succeeded()
