"""Runs promthctl and sends it a signal at one point of its course, the same in every run.

    python -m tests.interrupted SIGNAL POINT WORDS…

SIGNAL: a name such as SIGKILL. SIGKILL+supabase kills the running Supabase CLI along with promthctl.
POINT: module:function:event:text, where event is call or return; with a text the function's local variables must
contain it. The signal is sent when the point is reached for the first time; never reached, promthctl just ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import psutil


def main() -> None:
    """Take our own words off the command line and run promthctl with the rest."""
    name, _, child = sys.argv[1].partition("+")
    module, function, wanted, text = sys.argv[2].split(":")
    del sys.argv[1:3]
    waiting = [True]

    def hook(frame: FrameType, event: str, _: Any) -> None:
        if event != wanted or frame.f_code.co_qualname != function or frame.f_globals.get("__name__") != module:
            return
        if waiting and text in " ".join(str(getattr(value, "args", value)) for value in frame.f_locals.values()):
            waiting.clear()
            for process in psutil.Process().children(recursive=True) if child else ():
                if process.name() == child:
                    process.kill()
            os.kill(os.getpid(), signal.Signals[name])

    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # the test run was started with nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    from promthctl.cli import main as promthctl

    threading.setprofile(hook)
    sys.setprofile(hook)
    promthctl()


if __name__ == "__main__":
    main()
