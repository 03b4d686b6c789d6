"""A file that could not be run: where, why, what stays of it, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.database.lock_waits import LockWatch
from promthctl.database.sqlstates import cause_of
from promthctl.errors import PromthctlError, TargetError
from promthctl.seeds.files import SqlFile
from promthctl.sql.scripts import Part
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_SHOWN_LINES, _SHOWN_LETTERS = 4, 160
_COPY_LINE = re.compile(r"COPY .*, line (\d+)")
_RESET = "promthctl local reset makes a new database"


@dataclass(frozen=True)
class Reached:
    """How far a file had got. part: what the server was given last; None for the end. before: how many statements went
    well. ended: the last line after which no transaction was open; None if one always was. transaction: the id of the
    one whose commit was asked for; empty for none. alone: the part was sent outside of a transaction.
    """

    part: Part | None
    before: int
    ended: int | None
    transaction: str
    alone: bool


@dataclass(frozen=True)
class Failure:
    """target: where it ran. again: the command that runs it again; a recorded seed is passed over then. roles: the file
    is the roles, not a seed. recorded: it is a seed of the project. watch: how its session waits for locks.
    """

    target: Target
    again: str
    roles: bool = False
    recorded: bool = True
    watch: LockWatch | None = None

    def of(
        self, file: SqlFile, reached: Reached, error: psycopg.Error, connection: psycopg.Connection[Any]
    ) -> PromthctlError:
        """What the server refused, or that it was lost. connection: it is closed."""
        what, part = f"{file.name} could not be run on {self.target.label}", reached.part
        if connection.closed:
            return self._lost(file, reached, error)
        connection.close()  # which undoes what is not committed, in whatever state the connection is
        locked = self.watch is not None and self.watch.explains(error.sqlstate)
        said = self.watch.too_long() if self.watch and locked else _spoken(error)
        why = f"at its end: {said}"
        if part is not None:
            line, excerpt = _place(part, error)
            why = f"line {line}, statement {reached.before + 1}: {said}\n{excerpt}"
        if self.watch and locked:
            again = self.again.replace("promthctl ", "run promthctl ", 1)
            return PromthctlError(what, why, f"{self.watch.remedy(again)}; {self._kept(reached.ended)}")
        kind = TargetError if cause_of(error.sqlstate).by_target else PromthctlError
        return kind(what, why, self._hint(file, error, reached.ended))

    def _lost(self, file: SqlFile, reached: Reached, error: psycopg.Error) -> PromthctlError:
        """The target is asked what became of a commit whose answer is missing."""
        where = f"in line {reached.part.line}" if reached.part else "at its end"
        why, kept = f"the connection was lost {where} ({_spoken(error)})", self._kept(reached.ended)
        outcome = database.outcome_of(self.target, reached.transaction) if reached.transaction else "aborted"
        if outcome == "committed" and reached.part is None:
            why = f"{why}; the server finished it all the same, and kept all of it"
            go_on = f"then: {self.again}, which goes on after it" if self.recorded else "and do not run this file again"
            hint = f"check the network, {go_on}"
            return TargetError(f"The run of {file.name} on {self.target.label} broke off", why, hint)
        if outcome == "committed":
            kept = self._kept(reached.part.line if reached.part else None)
        elif outcome != "aborted":
            kept = f"whether {file.name} was kept up to there is not known: {outcome}"
        elif reached.alone and reached.part:
            kept = f"{kept}; whether line {reached.part.line} was is not known"
        what = f"{file.name} could not be run on {self.target.label}"
        return TargetError(what, why, f"check the network, then: {self.again}; {kept}")

    def psql_line(self, file: SqlFile, part: Part, advice: str, ended: int | None) -> PromthctlError:
        """A line for psql that cannot be left out."""
        text = part.text.decode(errors="replace")
        return PromthctlError(
            f"{file.name} could not be run on {self.target.label}",
            f"line {part.line} is for psql: {text[:_SHOWN_LETTERS]}",
            f"{advice}; then: {self.again}; {self._kept(ended)}",
        )

    def not_text(self, file: SqlFile, ended: int | None) -> PromthctlError:
        return PromthctlError(
            f"{file.name} could not be run on {self.target.label}",
            "it is not SQL in UTF-8: it has a zero byte, as UTF-16 and compressed files have",
            f"save {file.path} as UTF-8, then: {self.again}; {self._kept(ended)}",
        )

    def _hint(self, file: SqlFile, error: psycopg.Error, ended: int | None) -> str:
        fix, code = f"correct {file.path}", error.sqlstate
        if code == "22021":  # character_not_in_repertoire
            fix = f"save {file.path} as UTF-8, or begin it with a line: set client_encoding = 'LATIN1';"
        elif code == "25001":  # active_sql_transaction
            fix = f"take that statement out of {file.path}, which runs in one transaction"
        elif code in ("42P01", "3F000") and "pgsodium" in str(error):  # undefined_table, invalid_schema_name
            fix = f"take the lines about pgsodium, which new Supabase projects are without, out of {file.path}"
        elif code == "23505" and not self.roles:  # unique_violation
            fix = f"write `on conflict do nothing` if those rows may be there already, or correct {file.path}"
        elif code in ("42710", "42P06") and self.roles and self.target.local:  # duplicate_object
            fix = (
                f"correct {file.path}; if an earlier version of it made that, make a new database: promthctl local"
                " down --purge"
            )
        if cause_of(code).fault not in ("file", "unknown"):
            advice = database.advice_for(self.target, code, error.diag.message_primary or "")
            if cause_of(code).fault != "rights":
                return f"{advice.replace('run the same command again', self.again)}; {self._kept(ended)}"
            fix = f"{advice}, or correct {file.path}"
        return f"{fix}, then: {self.again}; {self._kept(ended)}"

    def _kept(self, ended: int | None) -> str:
        if ended is None:
            return "nothing of it was kept"
        undo = f" ({_RESET})" if self.target.local else ""
        return f"it has its own COMMIT or ROLLBACK: what it did up to line {ended} was not undone{undo}"


def _place(part: Part, error: psycopg.Error) -> tuple[int, str]:
    """The line that PostgreSQL points at, else the statement's first, and some lines from there."""
    text = part.text.decode(errors="replace")
    line, begin = part.line, 0
    if found := _COPY_LINE.match(error.diag.context or ""):
        line += text.count("\n") + int(found[1])
    elif (error.diag.statement_position or "").isdigit():
        begin = text.rfind("\n", 0, int(error.diag.statement_position or 1) - 1) + 1
        line += text.count("\n", 0, begin)
    rows = text[begin : begin + _SHOWN_LINES * _SHOWN_LETTERS].splitlines()[:_SHOWN_LINES]
    shown = [f"    {row[:_SHOWN_LETTERS]}{'…' if len(row) > _SHOWN_LETTERS else ''}" for row in rows]
    return line, "\n".join(shown)


def _spoken(error: psycopg.Error) -> str:
    """The server's message with its detail, which is about the file's own rows."""
    said = error.diag.message_primary or str(error).strip() or type(error).__name__
    code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    return "\n".join(filter(None, [f"{said}{code}", error.diag.message_detail, error.diag.message_hint]))
