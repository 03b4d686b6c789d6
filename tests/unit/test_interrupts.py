"""A signal that meets code which cannot raise stops the command all the same, and shows no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The signal arrives while Python runs something of which it prints exceptions and goes on.
PLACES = {
    "a destructor": "class Ends:\n    def __del__(self): meet()\nEnds()",
    "a weak reference": "import weakref\nheld = Meets()\nref = weakref.ref(held, lambda _: meet())\ndel held",
    "a garbage collection": "import gc\ngc.callbacks.append(lambda phase, _: once())\ngc.collect()",
    "the report of another": "class Ends:\n    def __del__(self): 1 / 0\nsys.stderr = Meets()\nEnds()",
}
PROGRAM = """
import os, signal, sys, time
from promthctl import cli

def meet():
    os.kill(os.getpid(), signal.{name})

met = []

def once():
    if not met:
        met.append(1)
        meet()

class Meets:
    def write(self, text):
        once()
        return sys.__stderr__.write(text)
    def flush(self): pass
    def isatty(self): return False

def command(*_, **__):
    {place}
    time.sleep(60)
    print("went on")

cli.app = command
sys.argv = ["promthctl", "local", "up"]
cli.main()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_that_cannot_be_raised_is_not_lost(place: str, name: str) -> None:
    program = PROGRAM.format(name=name, place=PLACES[place].replace("\n", "\n    "))
    # A parent with SIGHUP ignored, as nohup makes it, would have the child ignore it, too.
    default = f"import signal; signal.signal(signal.{name}, signal.SIG_DFL)\n"
    done = subprocess.run([sys.executable, "-c", default + program], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert "Interrupted." in done.stderr
    if place != "the report of another":
        assert "ignored" not in done.stderr and "Traceback" not in done.stderr, done.stderr
