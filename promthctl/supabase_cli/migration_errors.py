"""A migration that failed: which file, line and statement, what stays applied of it, and what fixes it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.sql.committed import committed_before, sent_alone
from promthctl.sql.statements import split_statements
from promthctl.sql.tokens import line_at
from promthctl.supabase_cli.failures import USE_PINNED
from promthctl.targets import Target
from promthctl.toolchain import pg0
from promthctl.toolchain.python_packages import install_command

_STATEMENT = re.compile(r"^At statement: (\d+)$", re.MULTILINE)  # counted from 0
_SQLSTATE = re.compile(r"\(SQLSTATE ([0-9A-Z]{5})\)")
_EXTENSION = re.compile(r'extension "([^"]+)" is not available')
_PLATFORM = re.compile(r'schema "(auth|storage|extensions|realtime|vault)" does not exist')
_EXISTS = {"42P07", "42710", "42701", "42723", "42P06"}  # duplicate table, object, column, function, schema
_PIPELINE = re.compile(r"ERROR: (.*) cannot be executed within a pipeline")
_SHOWN_LINES = 6
_CARET = re.compile(r" *\^")  # the CLI cuts the statement after the line Postgres points at and marks the place
_TRAILING = re.compile(r"[ \t\r]+$", re.MULTILINE)  # an early v2 pads the lines it shows with spaces


def migration_error(
    target: Target, filename: str, migrations: Sequence[Migration], message: str
) -> PromthctlError | None:
    """The error for a migration that failed; None when the CLI does not say at which statement.

    filename: what the CLI was applying. migrations: with the paths to name (their source).
    """
    statement = _STATEMENT.search(message)
    if statement is None:
        return None
    reason = message[: statement.start()].strip()
    text = message[statement.end() :].strip("\n")
    number = int(statement[1])
    source = next((migration for migration in migrations if migration.filename == filename), None)
    line = _line_of(text, number, source.sql) if source else None
    place = f"line {line}, " if line else ""
    path = source.path if source else filename
    applied = _applied(filename, committed_before(source.sql, number) if source else 0)
    return PromthctlError(
        f"{filename} could not be applied to {target.label}",
        f"{place}statement {number + 1}: {reason}\n{_excerpt(text)}",
        hint(target, reason, f"correct {path} and run the same command again; {applied}"),
    )


def kept_statements(filename: str, migrations: Sequence[Migration], message: str) -> int:
    """How many statements of a file stay applied of which the CLI says that it failed; 0 where it does not say."""
    statement = _STATEMENT.search(message)
    source = next((migration for migration in migrations if migration.filename == filename), None)
    return committed_before(source.sql, int(statement[1])) if statement and source else 0


def what_stays(filename: str, migrations: Sequence[Migration], message: str) -> str:
    """As a clause for people: what stays applied of a file that failed."""
    return _applied(filename, kept_statements(filename, migrations, message))


def hint(target: Target, message: str, default: str) -> str:
    """What to do about what Postgres complained of."""
    if match := _EXTENSION.search(message):
        if not target.local:
            return f"install {match[1]} on that server, or push to a database that has it"
        if match[1] == "vector":
            return (
                f"{install_command(pg0.WHEEL)}; then set postgres = 18 under [tool.promthctl] in pyproject.toml and run"
                " promthctl local up"
            )
        return f"the local stack has no {match[1]}; promthctl push --db-url URL for a database that has it"
    if match := _PLATFORM.search(message):
        return (
            f"these migrations need Supabase's schema {match[1]}: push to a Supabase project or the local stack, or set"
            " migrations under [tool.promthctl] in pyproject.toml to a folder that does without"
        )
    if match := _PIPELINE.search(message):
        if sent_alone(match[1]):  # by the pinned version, not by an early v2
            return USE_PINNED
        return f"{match[1]} cannot run in a transaction: give it a migration of its own, as the first statement"
    state = _SQLSTATE.search(message)
    if state and state[1] in _EXISTS:
        return (
            "something made it before: if it was pasted by hand, promthctl migrations adopt; else write `if not exists`"
        )
    return default


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
    text, sql = _TRAILING.sub("", text), _TRAILING.sub("", sql)
    statement, _, last = text.rpartition("\n")
    pointed = _CARET.fullmatch(last) is not None
    if not pointed:
        statement = text
    pieces = split_statements(sql)
    start = pieces[number].start if number < len(pieces) else -1
    if start < 0 or not sql.startswith(statement, start):
        start = sql.find(statement)  # the CLI has cut it differently; the text is what counts
    if start < 0 or not statement:
        return None
    return line_at(sql, start + (len(statement) if pointed else _code_start(statement)))


def _code_start(statement: str) -> int:
    return next((piece.code for piece in split_statements(statement) if piece.code is not None), 0)


def _applied(filename: str, kept: int) -> str:
    """kept: how many of the file's statements stay applied."""
    if kept == 0:
        return f"nothing of {filename} was applied"
    return f"its first {f'{kept} statements were' if kept > 1 else 'statement was'} applied, and will run again"
