"""Reads TAP, which pgTAP prints: https://testanything.org/tap-version-13-specification.html

Not by the library tap.py: that ends a description at any "#", also at pgTAP's escaped "\\#", so that a failing
assertion named "… \\# todo …" would pass; it takes a row "okay" for an assertion, and loads unittest to read a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

_RESULT = re.compile(r"(?P<no>not )?ok\b(?: +(?P<number>\d+))?(?P<rest>.*)", re.DOTALL)
_PLAN = re.compile(r"1\.\.(?P<count>\d+)\s*(?:#\s*(?:skip\S*\s*)?(?P<reason>.*))?", re.IGNORECASE)
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(?P<kind>todo|skip)\S*\s*(?P<reason>.*)", re.IGNORECASE)
_BAIL = re.compile(r"Bail out!\s*(?P<reason>.*)")
_SAID_ANYWAY = ("# Looks like you", "# No tests run!")  # pgTAP's finish() about the plan


@dataclass(frozen=True)
class Place:
    """file: as it is shown. line: from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Assertion:
    """number: as it is printed. place: of the statement that printed it. directive: of TAP, and its reason."""

    number: int
    ok: bool
    name: str
    place: Place
    directive: Literal["", "todo", "skip"] = ""
    reason: str = ""
    diagnostics: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return not self.ok and self.directive != "todo"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file beyond its assertions: an SQL error, a plan that was not kept."""

    message: str
    place: Place
    sqlstate: str = ""


@dataclass
class Tap:
    """What one file printed. bailed: the reason of a "Bail out!". skipped: that of a plan without tests."""

    assertions: list[Assertion] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    planned: int | None = None
    skipped: str | None = None
    bailed: str | None = None
    _plan_place: Place | None = None
    _inner: list[str] = field(default_factory=list)  # what a subtest said before its own result

    def feed(self, line: str, place: Place) -> None:
        """One line of output. place: of the statement that printed it."""
        if match := _RESULT.match(line):
            self._result(match, place)
        elif line.startswith("#"):
            self._diagnostic(line)
        elif match := _PLAN.fullmatch(line.rstrip()):
            self._plan(match, place)
        elif match := _BAIL.match(line):
            self.bailed = match["reason"].strip()
        elif line.startswith("    ") and line.lstrip().startswith(("not ok", "#")):
            self._inner.append(line.strip())

    def end(self, place: Place) -> None:
        """All was printed. place: the file's end."""
        count = len(self.assertions)
        if self.bailed is not None or any(problem.sqlstate for problem in self.problems):
            return  # it broke off
        if self.planned is None:
            self.problems.append(Problem("no plan: neither plan() nor no_plan() with finish() was called", place))
        elif self.planned != count:
            self.problems.append(Problem(f"planned {self.planned} and ran {count}", self._plan_place or place))

    def _result(self, match: re.Match[str], place: Place) -> None:
        number = int(match["number"] or len(self.assertions) + 1)
        if number != len(self.assertions) + 1:
            self.problems.append(Problem(f"test {number} came where {len(self.assertions) + 1} was expected", place))
        name, directive, reason = match["rest"].strip(), "", ""
        if found := _DIRECTIVE.search(name):
            directive, reason = found["kind"].lower(), found["reason"].strip()
            name = name[: found.start()].strip()
        name = name.removeprefix("-").strip().replace("\\#", "#").replace("\\\\", "\\")
        inner = () if match["no"] is None else tuple(self._inner)
        self._inner.clear()
        self.assertions.append(
            Assertion(number, match["no"] is None, name, place, directive, reason, inner)  # type: ignore[arg-type]
        )

    def _diagnostic(self, line: str) -> None:
        if self.assertions and not line.startswith(_SAID_ANYWAY):
            last = self.assertions[-1]
            said = line[1:].removeprefix(" ").rstrip()
            self.assertions[-1] = replace(last, diagnostics=(*last.diagnostics, said))

    def _plan(self, match: re.Match[str], place: Place) -> None:
        if self.planned is not None:
            self.problems.append(Problem("a second plan", place))
            return
        self.planned, self._plan_place = int(match["count"]), place
        if self.planned == 0 and not self.assertions:
            self.skipped = (match["reason"] or "").strip() or "no reason given"
