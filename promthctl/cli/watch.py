"""The loop of `local up --watch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.cli import interrupts
from promthctl.cli.invocation import Invocation
from promthctl.errors import PromthctlError, UsageError

if TYPE_CHECKING:
    from promthctl import watching
    from promthctl.developing import Developing
    from promthctl.engines import Engine

_AGAIN = "run the same command again"  # what a loop does by itself
WAITING = "Waiting for a change; Ctrl-C ends it."


def check_watch(run: Invocation) -> None:
    """Raise UsageError where the loop cannot be shown."""
    if run.output.as_json:
        raise UsageError("--watch and --json exclude each other", "it never ends", "leave --watch out")


def tell(run: Invocation, error: PromthctlError) -> None:
    """Show an error in the middle of a loop. One that came of an interrupt ends the loop instead."""
    if interrupts.received():
        raise KeyboardInterrupt
    run.output.error(type(error)(error.what, error.why, error.hint.replace(_AGAIN, "save it")))


def follow(run: Invocation, engine: Engine, seen: watching.Seen, developing: Developing) -> None:
    """Until Ctrl-C, which leaves the stack running. seen: the files as they were before `local up` read them."""
    from promthctl import watching

    try:
        _round(run, developing, set())
        while True:
            run.output.note(WAITING)
            seen, saved = watching.wait_for_change(seen, developing.files)
            _round(run, developing, saved)
    except KeyboardInterrupt:
        state = "goes on running" if engine.status().running else "does not run: promthctl local up"
        run.output.note(f"\nNobody watches any more; the local stack {state}.")


def _round(run: Invocation, developing: Developing, saved: set[Path]) -> None:
    from promthctl.views import watch as views

    try:
        done = developing.round(saved)
    except PromthctlError as error:
        tell(run, error)
        return
    if saved or done.did != "nothing":
        run.output.show(done, views.round_)
