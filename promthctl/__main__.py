"""`python -m promthctl` and the console script: refuse a system that promthctl does not run on."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys

_INTERRUPTED = 130
_OBJECTS = 20_000  # between two looks for garbage: what a command imports stays, and the default looks often


def main() -> None:
    """Ends the process with an exit code of errors.py. The command line is imported only where it can be."""
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)  # the interpreter looks for garbage once more before all of it goes anyway: 50 ms
    os.umask(os.umask(0o022) | 0o022)  # nothing that promthctl makes is open to others' writing, whatever the umask
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # nothing has begun yet, so nothing is told
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from promthctl.errors import PrerequisiteError
    from promthctl.output import Output
    from promthctl.platforms import check_platform

    try:
        check_platform()
    except PrerequisiteError as error:
        output = Output(as_json="--json" in sys.argv)
        output.error(error)
        output.finish()
        sys.exit(error.exit_code)
    from promthctl.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
