"""promthctl verify: is the database what the migrations say, and does every user see only their own rows?"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promthctl.cli import completion
from promthctl.cli.files import writable
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import LockTimeout, lock_seconds, with_target
from promthctl.errors import PromthctlError, RefusedError, UsageError
from promthctl.resolve.choice import TargetChoice

if TYPE_CHECKING:
    from promthctl.isolation import Severity
    from promthctl.targets import Target
    from promthctl.verify import VerifyResult

app = typer.Typer(add_completion=False)


@app.command("verify")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="KINDS",
            autocompletion=completion.schema_kinds,
            help="Compare only these, e.g. tables,rls,indexes.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Also write everything to an HTML page.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every table, also where many are proven.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Also exit with 1 if something is not proven.")] = False,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="SEVERITY",
            autocompletion=completion.severities,
            help="The mildest that exits with 1: leak, difference, not-proven, advice.",
        ),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Accept what makes this run fail, in promthctl.accepted.json.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, with --accept; asked for otherwise.")
    ] = None,
    lock_timeout: LockTimeout = None,
) -> None:
    """Compare the schema with the migrations, and prove that no user reaches another user's rows.

    All attempts are made in a transaction that is rolled back. Rows whose triggers do what no rollback undoes are tried
    only if you agree (--yes). Exit code 1 for leaks, for rights that work for nobody and for differences from the
    migrations; not for what could not be proven (--strict) and for advice (--fail-on advice). Who holds a lock that it
    waits for is named; a row that needs one for longer than a second is not proven.
    """
    from promthctl.process import write_private
    from promthctl.verify import checks
    from promthctl.views import verify as views

    run: Invocation = context.obj
    least = _least(strict, fail_on)
    _check_reason(accept, reason)
    patience = lock_seconds(lock_timeout)
    chosen = replace(run.target(choice), lock_seconds=patience)
    page_file = (
        writable(run.settings.project_dir / run.typed_path(report), "--report", "verify.html")
        if report is not None
        else None
    )
    kinds = [word.strip() for word in only.split(",") if word.strip()] if only is not None else None
    agreed = chosen.local or kinds is not None or _agreed(run, chosen)
    result = checks.verify(run.settings, chosen, kinds, run.output, agreed, least)
    if accept:
        result = _accepted(run, result, reason)
    if page_file is not None:
        from promthctl.diagram.drawing import picture_of
        from promthctl.verify.report import report_page

        drawing = ""
        try:
            drawing = picture_of(run.settings, result.catalog, run.output) if result.catalog is not None else ""
        except PromthctlError as error:  # what was found is worth more than its picture
            run.warn([f"the report has no picture of the tables: {error.why}"])
        write_private(page_file, report_page(result, drawing))
        run.output.note(f"Report: {page_file}")
    run.output.show(result, partial(views.verify, every=every))
    if not result.ok:
        raise typer.Exit(1)


def _least(strict: bool, fail_on: str | None) -> Severity:
    """The mildest severity that fails the run. Raises UsageError for a word that is none."""
    from promthctl.isolation import SEVERITIES
    from promthctl.verify.judging import DEFAULT_FAIL_ON, STRICT

    if fail_on is None:
        return STRICT if strict else DEFAULT_FAIL_ON
    if strict:
        raise UsageError("--strict and --fail-on exclude each other", "both say what fails", "leave --strict out")
    for severity in SEVERITIES:
        if fail_on.strip().lower().replace("-", " ") == severity:
            return severity
    words = ", ".join(severity.replace(" ", "-") for severity in SEVERITIES)
    raise UsageError(
        f"{fail_on!r} is not a severity",
        f"--fail-on takes {words}",
        "run the same command again with --fail-on difference",
    )


def _check_reason(accept: bool, reason: str | None) -> None:
    """Raises UsageError unless a reason can be had where one is needed, before anything is verified."""
    again = 'run the same command again with --accept --reason "TEXT"'
    if reason is not None and not (accept and reason.strip()):
        why = "it says nothing" if accept else "it says why findings are accepted"
        raise UsageError("--reason has no use here", why, again)
    if accept and reason is None and not sys.stdin.isatty():
        why = "each finding is accepted for a reason, and there is no terminal to ask at"
        raise UsageError("Nothing can be accepted", why, again)


def _accepted(run: Invocation, result: VerifyResult, reason: str | None) -> VerifyResult:
    """Write down what fails the run, each with a reason; what was not found any more is dropped."""
    from promthctl.verify.accepted import accept, read_accepted, write_accepted
    from promthctl.verify.checks import judged

    known = [one for one in read_accepted(run.settings.project_dir) if one not in result.gone]
    for finding in result.failing:
        why = reason or run.ask(f"{finding.object}: {finding.severity}: {finding.what}\nReason (empty: not accepted): ")
        if why.strip():
            known.append(accept(finding, why.strip()))
    run.output.note(f"Accepted findings: {write_accepted(run.settings.project_dir, known)}")
    return judged(result, known, result.fail_on)


def _agreed(run: Invocation, target: Target) -> bool:
    """Whether rows may be made whose triggers do what no rollback undoes; the other tables are tried in any case."""
    from promthctl.verify import checks

    effects = checks.side_effects(run.settings, target, run.output)
    if not effects:
        return False  # what appears from now on was not asked about
    for effect in effects:
        run.output.note(f"  {effect.text}")
    tables = ", ".join(dict.fromkeys(effect.table for effect in effects))
    question = f"verify would make rows in {tables} of {target.label} and roll them back, but not the above. Try them?"
    try:
        run.confirm(question, "Not everything was verified")
    except RefusedError:
        run.output.note(f"Rows of {tables} are not tried; --yes tries them.")
        return False
    return True
