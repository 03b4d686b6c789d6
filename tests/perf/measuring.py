"""What the benchmarks measure with."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable

from tests.promthctl_runner import Project

ROUNDS = 7
Measure = Callable[[], float]


def spent(work: Callable[[], object]) -> float:
    """Seconds a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def timed(command: list[str], stdin: str = "", project: Project | None = None, code: int = 0) -> float:
    """Seconds a command takes, which must end with this exit code."""
    env = (project.environment() if project else dict(os.environ)) | {"PYTHONDONTWRITEBYTECODE": ""}
    begin = time.perf_counter()
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=env, check=False)
    spent = time.perf_counter() - begin
    if done.returncode != code:
        raise RuntimeError(f"{command}: {done.stderr or done.stdout}")
    return spent


def peak_megabytes(command: list[str], project: Project) -> float:
    """The memory that a command takes at most, without its children's; it must succeed."""
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(command, env=project.environment(), stdin=nothing, stdout=nothing, stderr=nothing)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command}: exit code {child.returncode}")
    return usage.ru_maxrss / 1024  # kilobytes on Linux


def compare(title: str, goal: float, ours: Measure, peer: Measure, rounds: int = ROUNDS) -> None:
    """Print the ratio of the medians."""
    pairs = [(ours(), peer()) for _ in range(rounds)]
    mine, others = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{title:<58} {mine * 1000:7.0f} ms / {others * 1000:7.0f} ms = {mine / others:5.2f}  (goal ≤ {goal})",
        flush=True,
    )
