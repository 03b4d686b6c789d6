"""A migration that failed: which file, line and statement, what stays applied of it, and what fixes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promthctl.database import Aftermath, advice_for
from promthctl.database.sqlstates import cause_of, is_lost
from promthctl.errors import PromthctlError, TargetError
from promthctl.migration_set import Migration
from promthctl.settings import Settings
from promthctl.sql.committed import commits_unseen, committed_before, sent_alone
from promthctl.sql.statements import split_statements
from promthctl.sql.tokens import line_at
from promthctl.supabase_cli.failures import USE_PINNED
from promthctl.supabase_cli.missing_extension import how_to_get
from promthctl.targets import Target, command_line_options

_STATEMENT = re.compile(r"^At statement: (\d+)$", re.MULTILINE)  # counted from 0
_SQLSTATE = re.compile(r"\(SQLSTATE ([0-9A-Z]{5})\)")
_EXTENSION = re.compile(r'extension "([^"]+)" is not available')
_ABSENT = re.compile(r'extension "([^"]+)" does not exist')
_STAND_IN = re.compile(r"(\S+) is not available on the embedded engine")
_PRELOADED = re.compile(
    r"(\w+) (?:can only be loaded|must be loaded|is not in|needs to be loaded|must be preloaded)"
    r".* shared_preload_libraries"
)
_PLATFORM = re.compile(r'schema "(auth|storage|extensions|realtime|vault)" does not exist')
_OF_EXTENSION = re.compile(r'schema "(cron|net|pgmq|graphql|graphql_public|topology|partman)" does not exist')
_EXTENSIONS = {
    "cron": "pg_cron",
    "net": "pg_net",
    "graphql": "pg_graphql",
    "graphql_public": "pg_graphql",
    "topology": "postgis_topology",
    "partman": "pg_partman",
}
_KEPT_SCHEMA = re.compile(r"permission denied for schema (auth|storage|realtime|vault)\b")
_KEPT_TABLE = re.compile(r"must be owner of (?:table|relation) (objects|buckets|messages|users)\b")
_EVENT_TRIGGER = re.compile(r"permission denied to create event trigger")
_EXISTS = {"42P07", "42710", "42701", "42723", "42P06"}  # duplicate table, object, column, function, schema
_PIPELINE = re.compile(r"ERROR: (.*) cannot be executed within a pipeline")
_SHOWN_LINES = 6
_CARET = re.compile(r" *\^")  # the CLI cuts the statement after the line Postgres points at and marks the place
_TRAILING = re.compile(r"[ \t\r]+$", re.MULTILINE)  # an early v2 pads the lines it shows with spaces


@dataclass(frozen=True)
class FailedRun:
    """A run of the CLI that failed while it applied a file.

    filename: that file's name. migrations: all of the run, with the paths to name (their source). message: the CLI's.
    after: what the target says now.
    """

    settings: Settings
    target: Target
    filename: str
    migrations: Sequence[Migration]
    message: str
    after: Aftermath

    @property
    def source(self) -> Migration | None:
        return next((migration for migration in self.migrations if migration.filename == self.filename), None)

    @property
    def state(self) -> str | None:
        return sqlstate(self.message)

    @property
    def applied(self) -> bool:
        """The target has the file in its history, whatever the CLI says."""
        return bool(self.after.history and self.source and self.source.version in self.after.history)


def sqlstate(message: str) -> str | None:
    """The SQLSTATE in the CLI's message; None where no server has said anything."""
    found = _SQLSTATE.search(message)
    return found[1] if found else None


def migration_error(run: FailedRun) -> PromthctlError:
    """The error for a migration that failed, or of which the run did not see the end: then a TargetError."""
    error = _error(run)
    error.migration = run.filename
    return error


def _error(run: FailedRun) -> PromthctlError:
    statement = _STATEMENT.search(run.message)
    if statement is None or is_lost(run.state) or run.applied:
        return _broken_off(run, run.message[: statement.start() if statement else None].strip())
    reason = run.message[: statement.start()].strip()
    text = run.message[statement.end() :].strip("\n")
    number = int(statement[1])
    source = run.source
    line = _line_of(text, number, source.sql) if source else None
    place = f"line {line}, " if line else ""
    applied = _applied(run, number)
    advice = advice_for(run.target, run.state, reason)
    cause = cause_of(run.state)
    path = source.path if source else run.filename
    if cause.fault == "file":
        advice = f"correct {path} and run the same command again"
    elif cause.fault == "rights" and run.target.local:  # where the role is postgres in any case
        advice = (
            f"correct {path}: `set role NAME;` before that statement, for a role that may do it and that postgres is"
            " a member of, and `reset role;` after it"
        )
    elif cause.fault == "rights":
        advice = f"{advice}, or correct {path}"
    kind = TargetError if cause.by_target else PromthctlError
    return kind(
        f"{run.filename} could not be applied to {run.target.label}",
        f"{place}statement {number + 1}: {reason}\n{_excerpt(text)}",
        hint(
            run.settings,
            run.target,
            reason,
            f"{advice or f'settle what {path} meets there and run it again'}; {applied}",
        ),
    )


def _broken_off(run: FailedRun, reason: str) -> TargetError:
    """Nobody saw the file's end: what the target says about it now."""
    name, after, again = run.filename, run.after, advice_for(run.target, run.state, reason)
    again = again or "check the network, then run the same command again"
    shown = command_line_options(run.target)
    if after.history is None:
        found = f"whether {name} was applied is not known: {run.target.label} does not answer now ({after.silence})"
        again = f"when it answers again: promthctl migrations list{shown} shows what is applied; then run this again"
    elif run.applied:
        found = f"the server finished {name} all the same: it is in the history, and applied"
        again = f"{again}: it goes on after {name}"
    elif after.working is not None:
        found = f"whether {name} will be applied is not known: session {after.working} there still works on it"
        again = "run the same command again: it waits until that session is done"
    else:
        found = f"{name} is not in the history, and no session works on it any more: {_applied(run, None)}"
    return TargetError(f"The run on {run.target.label} broke off in {name}", f"{reason}\n{found}", again)


def kept_statements(filename: str, migrations: Sequence[Migration], message: str) -> int:
    """How many statements of a file stay applied of which the CLI says that it failed; 0 where it does not say."""
    statement = _STATEMENT.search(message)
    source = next((migration for migration in migrations if migration.filename == filename), None)
    return committed_before(source.sql, int(statement[1])) if statement and source else 0


def what_stays(filename: str, migrations: Sequence[Migration], message: str) -> str:
    """As a clause for people: what stays applied of a file that failed."""
    statement = _STATEMENT.search(message)
    source = next((migration for migration in migrations if migration.filename == filename), None)
    return _stays(filename, source.sql if source else "", int(statement[1]) if statement else None)


def hint(settings: Settings, target: Target, message: str, default: str) -> str:
    """What to do about what Postgres complained of."""
    if match := _EXTENSION.search(message):
        if not target.local:
            return f"install {match[1]} on that server, or push to a database that has it"
        return how_to_get(settings, match[1])
    if (match := _STAND_IN.search(message)) and target.local:
        return f"these migrations call {match[1]}, which only stands in here: promthctl local up --engine docker has it"
    if match := _ABSENT.search(message):  # pg_graphql, say, which Supabase created in each project until 2026
        return (
            f"a new Supabase project comes without {match[1]}: write `drop extension if exists`, or `create extension"
            " if not exists` before what needs it"
        )
    if _EVENT_TRIGGER.search(message) and target.local:
        return (
            "the embedded engine leaves event triggers to superusers, as PostgreSQL does: "
            "promthctl local up --engine docker, or push to a hosted project, where postgres may create them"
        )
    if match := _PRELOADED.search(message):
        if not target.local:
            return f"have {match[1]} added to shared_preload_libraries of that server, or create it in the dashboard"
        return "promthctl local down, then promthctl local up: the database loads the extension when it starts"
    if match := _OF_EXTENSION.search(message):
        name = _EXTENSIONS.get(match[1], match[1])
        return (
            f"a new database comes without {name}, which may have been switched on in the dashboard: write `create"
            f" extension if not exists {name};` before what needs it, in a migration that comes before or in this one"
        )
    if match := _KEPT_SCHEMA.search(message):
        return (
            f"Supabase keeps the schema {match[1]} to itself, hosted too: make it in a schema of the project's own"
            " (`create schema if not exists app;` before it), and change the files that name it"
        )
    if match := _KEPT_TABLE.search(message):
        return (
            f"{match[1]} is a table of Supabase's, on which postgres may make policies and triggers and no more, hosted"
            " too: take that statement out (its row level security is on already)"
        )
    if match := _PLATFORM.search(message):
        return (
            f"these migrations need Supabase's schema {match[1]}: push to a Supabase project or the local stack, or set"
            " migrations under [tool.promthctl] in pyproject.toml to a folder that does without"
        )
    if match := _PIPELINE.search(message):
        if sent_alone(match[1]):  # by the pinned version, not by an early v2
            return USE_PINNED
        return f"{match[1]} cannot run in a transaction: give it a migration of its own, as the first statement"
    if sqlstate(message) in _EXISTS:
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


def _applied(run: FailedRun, failed: int | None) -> str:
    return _stays(run.filename, run.source.sql if run.source else "", failed)


def _stays(name: str, sql: str, failed: int | None) -> str:
    """What stays of a file that is not in the history. failed: the place of its statement, from 0; None if unknown."""
    kept = committed_before(sql, failed if failed is not None else len(split_statements(sql)))
    if commits_unseen(sql, failed):
        return f"what a CALL or DO block of {name} has committed stays applied, and will run again"
    if kept == 0:
        return f"nothing of {name} was applied"
    if failed is None:
        return "of its first statements, which are committed one by one, some may be applied, and will run again"
    return f"its first {f'{kept} statements were' if kept > 1 else 'statement was'} applied, and will run again"
