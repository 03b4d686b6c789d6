"""The Supabase CLI: applies migrations and owns the history. We run it, read its JSON, and explain its errors.

The password goes to it in PGPASSWORD, never in argv. Dialect: v3, `--remote=URL` and `--yes`.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promthctl import process
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

_APPLYING = re.compile(r"^Applying migration (\S+)\.\.\.$")
_STATEMENT = re.compile(r"^At statement: (\d+)$", re.MULTILINE)  # counted from 0
_SQLSTATE = re.compile(r"\(SQLSTATE ([0-9A-Z]{5})\)")
_EXTENSION = re.compile(r'extension "([^"]+)" is not available')
_EXISTS = {"42P07", "42710", "42701", "42723", "42P06"}  # duplicate table, object, column, function, schema
_SHOWN_LINES = 6
_CARET = re.compile(r" *\^")  # the CLI cuts the statement after the line Postgres points at and marks the place
# What a semicolon inside does not end; the rest one character or word at a time.
_TOKEN = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "[^"]*" | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
    | (?P<gap>/\*.*?\*/ | --[^\n]* | \s+) | (?P<word>[^\W\d][\w$]*) | .""",
    re.DOTALL | re.VERBOSE,
)
_ENDS_TRANSACTION = {"commit", "rollback", "vacuum"}  # as first words


@dataclass(frozen=True)
class SupabaseCli:
    """binary: the CLI's executable. settings: of the project whose supabase/ folder it works in."""

    binary: Path
    settings: Settings

    def push(self, target: Target, migrations: Sequence[Migration], steps: Steps) -> tuple[str, ...]:
        """`supabase db push`: apply what is pending; the names of the files applied.

        migrations: the files of supabase/migrations with the paths to name in errors (their source).
        Raises PromthctlError naming file, line and statement when a migration fails; nothing of it stays.
        """
        with steps.step("Applying migrations") as update:
            answer = self._run(target, ["db", "push"], update)
        if answer.code == 0:
            return tuple(_body(answer).get("migrations", ()))
        raise self._failure(target, answer, migrations, "The push")

    def reset(self, target: Target, migrations: Sequence[Migration], steps: Steps) -> None:
        """`supabase db reset`: drop what the migrations made, replay them all. Raises as push does."""
        with steps.step("Resetting the database") as update:
            answer = self._run(target, ["db", "reset", "--no-seed"], update)
        if answer.code != 0:
            raise self._failure(target, answer, migrations, "The reset")

    def advisors(self, target: Target) -> tuple[str, ...]:
        """`supabase db advisors`: what it warns of, one line each. Raises PromthctlError where it cannot run."""
        answer = self._run(target, ["db", "advisors", "--level", "warn"], lambda _: None)
        found = _body(answer).get("results")
        if not isinstance(found, list):
            raise self._failure(target, answer, (), "The advisors' reading")
        return tuple(redact(f"{one.get('title', one.get('name'))}: {one.get('detail', '')}") for one in found)

    def _run(self, target: Target, words: Sequence[str], update: Any) -> process.Completed:
        def relay(line: str) -> None:
            if match := _APPLYING.match(line):
                update(match[1])

        options = [f"--remote={target.url}", "--yes", "--output-format", "json", "--agent", "no"]
        options += ["--workdir", str(self.settings.project_dir)]
        quiet = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_UPDATE_NOTIFIER": "0"}
        tls = {"PGSSLMODE": "disable"} if target.local else {}  # ours speaks none; the CLI would try and warn
        env = self.settings.child_env(**quiet, **tls, **target.environment())
        return process.run([self.binary, *words, *options], env=env, cwd=self.settings.project_dir, on_line=relay)

    def _failure(
        self, target: Target, answer: process.Completed, migrations: Sequence[Migration], what: str
    ) -> PromthctlError:
        error = _body(answer).get("error", {})
        message = redact(str(error.get("message") or answer.stderr or answer.stdout)).strip()
        applying = [match[1] for line in answer.stderr.splitlines() if (match := _APPLYING.match(line))]
        statement = _STATEMENT.search(message)
        if applying and statement:
            return _migration_error(target, applying[-1], migrations, message, statement)
        return PromthctlError(
            f"{what} to {target.label} failed" if what == "The push" else f"{what} of {target.label} failed",
            message or f"the Supabase CLI ended with code {answer.code} and said nothing",
            _hint(target, message, "promthctl migrations list shows what is applied; nothing else was changed"),
        )


def _migration_error(
    target: Target, filename: str, migrations: Sequence[Migration], message: str, statement: re.Match[str]
) -> PromthctlError:
    """What the CLI said about one statement, with the line it stands on."""
    reason = message[: statement.start()].strip()
    text = message[statement.end() :].strip("\n").replace("\r\n", "\n")
    number = int(statement[1])
    source = next((migration for migration in migrations if migration.filename == filename), None)
    line = _line_of(text, number, source.sql) if source else None
    place = f"line {line}, " if line else ""
    path = source.path if source else filename
    stays = f"nothing of {filename} was applied"
    if source and _commits(source.sql, number):
        stays = "what stands before that statement was applied: it cannot run in a transaction"
    return PromthctlError(
        f"{filename} could not be applied to {target.label}",
        f"{place}statement {number + 1}: {reason}\n{_excerpt(text)}",
        _hint(target, reason, f"correct {path} and run the same command again; {stays}"),
    )


def _excerpt(text: str) -> str:
    """The statement, or some lines of it: its beginning, or what leads to the place Postgres points at."""
    rows = text.splitlines()
    if len(rows) > _SHOWN_LINES:
        rows = ["…", *rows[-_SHOWN_LINES:]] if _CARET.fullmatch(rows[-1]) else [*rows[:_SHOWN_LINES], "…"]
    return "\n".join(f"    {row}" for row in rows)


def _line_of(text: str, number: int, sql: str) -> int | None:
    """The line, from 1, that Postgres points at, else the one on which the statement's first code stands.

    text: the statement as the CLI shows it, perhaps with its caret. number: its place in the file, from 0.
    """
    sql = sql.replace("\r\n", "\n")
    statement, _, last = text.rpartition("\n")
    pointed = _CARET.fullmatch(last) is not None
    if not pointed:
        statement = text
    start = next(itertools.islice(_statements(sql), number, None), (-1, ()))[0]
    if start < 0 or not sql.startswith(statement, start):
        start = sql.find(statement)  # cut otherwise than the CLI does; the text is what counts
    if start < 0 or not statement:
        return None
    code = len(statement) if pointed else _code_start(statement)
    return sql.count("\n", 0, start + code) + 1


def _statements(sql: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Where each statement begins, leading comments included, and its words outside of strings and comments."""
    begin: int | None = None
    words: list[str] = []
    for token in _TOKEN.finditer(sql):
        if token[0] == ";":
            if begin is not None:
                yield begin, tuple(words)
            begin, words = None, []
        elif begin is None and not token[0].isspace():
            begin = token.start()
        if token["word"]:
            words.append(token["word"].lower())
    if begin is not None:
        yield begin, tuple(words)


def _code_start(statement: str) -> int:
    return next((token.start() for token in _TOKEN.finditer(statement) if not token["gap"]), 0)


def _commits(sql: str, number: int) -> bool:
    """True if one of the statements before that one, or itself, makes the CLI leave its transaction."""
    return any(
        "concurrently" in words or _ENDS_TRANSACTION.intersection(words[:1])
        for _, words in itertools.islice(_statements(sql), number + 1)
    )


def _hint(target: Target, message: str, default: str) -> str:
    if match := _EXTENSION.search(message):
        if not target.local:
            return f"install {match[1]} on that server, or push to a database that has it"
        if match[1] == "vector":
            return 'pip install "promthctl[pgvector]" and set [tool.promthctl] postgres = 18 in pyproject.toml'
        return f"the embedded engine has no {match[1]}; promthctl push --db-url URL for a database that has it"
    state = _SQLSTATE.search(message)
    if state and state[1] in _EXISTS:
        return (
            "something made it before (pasted SQL?): write `if not exists`, or promthctl local reset on the local stack"
        )
    return default


def _body(answer: process.Completed) -> dict[str, Any]:
    """The JSON object on the CLI's standard output, empty when it printed none."""
    for line in reversed(answer.stdout.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}
