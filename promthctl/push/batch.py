"""A push to many targets: all are planned first, then pushed by some workers; one that fails does not stop the others.

A second run continues where the first failed: what a target has already is not pending there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from promthctl import process, push
from promthctl.database.transactions import undisturbed
from promthctl.errors import PromthctlError, RefusedError, UsageError
from promthctl.push import PushPlan
from promthctl.resolve.database import resolve_named
from promthctl.resolve.production import marked_label
from promthctl.settings import NamedTarget, Settings
from promthctl.steps import RowUpdate, Silent, Steps, Update
from promthctl.targets import Target, from_url

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
    """What became of one target.

    pending: file names that it still lacks; destructive: how many of their statements destroy data or cannot be read.
    applied: the file names that this push applied.
    """

    target: str
    state: State
    pending: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    destructive: int = 0
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


def candidates(
    settings: Settings, refs: Sequence[str], urls: Sequence[str], names: Sequence[str], file: Path | None
) -> tuple[Candidate, ...]:
    """What the options name, each once, in their order; nothing is asked of a network yet.

    file: one target on each line: a project's reference, a database's URL, or a name from pyproject.toml; # begins a
    comment. Raises UsageError for what is none of these, naming the line.
    """
    wanted = [(ref, NamedTarget(project_ref=ref)) for ref in refs]
    wanted += [(from_url(url).label, NamedTarget(db_url=url)) for url in urls]
    wanted += [(name, settings.target(name)) for name in names]
    wanted += _read(settings, file) if file is not None else []
    found: dict[str, NamedTarget] = {}
    for name, named in wanted:
        found.setdefault(name, named)
    return tuple(
        Candidate(name, lambda named=named: resolve_named(named, settings, lambda _: None))  # type: ignore[misc]
        for name, named in found.items()
    )


def _read(settings: Settings, file: Path) -> list[tuple[str, NamedTarget]]:
    try:
        lines = file.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{file} cannot be read", why, "--targets-file takes a text file, one target a line") from None
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
                f"Line {number} of {file} is no target",
                "it is neither a project's reference, nor postgresql://…, nor a name from pyproject.toml",
                "correct the line and run the same command again",
            )
    if not found:
        raise UsageError(f"{file} names no target", "it has no line that is one", "write one target on each line")
    return found


def plan(
    settings: Settings, candidates: Sequence[Candidate], include_all: bool, jobs: int, steps: Steps
) -> tuple[Planned, ...]:
    """Find and plan every target; nothing is changed. What fails becomes that target's outcome."""

    def work(row: int, update: RowUpdate) -> Planned:
        name = candidates[row].name
        update(row, "planning")
        try:
            target = candidates[row].find()
            made = push.plan(settings, target, include_all)
        except PromthctlError as error:
            planned = Planned(_failed(Outcome(name, "failed"), error))
        else:
            names = tuple(file.filename for file in made.pending)
            label = marked_label(target.label, target.production)
            outcome = Outcome(label, "pending" if names else "up to date", names)
            planned = Planned(replace(outcome, destructive=len(made.destructive)), target, made)
            if made.refusal:
                planned = Planned(_failed(planned.outcome, made.refusal))
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
        if one.outcome.problem or one.target is None or one.plan is None or not one.plan.pending:
            return one.outcome
        if stopped:
            return _given_up(one.outcome)
        try:
            push.check_destructive(one.target, one.plan, allow_destructive)
            steps_here = _Row(row, update)
            with undisturbed(settings, one.target, steps_here):
                done = push.carry_out(settings, one.target, one.plan, steps_here)
            state: State = "applied" if done.applied else "up to date"
            outcome = replace(one.outcome, state=state, pending=(), applied=done.applied)
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
