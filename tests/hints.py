"""Takes an error as it was printed, and does what its `next:` says.

    ROWS = (Row("engines/choosing.py · pick", "promthctl local up --engine x", Leave("--engine x")),)

    @pytest.mark.parametrize("row", ROWS, ids=str)
    def test_what_comes_next_helps(row, make_project): follow(row, Place(make_project()))

The key is a module and a function of tests/error_messages.txt. What is printed is compared with the texts that stand
there, so that a row cannot claim an error that it does not meet; tests/unit/test_hints_followed.py reads the keys from
the calls of `Row` and `told` in the tests. A situation that no row can make is made by a test of its own, with `told`
and `Place.shell`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import psycopg

from promthctl.errors import PromthctlError
from tests import fork_server
from tests.error_messages import SNAPSHOT
from tests.promthctl_runner import Project

# The command as a person has it on the PATH; a stack never gets the ports of another one.
_PROMTHCTL = """promthctl() {
  if [ "$1 $2" = "local up" ]; then shift 2; set -- local up --api-port 0 --db-port 0 "$@"; fi
  "$PYTHON" -m promthctl "$@"
}
"""
# A line that is one command and starts nothing that goes on.
_PLAIN = re.compile(r"promthctl (?!local (up|reset)\b)[^;|&$<>`~*?\n]*")


@dataclass(frozen=True)
class Told:
    """An error as it was printed, without the labels and the indentation."""

    what: str
    why: str
    hint: str


def told(key: str, printed: str | PromthctlError) -> Told:
    """The last error on standard error, or one that was raised, which must be one of those that `key` makes."""
    if isinstance(printed, PromthctlError):
        parts = {"error": printed.what, "  why": printed.why, " next": printed.hint}
        printed = "\n".join(f"{label}: {text}".replace("\n", "\n" + " " * 7) for label, text in parts.items())
    found = _errors(printed)
    assert found, f"no error was printed:\n{printed}"
    error = found[-1]
    alike = [what for what, hint in texts(key) if re.fullmatch(what, error.what) and re.fullmatch(hint, error.hint)]
    assert alike, f"this is not an error of {key}:\n{printed}"
    return error


def _errors(printed: str) -> list[Told]:
    label = r"(?:^|\[y/N\] )error: (.*?)\n  why: (.*?)\n next: (.*?)(?=\n(?! {7})|\Z)"
    found = re.findall(label, printed.replace("\r", ""), re.MULTILINE | re.DOTALL)
    return [Told(*(text.replace("\n       ", "\n") for text in error)) for error in found]


@cache
def texts(key: str) -> list[tuple[str, str]]:
    """Patterns for the first line and the hint of every error that a function makes."""
    found = [
        (_pattern(what), _pattern(hint))
        for block in SNAPSHOT.read_text(encoding="utf-8").strip().split("\n\n")
        if block.partition("\n")[0].removeprefix("promthctl/").rpartition(" · ")[0] == key
        for what in _lines(block, "error")
        for hint in _lines(block, " next")
    ]
    assert found, f"{key} makes no error"
    return found


def _lines(block: str, label: str) -> list[str]:
    found = re.findall(rf"^  {label}: (.*(?:\n {{9}}.*)*)", block, re.MULTILINE)
    return [text.replace("\n" + " " * 9, "\n") for text in found]


def _pattern(text: str) -> str:
    """A text of the snapshot, where an expression in braces stands for anything."""
    return "".join(re.escape(part) if number % 2 == 0 else "(?s:.*)" for number, part in enumerate(_parts(text)))


def _parts(text: str) -> Iterator[str]:
    """What stands outside of braces and within them, by turns."""
    depth = begin = 0
    for place, character in enumerate(text):
        if character == "{":
            if depth == 0:
                yield text[begin:place]
                begin = place
            depth += 1
        elif character == "}" and depth:
            depth -= 1
            if depth == 0:
                yield text[begin : place + 1]
                begin = place + 1
    yield text[begin:]


@dataclass
class Place:
    """Where commands run: a project's folder, as a person's shell has it. values: for {NAME} in a row's texts."""

    project: Project
    values: dict[str, str] = field(default_factory=dict)

    def shell(self, words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a line; no run may end in a traceback."""
        done = self._promthctl(words, typed) if _PLAIN.fullmatch(words) else self._shell(words, typed)
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def _promthctl(self, words: str, typed: str) -> subprocess.CompletedProcess[str]:
        split = shlex.split(words)[1:]
        return fork_server.run(split, self.project.environment(), self.project.path, typed)

    def _shell(self, words: str, typed: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", "-c", _PROMTHCTL + words],
            cwd=self.project.path,
            env=self.project.environment(PYTHON=sys.executable, PATH=path),
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
        )  # fmt: skip

    def must(self, words: str) -> str:
        """Run a line that has to succeed; its standard output."""
        done = self.shell(words)
        assert done.returncode == 0, f"{words}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def sql(self, text: str) -> None:
        """Run SQL in the database that {owner} of the values names."""
        with psycopg.connect(self.values["owner"], autocommit=True) as connection:
            connection.execute(self.fill(text).encode(), prepare=False)

    def write(self, path: str, text: str) -> None:
        file = self.project.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def fill(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(f"{{{name}}}", value)
        return text


class Step(Protocol):
    """Something that a hint says to do. says: a pattern for the words that say so, or its first group for them."""

    @property
    def says(self) -> str: ...

    def do(self, said: str, words: str, place: Place) -> str:
        """Do it; the command to try then, `words` when that is the one which failed."""
        ...


@dataclass(frozen=True)
class Run:
    """A command of the hint is run before the one that failed. fill: what a person writes for its placeholders.

    adds: what the person adds to it, such as the answer to its question.
    """

    says: str
    fill: tuple[tuple[str, str], ...] = ()
    adds: str = ""

    def do(self, said: str, words: str, place: Place) -> str:
        said = f"{place.fill(_filled(said, self.fill))} {self.adds}".strip()
        place.must(said)
        for name in re.findall(r"\bunset (\w+)", said):  # what it does to the shell that the next command runs in
            place.project.extra.pop(name, None)
        return words


@dataclass(frozen=True)
class Sql:
    """SQL of the hint is run in the database, {owner} in the place's values."""

    says: str

    def do(self, said: str, words: str, place: Place) -> str:
        place.sql(said)
        return words


@dataclass(frozen=True)
class Instead:
    """A command of the hint is run instead of the one that failed, with what the person adds to it."""

    says: str
    fill: tuple[tuple[str, str], ...] = ()
    adds: str = ""

    def do(self, said: str, words: str, place: Place) -> str:
        return f"{_filled(said, self.fill)} {self.adds}"


@dataclass(frozen=True)
class Option:
    """The same command with an option of the hint, in place of the same one if it is there. value: if it names none."""

    says: str
    value: str = ""

    def do(self, said: str, words: str, place: Place) -> str:
        name, _, value = said.partition(" ")
        given = f"{name} {self.value or value}".strip()
        there = re.search(rf"{name}(?: (?:'[^']*'|[^\s'-]\S*))?(?=\s|$)", words)
        return words.replace(there[0], given) if there else f"{words} {given}"


@dataclass(frozen=True)
class Leave:
    """The same command without a part of it."""

    part: str
    says: str = "leave"

    def do(self, said: str, words: str, place: Place) -> str:
        assert self.part in words
        return words.replace(self.part, "")


@dataclass(frozen=True)
class Say:
    """The same command with a part of it said otherwise."""

    old: str
    new: str
    says: str

    def do(self, said: str, words: str, place: Place) -> str:
        old = place.fill(self.old)
        assert old in words
        return words.replace(old, place.fill(self.new))


@dataclass(frozen=True)
class Edit:
    """A file as it is after the edit that the hint names. more: the text is added to what is there."""

    path: str
    text: str
    says: str
    more: bool = False

    def do(self, said: str, words: str, place: Place) -> str:
        file = place.project.path / self.path
        before = file.read_text(encoding="utf-8") if self.more and file.exists() else ""
        place.write(self.path, before + place.fill(self.text))
        return words


@dataclass(frozen=True)
class Put:
    """What the hint writes out is written into a file, in place of a text."""

    path: str
    old: str
    says: str

    def do(self, said: str, words: str, place: Place) -> str:
        text = (place.project.path / self.path).read_text(encoding="utf-8")
        assert self.old in text
        place.write(self.path, text.replace(self.old, said))
        return words


@dataclass(frozen=True)
class Set:
    """A variable of the environment, as the hint says."""

    name: str
    value: str
    says: str

    def do(self, said: str, words: str, place: Place) -> str:
        place.project.extra[self.name] = place.fill(self.value)
        return words


@dataclass(frozen=True)
class ByHand:
    """What the hint says in words, as a line of a shell."""

    command: str
    says: str

    def do(self, said: str, words: str, place: Place) -> str:
        place.must(place.fill(self.command))
        return words


@dataclass(frozen=True)
class Row:
    """A situation, the command that fails in it, and what of its hint is done.

    key: of the error. words: the command, a line of a shell. steps: what is done, in order; then the command succeeds,
    or comes to another outcome, which has `then`. files: what is there, by path. sql: see Place.sql. before: a line of
    a shell that is run after these. typed: standard input. env: variables of all these. name: tells the rows of a key
    from one another.
    """

    key: str
    words: str
    steps: Step | tuple[Step, ...]
    then: str = ""
    files: tuple[tuple[str, str], ...] = ()
    before: str = ""
    env: tuple[tuple[str, str], ...] = ()
    typed: str = ""
    sql: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.key.removesuffix('.py').replace('.py · ', '.')}{f' {self.name}' if self.name else ''}"


def follow(row: Row, place: Place) -> None:
    """Make the row's situation, meet its error, do what it says, and see that this has changed something."""
    project = place.project
    place = replace(
        place, project=replace(project, extra={**project.extra, **{name: place.fill(value) for name, value in row.env}})
    )
    for path, text in row.files:
        place.write(path, place.fill(text))
    if row.sql:
        place.sql(row.sql)
    if row.before:
        place.must(place.fill(row.before))
    words = place.fill(row.words)
    first = place.shell(words, row.typed)
    assert first.returncode, f"{words} succeeded:\n{first.stdout}\n{first.stderr}"
    error = told(row.key, first.stderr)
    for step in row.steps if isinstance(row.steps, tuple) else (row.steps,):
        said = re.search(step.says, error.hint)
        assert said, f"{step.says!r} is not in the hint: {error.hint}"
        words = place.fill(step.do(said[1] if said.re.groups else said[0], words, place))
    second = place.shell(words, row.typed)
    outcome = f"{words}\nexit {second.returncode}\n{second.stdout}\n{second.stderr}"
    assert not any((each.what, each.why) == (error.what, error.why) for each in _errors(second.stderr)), outcome
    if row.then:
        assert row.then in second.stdout + second.stderr, outcome
    else:
        assert second.returncode == 0, outcome


def _filled(words: str, fill: tuple[tuple[str, str], ...]) -> str:
    for placeholder, value in fill:
        assert placeholder in words, f"{placeholder} is not in {words}"
        words = words.replace(placeholder, value)
    return words
