"""What a failed run of the Supabase CLI means, whatever the command was."""

from __future__ import annotations

import re

from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.supabase_cli.dialects import Answer

USE_PINNED = "this version of the Supabase CLI cannot do that: run it again with --supabase-cli pinned"
_UNKNOWN_OPTION = re.compile(r"(?:Unrecognized|unknown) (?:flag|option)\b")


def is_unknown_option(answer: Answer) -> bool:
    """True when that version of the CLI does not have an option it was given."""
    return not answer.ok and _UNKNOWN_OPTION.search(answer.message) is not None


def cli_error(what: str, answer: Answer, hint: str, kind: type[PromthctlError] = PromthctlError) -> PromthctlError:
    """The error for a run that failed: a PrerequisiteError when that version cannot do it, otherwise of that kind."""
    if is_unknown_option(answer):
        return PrerequisiteError(what, answer.message, USE_PINNED)
    return kind(what, answer.message, hint)
