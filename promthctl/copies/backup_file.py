"""A dump for psql, of pg_dump, pg_dumpall or the platform, loaded into a fresh Supabase.

It runs as postgres, who is no superuser, statement by statement. What the platform makes itself is there already and is
left out; of its rows, users and buckets are taken. What cannot be had here (roles' passwords, extensions, event
triggers) is left out by name; any other failure ends the loading.

Sources: pg_dump.c and pg_dumpall.c of PostgreSQL, whose names are qualified; the files of the platform's dashboard.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from promthctl.copies.masks import Mask, Masks
from promthctl.database.sqlstates import first_line
from promthctl.errors import PromthctlError
from promthctl.schema.queries import MANAGED_SCHEMAS
from promthctl.sql.quoting import identifier
from promthctl.sql.scripts import NotTextError, Part, ScriptReader

if TYPE_CHECKING:
    import psycopg

Connection = Any  # psycopg.Connection[Any]: the name is needed when the module is imported

# Of the platform's own tables, those whose rows are taken.
TAKEN = ("auth.users", "auth.identities", "storage.buckets", "storage.objects")
_MANAGED = frozenset((*MANAGED_SCHEMAS, "pg_catalog")) - {"supabase_migrations"}
_WORD = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_QUALIFIED = re.compile(rf"({_WORD})\s*\.\s*{_WORD}")
_SCHEMA = re.compile(rf"\bSCHEMA\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?({_WORD})", re.IGNORECASE)
_SETVAL = re.compile(rf"^SELECT\s+(?:pg_catalog\.)?setval\('({_WORD})\.", re.IGNORECASE)
_ROLE = re.compile(rf"^(CREATE|ALTER|DROP)\s+(?:ROLE|USER|GROUP)\s+(?:IF\s+EXISTS\s+)?({_WORD})", re.IGNORECASE)
_EXTENSION = re.compile(rf"^CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?({_WORD})", re.IGNORECASE)
_CONNECT = re.compile(rf"\\c(?:onnect)?\s+(?:-reuse-previous=\w+\s+)?({_WORD}|'[^']*')", re.IGNORECASE)
_NAMED = re.compile(r"dbname='?([^']*)'?")
_OF_SERVER = re.compile(
    r"(?:CREATE|ALTER|DROP)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION|SYSTEM)\b|COMMENT\s+ON\s+(?:DATABASE|EXTENSION|ROLE)\b"
    r"|(?:GRANT|REVOKE)\s[^;]*?\sON\s+(?:DATABASE|TABLESPACE|PARAMETER)\b|SECURITY\s+LABEL\b|SET\s+SESSION\s+AUTHORIZATION\b|ALTER\s+EXTENSION\b",
    re.IGNORECASE,
)
_LISTED = re.compile(r"(?:CREATE\s+)?(?:SUBSCRIPTION|TABLESPACE)\b", re.IGNORECASE)
_ON_MANAGED = re.compile(r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?(?:TRIGGER|POLICY)\b", re.IGNORECASE)
_FOREIGN_KEY = re.compile(r"^ALTER\s+TABLE\b.*\bADD\s+CONSTRAINT\b.*\bFOREIGN\s+KEY\b", re.IGNORECASE | re.DOTALL)
# Where postgres may not: they are of the platform's roles.
_PLATFORMS = re.compile(r"ALTER\s+(?:DEFAULT\s+PRIVILEGES|EVENT\s+TRIGGER|PUBLICATION)\b", re.IGNORECASE)
_EVENT_TRIGGER = re.compile(r"(?:ALTER|COMMENT\s+ON)\s+EVENT\s+TRIGGER\b", re.IGNORECASE)
_NO_ROLE = re.compile(r'^role "(.+)" does not exist$')
_THERE = ("42P06", "42P07", "42710", "42723", "42701", "42P16")  # it is there already
_OTHER_DATABASES = ("template0", "template1", "_supabase")
_DEFAULT_RIGHTS = "alter default privileges for role postgres in schema public"
_NOT_VALID = "rows refer to rows that are not there: not validated"
_TOLD = 200  # characters of a statement
DISK_FULL = "53100"
MORE_ROOM = "free some space, or export PROMTHCTL_DATA_DIR=/path/with/more/room; then run the same command again"


@dataclass
class Loaded:
    """What became of a file. rows: by table, as many as the file has. left_out: what, by name, and why. made_roles:
    they may not log in. extensions: that are not to be had. managed: statements of the platform's that were not run.
    """

    statements: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)
    made_roles: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    managed: int = 0

    def leave_out(self, text: str) -> None:
        if text not in self.left_out:
            self.left_out.append(text)


class Loader:
    """own: as postgres; high: as the superuser. Both are in autocommit, and nobody else uses the database."""

    def __init__(self, own: Connection, high: Connection, masks: Masks, what: str, rows: bool = True) -> None:
        """what: ends the sentence of an error, e.g. "the local stack is as it was". rows: with the rows, else without
        any but the history's.
        """
        self._own, self._high, self._masks, self._what, self._rows = own, high, masks, what, rows
        self._active, self._database = True, ""
        self.loaded = Loaded()
        for kind in ("tables", "sequences", "functions"):  # a dump expects a database where nothing is open
            own.execute(f"{_DEFAULT_RIGHTS} revoke all on {kind} from anon, authenticated, service_role".encode())

    def load(self, stream: BinaryIO, name: str, update: Callable[[int], None]) -> Loaded:
        """update: told how many bytes of the SQL are done. Raises PromthctlError naming the line of what fails."""
        import psycopg

        self._name, self._part = name, None
        self._own.prepare_threshold = None
        reader = ScriptReader(stream)
        try:
            for part in reader:
                self._part = part
                self._one(part, reader)
                update(reader.done)
        except NotTextError:
            why = "it has a zero byte, which no dump for psql has"
            hint = "make one that is: pg_restore -f FILE.sql reads pg_dump's own formats"
            raise PromthctlError(f"{name} cannot be loaded; {self._what}", why, hint) from None
        except psycopg.Error as error:
            raise self._failed(error) from None
        return self.loaded

    def _one(self, part: Part, reader: ScriptReader) -> None:
        text = part.text.decode("utf-8", "replace")
        if part.kind == "meta":
            self._meta(text)
        elif not self._active:
            return
        elif part.kind == "copy":
            self._copy(text, reader)
        elif reason := self._before(text):
            if reason != "quiet":
                self.loaded.leave_out(f"line {part.line}: {_short(text)}: {reason}")
        else:
            self._run(part, text)

    def _meta(self, text: str) -> None:
        if found := _CONNECT.match(text):
            name = _bare(found[1].strip("'"))
            name = named[1] if (named := _NAMED.search(name)) else name
            self._active = name not in _OTHER_DATABASES and name in ("-", self._database or name)
            if self._active and name != "-":
                self._database = name
            elif not self._active and name not in _OTHER_DATABASES:
                self.loaded.leave_out(f"the database {name}: {self._database} is the one that is taken")
        elif not re.match(r"\\(?:un)?restrict\b", text):
            self.loaded.leave_out(f"{text.split()[0]}: a command of psql")

    def _before(self, text: str) -> str:
        """Why a statement is not run: "quiet" where that is as it should be; empty where it is."""
        if found := _ROLE.match(text):
            if found[1].upper() == "CREATE":
                self._make_role(_bare(found[2]))
            return "quiet"
        if _OF_SERVER.match(text):
            return "it is of a whole server" if _LISTED.match(text) else "quiet"
        if found := _EXTENSION.match(text):
            return self._extension(_bare(found[1]), text)
        if _managed(text) and not _ON_MANAGED.match(text):
            self.loaded.managed += 1
            return "quiet"
        return ""

    def _extension(self, name: str, text: str) -> str:
        import psycopg

        try:
            self._own.execute(text.encode())
        except psycopg.Error as error:
            if error.sqlstate not in _THERE:
                self.loaded.extensions.append(name)
                return first_line(error)
        return "quiet"

    def _make_role(self, name: str) -> None:
        """A role that groups rights; nobody can log in as it."""
        known = self._high.execute("select from pg_roles where rolname = %s", (name,)).rowcount
        if not known and not name.startswith(("pg_", "supabase_", "cli_login_")):
            self._high.execute(f"create role {identifier(name)} nologin".encode())
            self._high.execute(f"grant {identifier(name)} to postgres with admin option".encode())
            self.loaded.made_roles.append(name)

    def _run(self, part: Part, text: str, again: bool = False) -> None:
        import psycopg

        try:
            cursor = self._own.execute(part.text, prepare=False)
        except psycopg.Error as error:
            if self._own.closed:
                raise
            self._after(part, text, error, again)
            return
        self.loaded.statements += 1
        if (cursor.statusmessage or "").startswith("INSERT") and (table := _QUALIFIED.search(text)):
            self.loaded.rows[_plain(table[0])] += cursor.rowcount

    def _after(self, part: Part, text: str, error: psycopg.Error, again: bool) -> None:
        """A statement has failed: leave it out, try another form, or raise the error."""
        state, said = error.sqlstate or "", first_line(error)
        role = _NO_ROLE.match(said)
        if state in _THERE or (state == "42501" and _PLATFORMS.match(text)):
            return
        if state == "42704" and _EVENT_TRIGGER.match(text):  # of one that was not made, which is told already
            return
        if role and not again:
            self._make_role(role[1])
            self._run(part, text, again=True)
        elif state == "23503" and _FOREIGN_KEY.match(text) and not again:
            self._run(Part("statement", part.text + b" NOT VALID", part.line), text, again=True)
            self.loaded.leave_out(f"line {part.line}: {_short(text)}: {_NOT_VALID}")
        elif state == "42501" or _managed(text) or (text[:4].upper() == "SET " and state.startswith(("42", "22"))):
            self.loaded.leave_out(f"line {part.line}: {_short(text)}: {said}")
        else:
            raise error

    def _copy(self, text: str, reader: ScriptReader) -> None:
        table, columns = _copied(text)
        schema = table.partition(".")[0]
        taken = schema not in _MANAGED or table in TAKEN
        if not taken or not (self._rows or schema == "supabase_migrations"):
            count = sum(block.count(b"\n") for block in reader.rows())
            if count and not taken:
                self.loaded.leave_out(f"{table}: its rows ({count:,}) are the platform's own")
            return
        connection, kept = (self._high, self._known(table, columns)) if schema in _MANAGED else (self._own, columns)
        if missing := [name for name in columns if name not in kept]:
            self.loaded.leave_out(f"{table} without {', '.join(missing)}, which is not here")
        self._masks.find(self._high, table)
        masks = self._masks.of(table)
        places = [columns.index(name) for name in kept]
        change = None
        if kept != columns or masks:
            change = [(place, masks.get(columns[place])) for place in places]
        names = ", ".join(map(identifier, kept))
        into = f"copy {_sql(table)} ({names}) from stdin" if columns else text
        if schema in _MANAGED:
            self._high.execute("set session_replication_role = replica")
        try:
            with connection.cursor() as cursor, cursor.copy(into.encode()) as copy:
                for block in reader.rows():
                    self.loaded.rows[table] += block.count(b"\n")
                    copy.write(block if change is None else _changed(block, change))
        finally:
            if schema in _MANAGED and not self._high.closed:
                self._high.execute("reset session_replication_role")

    def _known(self, table: str, columns: Sequence[str]) -> list[str]:
        rows = self._high.execute(
            "select attname::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
            " and not attisdropped and attgenerated = ''",
            (_sql(table),),
        ).fetchall()
        here = {name for (name,) in rows}
        return [name for name in columns if name in here]

    def _failed(self, error: psycopg.Error) -> PromthctlError:
        part = self._part
        line = part.line if part else 1
        why = f"{self._name}, line {line}: {first_line(error)}"
        if part and part.kind != "copy":
            why = f"{why}\n    {_short(part.text.decode('utf-8', 'replace'))}"
        if self.loaded.extensions:
            why = f"{why}\nnot to be had here: {', '.join(self.loaded.extensions)}"
        what = f"{self._name} could not be loaded; {self._what}"
        if error.sqlstate == DISK_FULL:
            return PromthctlError(what, why, MORE_ROOM)
        return PromthctlError(what, why, f"correct line {line} of a copy of the file, and clone that")


def count_rows(connection: Connection, table: str) -> int:
    """table: as in Loaded.rows; of one that others inherit from, its own rows."""
    ((partitioned,),) = connection.execute(
        "select relkind = 'p' from pg_class where oid = to_regclass(%s)", (_sql(table),)
    ).fetchall()
    source = _sql(table) if partitioned else f"only {_sql(table)}"
    ((count,),) = connection.execute(f"select count(*) from {source}".encode()).fetchall()  # noqa: S608 - quoted
    return int(count)


def _managed(text: str) -> bool:
    """Whether a statement is about something of the platform's, by the first name in it."""
    head = text[:2000]
    if head[:6].upper() == "SELECT":  # pg_dump's own are calls of functions
        found = _SETVAL.match(head)
    elif _ON_MANAGED.match(head):
        found = _QUALIFIED.search(head)
    else:
        found = _SCHEMA.search(head.partition("(")[0]) or _QUALIFIED.search(head)
    return found is not None and _bare(found[1]) in _MANAGED


def _copied(text: str) -> tuple[str, list[str]]:
    """Table and columns of a COPY as pg_dump writes it."""
    from pglast import parse_sql

    node: Any = parse_sql(text)[0].stmt
    schema = node.relation.schemaname or "public"
    return f"{schema}.{node.relation.relname}", [name.sval for name in node.attlist or ()]


def _changed(block: bytes, change: Sequence[tuple[int, Mask | None]]) -> bytes:
    """Rows of COPY's text format with fewer columns, or other values in some of them."""
    return b"".join(_lines(block, change))


def _lines(block: bytes, change: Sequence[tuple[int, Mask | None]]) -> Iterator[bytes]:
    for line in block.removesuffix(b"\n").split(b"\n"):
        fields = line.split(b"\t")
        yield b"\t".join(mask.value(fields[place]) if mask else fields[place] for place, mask in change) + b"\n"


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _plain(qualified: str) -> str:
    found = _QUALIFIED.search(qualified)
    assert found is not None
    return f"{_bare(found[1])}.{_bare(qualified[found.end(1) :].lstrip(' .'))}"


def _sql(table: str) -> str:
    schema, _, name = table.partition(".")
    return f"{identifier(schema)}.{identifier(name)}"


def _short(text: str) -> str:
    first = " ".join(text.split())
    return first if len(first) <= _TOLD else f"{first[:_TOLD]} …"
