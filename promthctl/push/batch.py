"""A push to many targets: all are planned first, then pushed to in parallel; one that fails does not stop the others.

A second run continues where the first one failed: what a target already has is not pending there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from promthctl import database, process
from promthctl.database.transactions import undisturbed
from promthctl.errors import PromthctlError, RefusedError, TargetError, UsageError
from promthctl.push.applying import apply_locked, sync_for_plans
from promthctl.push.planning import PushPlan, check_accepted, check_destructive, plan_push
from promthctl.resolve.database import resolve_named
from promthctl.resolve.production import marked_label
from promthctl.settings import NamedTarget, Settings
from promthctl.steps import RowUpdate, Silent, Steps, Update
from promthctl.targets import Target, from_url

Result = TypeVar("Result")
TargetState = Literal["up to date", "pending", "applied", "refused", "failed", "not tried", "interrupted", "not known"]
_INTERRUPTED = 130


@dataclass(frozen=True)
class Candidate:
    """A target that is not resolved yet. name: what the user called it. resolve: may ask the network, and raise."""

    name: str
    resolve: Callable[[], Target]


@dataclass(frozen=True)
class TargetProblem:
    """A PromthctlError as part of a result."""

    error: str
    why: str
    hint: str
    exit_code: int
    code: str = PromthctlError.code


@dataclass(frozen=True)
class TargetOutcome:
    """What became of one target.

    state: where the batch was interrupted, what the target itself said then; "not known" where it did not answer.
    pending: the file names it is still missing; destructive: how many of their statements destroy data or cannot be
    read. applied: the file names that this push applied. target: its name in pyproject.toml, otherwise its label.
    """

    target: str
    state: TargetState
    pending: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    destructive: int = 0
    problem: TargetProblem | None = None


@dataclass(frozen=True)
class PlannedTarget:
    """One target of the batch with its plan; target and plan are None where planning failed."""

    outcome: TargetOutcome
    target: Target | None = None
    plan: PushPlan | None = None


@dataclass(frozen=True)
class BatchResult:
    """One outcome for each target, in the order they were given. interrupted: by Ctrl-C, before all were done."""

    targets: tuple[TargetOutcome, ...]
    dry_run: bool = False
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 when nothing failed, the failures' exit code when they have the same, else 1; 130 when interrupted."""
        if self.interrupted:
            return _INTERRUPTED
        codes = {outcome.problem.exit_code for outcome in self.targets if outcome.problem}
        return 0 if not codes else codes.pop() if len(codes) == 1 else 1


def candidate_targets(
    settings: Settings,
    refs: Sequence[str],
    urls: Sequence[str],
    names: Sequence[str],
    file: Path | None,
    lock_seconds: float | None = None,
) -> tuple[Candidate, ...]:
    """The targets that the options name, each once, in their order; the network is not used yet.

    file: one target on each line: a project's reference, a database's URL, or a name from pyproject.toml; # begins a
    comment. lock_seconds: see Target. Raises UsageError that names the line for anything else.
    """
    wanted = [(ref, NamedTarget(project_ref=ref)) for ref in refs]
    wanted += [(from_url(url).label, NamedTarget(db_url=url)) for url in urls]
    wanted += [(name, settings.target(name)) for name in names]
    wanted += _read_targets_file(settings, file) if file is not None else []
    found: dict[str, NamedTarget] = {}
    for name, named in wanted:
        found.setdefault(name, named)

    def resolver(named: NamedTarget) -> Callable[[], Target]:
        return lambda: replace(resolve_named(named, settings, lambda _: None), lock_seconds=lock_seconds)

    return tuple(Candidate(name, resolver(named)) for name, named in found.items())


def _read_targets_file(settings: Settings, file: Path) -> list[tuple[str, NamedTarget]]:
    try:
        lines = file.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"{file} cannot be read", why, "--targets-file takes a text file with one target on each line"
        ) from None
    found = []
    for number, line in enumerate(lines, start=1):
        word = line.partition("#")[0].strip() if "://" not in line else line.strip()
        if not word:
            continue
        if "://" in word:
            found.append((from_url(word, place=f"line {number} of {file}").label, NamedTarget(db_url=word)))
        elif word in settings.targets:
            found.append((word, settings.targets[word]))
        elif re.fullmatch(r"[a-z]{20}", word):
            found.append((word, NamedTarget(project_ref=word)))
        else:
            raise UsageError(
                f"Line {number} of {file} is not a target",
                "it is neither a project's reference, nor postgresql://…, nor a name from pyproject.toml",
                "correct the line and run the same command again",
            )
    if not found:
        raise UsageError(f"{file} names no target", "it has no line with one", "write one target on each line")
    return found


def plan_batch(
    settings: Settings,
    candidates: Sequence[Candidate],
    include_all: bool,
    jobs: int,
    steps: Steps,
    rehearsed: bool = True,
) -> tuple[PlannedTarget, ...]:
    """Resolve and plan every target; nothing is changed. A failure becomes that target's outcome.

    rehearsed: try each push in a throw-away database, once for targets that are alike.
    """

    def work(row: int, update: RowUpdate) -> PlannedTarget:
        name = candidates[row].name
        update(row, "planning")
        try:
            target = candidates[row].resolve()
            plan = plan_push(settings, target, include_all, rehearsed, drift=False)
        except PromthctlError as error:
            planned = PlannedTarget(_failed(TargetOutcome(name, "failed"), error))
        else:
            names = tuple(file.filename for file in plan.pending)
            label = marked_label(name if name in settings.targets else target.label, target.production)
            outcome = TargetOutcome(label, "pending" if names or plan.squashes else "up to date", names)
            planned = PlannedTarget(replace(outcome, destructive=_destroying(plan)), target, plan)
            if plan.refusal:
                planned = PlannedTarget(_failed(planned.outcome, plan.refusal))
        update(row, _summary(planned.outcome))
        return planned

    return _each(work, [candidate.name for candidate in candidates], jobs, steps)


def _destroying(plan: PushPlan) -> int:
    """How many statements destroy data or were not decided."""
    found = {(one.file, one.line) for one in plan.destructive}
    return len(found | {(one.file, one.line) for one in plan.effects})


def push_batch(
    settings: Settings,
    planned: Sequence[PlannedTarget],
    jobs: int,
    fail_fast: bool,
    allow_destructive: bool,
    steps: Steps,
) -> BatchResult:
    """Push to every target with something pending. With fail_fast no other target is begun after the first failure."""
    failed = [one for one in planned if one.outcome.problem]
    if fail_fast and failed:
        return BatchResult(tuple(_not_tried(one.outcome) for one in planned))
    sync_for_plans(settings, [one.plan for one in planned if one.plan], steps)
    stopped: list[str] = []

    def work(row: int, update: RowUpdate) -> TargetOutcome:
        one = planned[row]
        if one.outcome.problem or one.target is None or one.plan is None or one.outcome.state != "pending":
            return one.outcome
        if stopped:
            return _not_tried(one.outcome)
        try:
            check_accepted(one.plan)
            check_destructive(one.target, one.plan, allow_destructive)
            steps_here = _Row(row, update)
            with undisturbed(settings, one.target, steps_here):
                done = apply_locked(settings, one.target, one.plan, steps_here)
            state: TargetState = "applied" if done.applied else "up to date"
            outcome = replace(one.outcome, state=state, pending=(), applied=done.applied)
        except PromthctlError as error:
            outcome = _failed(one.outcome, error)
            if fail_fast:
                stopped.append(outcome.target)
        update(row, _summary(outcome))
        return outcome

    found: dict[int, TargetOutcome] = {}

    def kept(row: int, update: RowUpdate) -> None:
        found[row] = work(row, update)

    try:
        _each(kept, [one.outcome.target for one in planned], jobs, steps)
    except KeyboardInterrupt:
        outcomes = (_after_interrupt(one, found.get(row)) for row, one in enumerate(planned))
        return BatchResult(tuple(outcomes), interrupted=True)
    return BatchResult(tuple(found[row] for row in range(len(planned))))


def _each(work: Callable[[int, RowUpdate], Result], rows: Sequence[str], jobs: int, steps: Steps) -> tuple[Result, ...]:
    with steps.board(rows) as update, ThreadPoolExecutor(jobs) as workers:
        waiting = [workers.submit(work, row, update) for row in range(len(rows))]
        try:
            return tuple(future.result() for future in waiting)
        except BaseException:  # Ctrl-C reaches this thread only: the workers' child processes must end first
            workers.shutdown(wait=False, cancel_futures=True)
            process.end_running()
            raise


def _after_interrupt(one: PlannedTarget, outcome: TargetOutcome | None) -> TargetOutcome:
    """What a target itself says when the batch was interrupted. outcome: its worker's, None if it was not begun."""
    if outcome is None or one.target is None or one.plan is None:
        return outcome or _not_tried(one.outcome)
    if one.outcome.state != "pending" or outcome.problem is None or outcome.state == "refused":
        return outcome
    after = database.ask_again(one.target, "\n".join(file.sql for file in one.plan.pending))
    if after.history is None or after.working is not None:
        why = f"session {after.working} there still works on it" if after.working else after.silence
        hint = "run the same command again: it continues from what the target has then"
        problem = TargetProblem("What became of it is not known", why, hint, TargetError.exit_code, TargetError.code)
        return replace(one.outcome, state="not known", problem=problem)
    done = tuple(file.filename for file in one.plan.pending if file.version in after.history)
    left = tuple(name for name in one.outcome.pending if name not in done)
    return replace(one.outcome, state="interrupted" if left else "applied", pending=left, applied=done)


def _failed(outcome: TargetOutcome, error: PromthctlError) -> TargetOutcome:
    state: TargetState = "refused" if isinstance(error, RefusedError) else "failed"
    problem = TargetProblem(error.what, error.why, error.hint, error.exit_code, error.code)
    return replace(outcome, state=state, problem=problem)


def _not_tried(outcome: TargetOutcome) -> TargetOutcome:
    return replace(outcome, state="not tried") if outcome.state == "pending" else outcome


def _summary(outcome: TargetOutcome) -> str:
    if outcome.problem:
        return f"{outcome.state}: {outcome.problem.error}"
    count = len(outcome.applied or outcome.pending)
    return f"{count} {outcome.state}" if count else outcome.state


@dataclass(frozen=True)
class _Row(Silent):
    """The steps of one target's push, shown in its row of the board."""

    row: int
    show: RowUpdate

    @contextmanager
    def step(self, title: str) -> Iterator[Update]:
        self.show(self.row, title)
        yield lambda detail: self.show(self.row, f"{title} {detail}")

    def note(self, text: str) -> None:
        self.show(self.row, text)
