"""Every error's wording stands in one file, which is read when it changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.error_messages import PACKAGE, SNAPSHOT, render

# Words that do not belong into what people read, and what to write.
_UNIDIOMATIC = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\banew\b": "again, or re-…",
    r"(?<!there )(?<!There )\b(is|are) no (?!longer\b)[a-z]+": "is not a …",
    r"\bone of them lacks\b|\black(s|ing)?\b": "is missing",
    r"\ba yes\b": "confirmation",
    r"\bleash\b": "kill with parent",
}


def test_the_snapshot_has_every_error_as_it_is_worded_now() -> None:
    assert SNAPSHOT.read_text(encoding="utf-8") == render(), "python -m tests.error_messages rewrites it: read the diff"


@pytest.mark.parametrize("pattern", _UNIDIOMATIC)
def test_errors_are_in_plain_english(pattern: str) -> None:
    found = [line for line in SNAPSHOT.read_text(encoding="utf-8").splitlines() if re.search(pattern, line)]
    assert not found, f"write: {_UNIDIOMATIC[pattern]}"


def test_an_error_is_found_with_all_that_it_may_say(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text(
        "class PromthctlError(Exception): ...\n"
        "class SpecialError(PromthctlError): ...\n"
        "_HINT = 'run it again'\n"
        "def fail(path, why):\n"
        "    what = f'{path} failed' if path else 'it failed'\n"
        "    return SpecialError(what, why, _HINT)\n"
        "def one(): raise fail('a', 'it is missing')\n"
        "def two(): raise fail('b', why='it is' + ' a folder')\n",
        encoding="utf-8",
    )
    assert render(package) == (
        "package/module.py · fail · SpecialError\n"
        "  error: {path} failed\n"
        "  error: it failed\n"
        "    why: it is missing\n"
        "    why: it is a folder\n"
        "   next: run it again\n"
    )
    assert PACKAGE.is_dir()
