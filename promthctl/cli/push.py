"""promthctl push: apply what is pending to a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promthctl import push, supabase_cli
from promthctl.cli.common import Invocation, Local, target
from promthctl.errors import UsageError
from promthctl.push import batch
from promthctl.views import batch as batch_views
from promthctl.views import push as views
from promthctl.views.common import count

app = typer.Typer(add_completion=False)


@app.command("push")
def command(
    context: typer.Context,
    local: Local = False,
    project_ref: Annotated[
        list[str] | None,
        typer.Option(
            "--project-ref", metavar="REF", help="A hosted Supabase project (SUPABASE_ACCESS_TOKEN). May be repeated."
        ),
    ] = None,
    db_url: Annotated[
        list[str] | None,
        typer.Option(
            "--db-url", metavar="URL", help="Any PostgreSQL database, its password in PGPASSWORD. May be repeated."
        ),
    ] = None,
    target_name: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="NAME", help="A target named in pyproject.toml. May be repeated."),
    ] = None,
    targets_file: Annotated[
        Path | None,
        typer.Option("--targets-file", metavar="FILE", help="One REF, URL or NAME on each line."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Of many targets, how many at once.")] = 4,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Of many targets, begin no other once one failed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the plan.")] = False,
    allow_destructive: Annotated[
        bool,
        typer.Option(
            "--allow-destructive",
            help="Push also what destroys data or cannot be read. Not needed on the local stack.",
        ),
    ] = False,
    include_all: Annotated[
        bool, typer.Option("--include-all", help="Push also what is older than the newest applied migration.")
    ] = False,
) -> None:
    """Apply the migrations that the target lacks, through the Supabase CLI.

    First the plan is shown: what is pending, what of it destroys data (with the rows at risk), what rewrites or locks
    a table, and where the target's history disagrees with the files. Anything but the local stack asks then.
    """
    run: Invocation = context.obj
    refs, urls, names = project_ref or [], db_url or [], target_name or []
    if targets_file is not None or len(refs) + len(urls) + len(names) > 1:
        if local:
            why = "the local stack is pushed to on its own"
            raise UsageError("--local cannot stand beside other targets", why, "promthctl push --local")
        found = batch.candidate_targets(run.settings, refs, urls, names, targets_file)
        _push_batch(run, found, jobs, dry_run, fail_fast, allow_destructive, include_all)
        return
    chosen = target(run, local, next(iter(refs), None), next(iter(urls), None), next(iter(names), None))
    plan = push.plan_push(run.settings, chosen, include_all)
    if dry_run:
        run.output.show(push.preview_push(plan), views.preview)
        return
    if refusal := plan.refusal:
        raise refusal
    if plan.pending or plan.disagreements:
        run.output.aside(push.preview_push(plan), views.planned)
    push.check_destructive(chosen, plan, allow_destructive)
    if plan.pending and not chosen.local:
        supabase_cli.find_runner(run.settings, run.output)  # one that cannot be used is told before the question
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
) -> None:
    planned = batch.plan_batch(run.settings, candidates, include_all, jobs, run.output)
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
