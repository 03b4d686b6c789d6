"""What can go wrong, as a person reads it: what failed, why, what to run next.

Every error that leaves promthctl is a PromthctlError; anything else is a bug. The exit code says which kind:

    0 done · 1 the operation or a check failed · 2 usage · 3 a prerequisite is missing
    4 the target cannot be reached, refuses the credentials, or cannot be changed now
    5 refused by a guard · 130 interrupted
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # the exit code after Ctrl-C

# What a script may compare. A name behind a dot is more exact; one may get such a name in a later version.
CODES = {
    "failed": "the operation or a part of it failed",
    "usage": "the command line or a configuration file says something impossible",
    "usage.command_line": "an option, an argument or a command that promthctl does not have",
    "prerequisite": "something that promthctl needs is missing on this machine",
    "target": "the target fails, or cannot be changed now",
    "target.unreachable": "no connection to the target's database or API",
    "target.credentials": "the target refuses the credentials",
    "refused": "a guard refused, and nothing was changed",
    "refused.confirmation": "a question was not answered with yes; --yes answers it",
    "refused.destructive": "a push that destroys data; --allow-destructive allows it",
    "refused.history": "the target's history and the files disagree",
    "refused.locked": "another promthctl is changing the same target",
    "interrupted": "Ctrl-C, or a signal to stop",
    "bug": "an exception that promthctl did not expect",
}


class PromthctlError(Exception):
    """The operation failed (exit code 1).

    what: one sentence naming the object, e.g. "001_init.sql could not be applied".
    why: the cause; may span lines when it shows a statement or a diff.
    hint: the command or edit that fixes it. migration: the file name of the one that failed, where one did.
    code: one of CODES, otherwise the class's.
    """

    code = "failed"
    exit_code = 1
    migration: str | None = None

    def __init__(self, what: str, why: str, hint: str, *, code: str | None = None) -> None:
        super().__init__(f"{what}: {why}")
        if code is not None:
            self.code = code
        self.what = what
        self.why = why
        self.hint = hint


class UsageError(PromthctlError):
    """The command line or a configuration file says something impossible."""

    code = "usage"
    exit_code = 2


class PrerequisiteError(PromthctlError):
    """Something promthctl needs is missing on this machine."""

    code = "prerequisite"
    exit_code = 3


class TargetError(PromthctlError):
    """The target cannot be reached, refuses the credentials, or is in no state to be changed (its disk is full …)."""

    code = "target"
    exit_code = 4


class RefusedError(PromthctlError):
    """A guard refused: nothing was changed."""

    code = "refused"
    exit_code = 5


class ConfirmationError(RefusedError):
    """A question was not answered with yes, or nobody was there to answer it: nothing was changed."""

    code = "refused.confirmation"


class Bug(PromthctlError):
    """An exception that promthctl did not expect."""

    code = "bug"


@contextmanager
def already_done(done: str, then: str, state: str) -> Iterator[None]:
    """What fails in the block comes after a change: the error says that the change is done.

    done, then: the two halves of the sentence, e.g. "X was reset" and "what it has now could not be read". state: ends
    the hint, e.g. "the reset is done".
    """
    try:
        yield
    except PromthctlError as error:
        # The command that was run would change it again.
        hint = error.hint.removesuffix(", then run the same command again")
        code = None if isinstance(error, RefusedError) else error.code
        kind = PromthctlError if isinstance(error, RefusedError) else type(error)  # that means: nothing was changed
        raise kind(f"{done}, and {then}", f"{error.what}\n{error.why}", f"{hint}; {state}", code=code) from None
