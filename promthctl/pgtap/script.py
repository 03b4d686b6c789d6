"""Runs a test file statement by statement, with what psql would make of its own commands."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from promthctl.pgtap import psql
from promthctl.pgtap.files import TestFile, included
from promthctl.pgtap.tap import Place, Problem, Tap
from promthctl.pgtap.transactions import Sent
from promthctl.settings import Settings
from promthctl.sql.scripts import NotTextError, Part, ScriptReader
from promthctl.sql.tokens import scan_by_pattern

if TYPE_CHECKING:
    import psycopg

    Row = tuple[bytes | None, ...]

_DEPTH = 16  # files that include files
_INCLUDES = {"i": False, "include": False, "ir": True, "include_relative": True}
_LOST = "57P"  # the server ended the session


class Stopped(Exception):
    """Nothing of the file is run any more."""


class Script:
    """One file on one connection, in autocommit as psql is; what it prints goes into `tap`.

    sent: how statements are sent.
    """

    def __init__(self, settings: Settings, connection: psycopg.Connection[Any], sent: Sent, tap: Tap) -> None:
        self._settings, self._connection, self._sent, self.tap = settings, connection, sent, tap
        info = connection.info
        self._variables = {"DBNAME": info.dbname, "USER": info.user, "PORT": str(info.port), "HOST": info.host}
        self._branches: list[bool | None] = []  # of each \\if: whether this part runs; None once one has run
        self._stops = True  # ON_ERROR_STOP, which pg_prove sets
        self._last = b""  # the statement that was sent last

    def run(self, file: TestFile) -> None:
        """Returns at the end of the file, or where it stops; errors are in `tap` then."""
        last = Place(file.name, 1)
        try:
            last = Place(file.name, self._file(file, 0))
            if self._branches:
                self._fail("\\if without its \\endif", last)
        except Stopped:
            pass
        self.tap.end(last)

    def _file(self, file: TestFile, depth: int) -> int:
        """Run a file, and return its last line."""
        try:
            with file.path.open("rb") as stream:
                return self._parts(stream, file, depth)
        except NotTextError:
            self._fail("it is no text: it has a zero byte", Place(file.name, 1))
        except OSError as error:
            self._fail(f"it cannot be read: {error.strerror or error}", Place(file.name, 1))
        return 1

    def _parts(self, stream: BinaryIO, file: TestFile, depth: int) -> int:
        reader = ScriptReader(stream)
        for part in reader:
            place = Place(file.name, part.line)
            if part.kind == "meta":
                self._meta(part, place, file, depth)
            elif not self._running():
                continue
            elif part.kind == "copy":
                self._copy(part, reader.rows(), place)
            else:
                self._statement(part.text, place)
            if self.tap.bailed is not None:
                raise Stopped
        return reader.line

    def _running(self) -> bool:
        return all(branch is True for branch in self._branches)

    def _meta(self, part: Part, place: Place, file: TestFile, depth: int) -> None:
        before = part.before
        for name, arguments in psql.commands(part.text.decode("utf-8", "replace")):
            if name in ("if", "elif", "else", "endif"):
                self._branch(name, [psql.value(one, self._variables) for one in arguments], place)
            elif self._running():
                if name in ("g", "gx", "gset", "gexec"):
                    at = Place(file.name, part.since or part.line)
                    self._result(name, [psql.value(one, self._variables) for one in arguments], before, at)
                    before = b""
                elif name in ("r", "reset"):
                    before = b""
                else:
                    self._command(name, arguments, place, file, depth)
        if before and self._running():
            self._fail(f"{part.text.decode(errors='replace')} stands in the middle of a statement", place)

    def _branch(self, name: str, values: list[str], place: Place) -> None:
        if name == "if":
            self._branches.append(self._condition(values, place) if self._running() else None)
        elif not self._branches:
            self._fail(f"\\{name} without its \\if", place)
        elif name == "endif":
            self._branches.pop()
        elif self._branches[-1] is not False:
            self._branches[-1] = None
        else:
            self._branches[-1] = True if name == "else" else self._condition(values, place)

    def _condition(self, values: list[str], place: Place) -> bool:
        text = psql.interpolated(" ".join(values), self._variables)
        if (found := psql.truth(text)) is None:
            self._fail(f"\\if needs a truth value, and has {text!r}", place)
        return bool(found)

    def _command(self, name: str, arguments: list[str], place: Place, file: TestFile, depth: int) -> None:
        values = [psql.value(one, self._variables) for one in arguments]
        if name == "set":
            self._set(values)
        elif name == "unset":
            for one in values:
                self._variables.pop(one, None)
        elif name in ("echo", "qecho"):
            self._print(" ".join(values), place)
        elif name in ("q", "quit"):
            raise Stopped
        elif name in _INCLUDES and values and depth < _DEPTH:
            found = included(self._settings, file, values[0], relative=_INCLUDES[name])
            if isinstance(found, str):
                self._fail(f"\\{name} {values[0]}: {found}", place)
            else:
                self._file(found, depth + 1)
        elif name in ("c", "connect") and all(one in ("-", self._connection.info.dbname) for one in values[:1]):
            pass
        elif name not in psql.IGNORED:
            self._fail(f"psql's command \\{name} is not known to promthctl", place)

    def _set(self, values: list[str]) -> None:
        if values:
            self._variables[values[0]] = "".join(values[1:])
        if values[:1] == ["ON_ERROR_STOP"]:
            self._stops = psql.truth(self._variables["ON_ERROR_STOP"] or "on") is not False

    def _result(self, name: str, values: list[str], before: bytes, place: Place) -> None:
        """\\g, \\gset and \\gexec after a statement; where none is begun the last one is sent again, as by psql."""
        if not _has_words(before):
            before = self._last
        rows = self._statement(before, place, shown=name in ("g", "gx"))
        if name == "gexec":
            for one in [cell for row in rows for cell in row if cell is not None]:
                self._statement(one, place)
        elif name == "gset" and len(rows) == 1:
            prefix = values[0] if values else ""
            for column, cell in zip(self._columns, rows[0], strict=True):
                if cell is None:
                    self._variables.pop(prefix + column, None)
                else:
                    self._variables[prefix + column] = cell.decode("utf-8", "replace")
        elif name == "gset":
            self._fail(f"\\gset needs one row, and there are {len(rows)}", place)

    def _statement(self, text: bytes, place: Place, shown: bool = True) -> list[Row]:
        """Send a statement, and print its rows if they are to be shown."""
        self._last = text
        plain = text.decode("latin-1")
        filled = psql.interpolated(plain, {name: _bytes(one) for name, one in self._variables.items()})
        if filled == plain:
            return self._send(text, place, shown)
        rows: list[Row] = []  # a variable may hold several statements
        for part in ScriptReader(BytesIO(filled.encode("latin-1"))):
            rows = self._send(part.text, place, shown)
        return rows

    def _send(self, text: bytes, place: Place, shown: bool) -> list[Row]:
        import psycopg

        rows: list[Row] = []
        try:
            for cursor in self._sent.send(self._connection, text):
                rows = self._rows(cursor)
                for row in rows if shown else ():
                    self._print("|".join(_text(cell) for cell in row), place)
        except psycopg.Error as error:
            self._error(error, text, place)
            rows = []
        return rows

    def _rows(self, cursor: psycopg.Cursor[Any]) -> list[Row]:
        """The rows as the server wrote them."""
        result = cursor.pgresult
        if result is None or not result.nfields:
            return []
        columns = range(result.nfields)
        self._columns = [(result.fname(column) or b"").decode() for column in columns]
        return [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]

    def _copy(self, part: Part, rows: Iterator[bytes], place: Place) -> None:
        import psycopg

        try:
            with self._connection.cursor() as cursor, cursor.copy(part.text) as copy:
                for block in rows:
                    copy.write(block)
        except psycopg.Error as error:
            self._error(error, part.text, place)

    def _error(self, error: psycopg.Error, text: bytes, place: Place) -> None:
        at = int(error.diag.statement_position or 1)
        line = place.line + text.decode("utf-8", "replace")[: at - 1].count("\n")
        said = [error.diag.message_primary or str(error).strip().partition("\n")[0]]
        said += [f"{name}: {more}" for name in ("detail", "hint") if (more := getattr(error.diag, f"message_{name}"))]
        if error.diag.context:
            said += error.diag.context.splitlines()[:3]
        self.tap.problems.append(Problem("\n".join(said), Place(place.file, line), error.sqlstate or "?"))
        if self._stops or self._connection.broken or (error.sqlstate or "").startswith(_LOST):
            raise Stopped

    def _print(self, text: str, place: Place) -> None:
        for line in text.split("\n"):
            self.tap.feed(line, place)

    def _fail(self, message: str, place: Place) -> None:
        self.tap.problems.append(Problem(message, place, "psql"))
        raise Stopped


def _has_words(text: bytes) -> bool:
    """Whether there is more in it than comments."""
    return any(token.kind != "comment" for token in scan_by_pattern(text.decode("latin-1")))


def _text(cell: bytes | None) -> str:
    return "" if cell is None else cell.decode("utf-8", "replace")


def _bytes(text: str) -> str:
    """A character for each byte, as the statements are."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
