"""What a failed run means: which file, line and statement of a migration, and what fixes it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.migration_set import Migration
from promthctl.supabase_cli.dialects import Answer
from promthctl.targets import Target

USE_PINNED = "this version of the Supabase CLI cannot do that: run it again with --supabase-cli pinned"
_UNKNOWN_OPTION = re.compile(r"(?:Unrecognized|unknown) (?:flag|option)\b")
_STATEMENT = re.compile(r"^At statement: (\d+)$", re.MULTILINE)  # counted from 0
_SQLSTATE = re.compile(r"\(SQLSTATE ([0-9A-Z]{5})\)")
_EXTENSION = re.compile(r'extension "([^"]+)" is not available')
_PLATFORM = re.compile(r'schema "(auth|storage|extensions|realtime|vault)" does not exist')
_EXISTS = {"42P07", "42710", "42701", "42723", "42P06"}  # duplicate table, object, column, function, schema
_PIPELINE = "cannot be executed within a pipeline"  # what an early v2 says of `create index concurrently`
_SHOWN_LINES = 6
_CARET = re.compile(r" *\^")  # the CLI cuts the statement after the line Postgres points at and marks the place
_TRAILING = re.compile(r"[ \t\r]+$", re.MULTILINE)  # an early v2 pads the lines it shows with spaces
# What a semicolon inside does not end; the rest one character or word at a time.
_TOKEN = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "[^"]*" | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
    | (?P<gap>/\*.*?\*/ | --[^\n]* | \s+) | (?P<word>[^\W\d][\w$]*) | .""",
    re.DOTALL | re.VERBOSE,
)
_ENDS_TRANSACTION = {"commit", "rollback", "vacuum"}  # as first words


def is_unknown_option(answer: Answer) -> bool:
    """True when that version of the CLI does not have an option it was given."""
    return not answer.ok and _UNKNOWN_OPTION.search(answer.message) is not None


def cli_error(what: str, answer: Answer, hint: str, kind: type[PromthctlError] = PromthctlError) -> PromthctlError:
    """The error for a run that failed: a PrerequisiteError when that version cannot do it, otherwise of that kind."""
    if is_unknown_option(answer):
        return PrerequisiteError(what, answer.message, USE_PINNED)
    return kind(what, answer.message, hint)


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
    stays = f"nothing of {filename} was applied"
    if source and _commits(source.sql, number):
        stays = "what stands before that statement was applied: it cannot run in a transaction"
    return PromthctlError(
        f"{filename} could not be applied to {target.label}",
        f"{place}statement {number + 1}: {reason}\n{_excerpt(text)}",
        hint(target, reason, f"correct {path} and run the same command again; {stays}"),
    )


def hint(target: Target, message: str, default: str) -> str:
    """What to do about what Postgres complained of."""
    if match := _EXTENSION.search(message):
        if not target.local:
            return f"install {match[1]} on that server, or push to a database that has it"
        if match[1] == "vector":
            return 'pip install "promthctl[pgvector]" and set [tool.promthctl] postgres = 18 in pyproject.toml'
        return f"the local stack has no {match[1]}; promthctl push --db-url URL for a database that has it"
    if match := _PLATFORM.search(message):
        return (
            f"these migrations need Supabase's schema {match[1]}: push to a Supabase project or the local stack, or set"
            " [tool.promthctl] migrations to a folder that does without"
        )
    if _PIPELINE in message:
        return USE_PINNED
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
