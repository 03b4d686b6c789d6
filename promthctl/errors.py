"""What can go wrong, as a person reads it: what failed, why, what to run next.

Every error that leaves promthctl is a PromthctlError; anything else is a bug. The exit code says which kind:

    0 done · 1 the operation or a check failed · 2 usage · 3 a prerequisite is missing
    4 the target cannot be reached, refuses the credentials, or cannot be changed now
    5 refused by a guard · 130 interrupted
"""

from __future__ import annotations


class PromthctlError(Exception):
    """The operation failed (exit code 1).

    what: one sentence naming the object, e.g. "001_init.sql could not be applied".
    why: the cause; may span lines when it shows a statement or a diff.
    hint: the command or edit that fixes it.
    """

    exit_code = 1

    def __init__(self, what: str, why: str, hint: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why
        self.hint = hint


class UsageError(PromthctlError):
    """The command line or a configuration file says something impossible."""

    exit_code = 2


class PrerequisiteError(PromthctlError):
    """Something promthctl needs is missing on this machine."""

    exit_code = 3


class TargetError(PromthctlError):
    """The target cannot be reached, refuses the credentials, or is in no state to be changed (its disk is full …)."""

    exit_code = 4


class RefusedError(PromthctlError):
    """A guard refused: nothing was changed."""

    exit_code = 5
