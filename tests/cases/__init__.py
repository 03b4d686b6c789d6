"""Cases as folders of SQL (README.md says how to add one): found here, and compared with what they expect."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent
REWRITE = "REWRITE_EXPECTED"  # the environment variable: when set, expected.json is written, not compared
_WIDTH = 120  # what fits into a line of expected.json stays on it


@dataclass(frozen=True)
class Case:
    """One folder. old: SQL that leads to the state before, often none; new: the SQL under test."""

    folder: Path
    old: str
    new: str

    @property
    def name(self) -> str:
        """Its path in its group, e.g. grants/granted-to-anon."""
        return "/".join(self.folder.relative_to(ROOT).parts[1:])

    @property
    def topic(self) -> str:
        """The first part of the name."""
        return self.name.partition("/")[0]

    @property
    def expected(self) -> dict[str, Any]:
        """What expected.json says; empty while there is none."""
        file = self.folder / "expected.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def wants(self, key: str) -> bool:
        """Whether expected.json has it; a case without one wants everything."""
        return not self.expected or key in self.expected

    def check(self, actual: dict[str, Any]) -> None:
        """Compare with expected.json, or rewrite it when REWRITE_EXPECTED is set."""
        if os.environ.get(REWRITE):
            (self.folder / "expected.json").write_text(_readable(actual) + "\n", encoding="utf-8")
        elif actual != self.expected:
            hint = f"If that is right: {REWRITE}=1 pytest tests/embedded -k {self.name}, and read the diff."
            pytest.fail(f"{_diff(self.expected, actual)}\n{hint}", pytrace=False)


def find_cases(group: str) -> list[Case]:
    """Every folder with a new.sql below tests/cases/<group>, by name."""
    found = [Case(file.parent, _text(file.with_name("old.sql")), _text(file)) for file in _files(group)]
    assert found, f"{ROOT / group} has no new.sql in it"
    return found


def base_sql(group: str) -> str:
    """The SQL that all cases of a group start from."""
    return _text(ROOT / group / "base.sql")


def case_names(cases: Collection[Case]) -> list[str]:
    """The test ids."""
    return [case.name for case in cases]


def _files(group: str) -> list[Path]:
    return sorted((ROOT / group).rglob("new.sql"))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _diff(expected: dict[str, Any], actual: dict[str, Any]) -> str:
    before, after = (_readable(each).splitlines() for each in (expected, actual))
    return "\n".join(difflib.unified_diff(before, after, "expected.json", "this run", n=2, lineterm=""))


def _readable(value: Any, indent: str = "") -> str:
    """JSON in which short values stay on one line, so that a diff shows one fact a line."""
    line = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, (dict, list)) or len(indent + line) <= _WIDTH:
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        items, brackets = [_readable(item, deeper) for item in value], "[]"
    else:
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_readable(item, deeper)}" for key, item in value.items()]
        brackets = "{}"
    body = ",\n".join(deeper + item for item in items)
    return f"{brackets[0]}\n{body}\n{indent}{brackets[1]}"
