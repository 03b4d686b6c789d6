"""Runs promthctl and sends it a signal at one point of its course, the same in every run.

    python -m tests.interrupted SIGNAL POINT WORDS…

SIGNAL: a name such as SIGKILL. SIGKILL+supabase kills the running Supabase CLI along with promthctl.
POINT: module:function:event:text:time, where event is call or return; with a text the function's local variables must
contain it. The signal is sent when the point is reached for the first time, or the one that `time` counts; never
reached, promthctl just ends. With TRACE for the signal nothing is sent: POINT is a file, which gets a line for each
function that was called: how often, module, function.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import psutil


def main() -> None:
    """Take our own words off the command line and run promthctl with the rest."""
    name, _, child = sys.argv[1].partition("+")
    point = sys.argv[2]
    del sys.argv[1:3]
    hook = _tracing(point) if name == "TRACE" else _sending(name, child, point)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # the test run was started with nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    from promthctl.cli import main as promthctl

    threading.setprofile(hook)
    sys.setprofile(hook)
    promthctl()


def _sending(name: str, child: str, point: str) -> Callable[[FrameType, str, Any], None]:
    module, function, wanted, text, *time = point.split(":")
    waiting = [True] * int(time[0] if time else 1)

    def hook(frame: FrameType, event: str, _: Any) -> None:
        if event != wanted or frame.f_code.co_qualname != function or frame.f_globals.get("__name__") != module:
            return
        if waiting and text in " ".join(str(getattr(value, "args", value)) for value in frame.f_locals.values()):
            waiting.pop()
            if waiting:
                return
            for process in psutil.Process().children(recursive=True) if child else ():
                if process.name() == child:
                    process.kill()
            os.kill(os.getpid(), signal.Signals[name])

    return hook


def _tracing(file: str) -> Callable[[FrameType, str, Any], None]:
    called: Counter[str] = Counter()

    def hook(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            called[f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}"] += 1

    def write() -> None:
        Path(file).write_text("".join(f"{count} {name}\n" for name, count in list(called.items())))

    atexit.register(write)
    return hook


if __name__ == "__main__":
    main()
