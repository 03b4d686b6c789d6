"""A push to many targets: all are planned first, then pushed by some workers; one that fails does not stop the others.

A second run continues where the first failed: what a target has already is not pending there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from promthctl import process, push
from promthctl.errors import PromthctlError, RefusedError
from promthctl.push import PushPlan
from promthctl.settings import Settings
from promthctl.steps import RowUpdate, Silent, Steps, Update
from promthctl.targets import Target

Result = TypeVar("Result")
State = Literal["up to date", "pending", "applied", "refused", "failed", "not tried"]


@dataclass(frozen=True)
class Candidate:
    """A target still to be found: name is what the user called it, find asks the network and may raise."""

    name: str
    find: Callable[[], Target]


@dataclass(frozen=True)
class Problem:
    """A PromthctlError as part of a result."""

    error: str
    why: str
    hint: str
    exit_code: int


@dataclass(frozen=True)
class Outcome:
    """What became of one target. pending: file names that it still lacks. applied: those that this push applied."""

    target: str
    state: State
    pending: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True)
class Planned:
    """A target's place in the whole: found and plan are None where planning failed."""

    outcome: Outcome
    target: Target | None = None
    plan: PushPlan | None = None


@dataclass(frozen=True)
class ManyResult:
    """One outcome for each target, in the order they were given."""

    targets: tuple[Outcome, ...]
    dry_run: bool = False

    @property
    def exit_code(self) -> int:
        """0 when nothing failed, the failures' exit code when they have the same, else 1."""
        codes = {outcome.problem.exit_code for outcome in self.targets if outcome.problem}
        return 0 if not codes else codes.pop() if len(codes) == 1 else 1


def plan(settings: Settings, candidates: Sequence[Candidate], jobs: int, steps: Steps) -> tuple[Planned, ...]:
    """Find and plan every target; nothing is changed. What fails becomes that target's outcome."""

    def work(row: int, update: RowUpdate) -> Planned:
        name = candidates[row].name
        update(row, "planning")
        try:
            target = candidates[row].find()
            made = push.plan(settings, target)
        except PromthctlError as error:
            planned = Planned(_failed(Outcome(name, "failed"), error))
        else:
            names = tuple(file.filename for file in made.pending)
            planned = Planned(Outcome(target.label, "pending" if names else "up to date", names), target, made)
        update(row, _told(planned.outcome))
        return planned

    return _each(work, [candidate.name for candidate in candidates], jobs, steps)


def push_all(
    settings: Settings, planned: Sequence[Planned], jobs: int, fail_fast: bool, allow_destructive: bool, steps: Steps
) -> ManyResult:
    """Push to every target that lacks something. With fail_fast the first failure keeps the rest from being begun."""
    failed = [one for one in planned if one.outcome.problem]
    if fail_fast and failed:
        return ManyResult(tuple(_given_up(one.outcome) for one in planned))
    push.sync_for(settings, [one.plan for one in planned if one.plan])
    stopped: list[str] = []

    def work(row: int, update: RowUpdate) -> Outcome:
        one = planned[row]
        if one.target is None or one.plan is None or not one.plan.pending:
            return one.outcome
        if stopped:
            return _given_up(one.outcome)
        try:
            push.check_destructive(one.target, one.plan, allow_destructive)
            done = push.carry_out(settings, one.target, one.plan, _Row(row, update))
            outcome = replace(one.outcome, state="applied", pending=(), applied=done.applied)
        except PromthctlError as error:
            outcome = _failed(one.outcome, error)
            if fail_fast:
                stopped.append(outcome.target)
        update(row, _told(outcome))
        return outcome

    return ManyResult(_each(work, [one.outcome.target for one in planned], jobs, steps))


def _each(work: Callable[[int, RowUpdate], Result], rows: Sequence[str], jobs: int, steps: Steps) -> tuple[Result, ...]:
    with steps.board(rows) as update, ThreadPoolExecutor(jobs) as workers:
        waiting = [workers.submit(work, row, update) for row in range(len(rows))]
        try:
            return tuple(future.result() for future in waiting)
        except BaseException:  # Ctrl-C reaches this thread alone: the workers wait for children, which must end first
            workers.shutdown(wait=False, cancel_futures=True)
            process.end_running()
            raise


def _failed(outcome: Outcome, error: PromthctlError) -> Outcome:
    state: State = "refused" if isinstance(error, RefusedError) else "failed"
    return replace(outcome, state=state, problem=Problem(error.what, error.why, error.hint, error.exit_code))


def _given_up(outcome: Outcome) -> Outcome:
    return replace(outcome, state="not tried") if outcome.state == "pending" else outcome


def _told(outcome: Outcome) -> str:
    if outcome.problem:
        return f"{outcome.state}: {outcome.problem.error}"
    count = len(outcome.applied or outcome.pending)
    return f"{count} {outcome.state}" if count else outcome.state


@dataclass(frozen=True)
class _Row(Silent):
    """The steps of one target's push, told in its row of the board."""

    row: int
    tell: RowUpdate

    @contextmanager
    def step(self, title: str) -> Iterator[Update]:
        self.tell(self.row, title)
        yield lambda detail: self.tell(self.row, f"{title} {detail}")

    def note(self, text: str) -> None:
        self.tell(self.row, text)
