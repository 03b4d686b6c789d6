"""Signals that stop promthctl: each becomes a KeyboardInterrupt in the main thread, wherever that is.

Python cannot raise out of a destructor, a weak reference's callback or a garbage collection: it prints such an
exception as "Exception ignored in" and goes on. An interrupt that met one of these is raised again a moment later, by
an alarm, which is repeated because one that comes just before a system call does not wake it. So is one that comes
while a child process starts, until it is on record: nobody would end it.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FIRST_SECONDS, _NEXT_SECONDS = 0.02, 0.1


class _Interrupts:
    """received: the signals so far. owed: whether one of them has not been raised where it ends anything."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.owed = False
        self.unraisable = sys.unraisablehook

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)
        self.owed = True
        self.interrupt(number, frame)

    def interrupt(self, _: int, frame: FrameType | None) -> None:
        if not self.owed:  # two alarms for one
            return
        processes = sys.modules.get("promthctl.process")  # not imported for this alone: it takes milliseconds
        if _is_within(frame, self.lost, getattr(processes, "start", None)):  # the first cannot raise either
            self.later()
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.owed = False
        raise KeyboardInterrupt

    def lost(self, ignored: sys.UnraisableHookArgs) -> None:
        if self.received and issubclass(ignored.exc_type, KeyboardInterrupt):
            self.owed = True
            self.later()
        else:
            self.unraisable(ignored)

    def later(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, _FIRST_SECONDS, _NEXT_SECONDS)


_received: list[int] = []


def received() -> bool:
    """Whether a signal has come since `catch`."""
    return bool(_received)


def catch() -> list[int]:
    """Have SIGTERM and a closed terminal end promthctl as cleanly as Ctrl-C. Returns the signals received so far."""
    interrupts = _Interrupts()
    interrupts.received = _received
    sys.unraisablehook = interrupts.lost
    signal.signal(signal.SIGALRM, interrupts.interrupt)
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # which nohup asks for
            signal.signal(number, interrupts.stop)
    return interrupts.received


def _is_within(frame: FrameType | None, *functions: object) -> bool:
    codes = [getattr(function, "__code__", None) for function in functions]
    while frame is not None:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False
