"""The SQL from one database to another: drafted by the Supabase CLI's pg-delta, proven by running it.

The engine's own help calls what it prints SQL for review. So it is run in a throw-away database, the catalog is
compared with the one wanted, and what is still missing is added from schema/'s own SQL, where that works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.drafting.echoes import without_echoes
from promthctl.drafting.unread import differing_names, drop_sql, make_sql, unread_objects
from promthctl.errors import PromthctlError
from promthctl.redact import redact
from promthctl.schema import KINDS, Catalog, Difference, compare, snapshot
from promthctl.shadow import ThrowAwayDatabase
from promthctl.sql.quoting import identifier
from promthctl.sql.statements import NotSqlError, Statement, parse_statements
from promthctl.supabase_cli import DatabaseCli
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_ROUNDS = 3  # what one fix makes possible, the next may need
_STILL_NEEDED = "2BP01"  # dependent_objects_still_exist
_BY_NAME = ("constraints", "indexes")  # kinds whose names a later migration may use


@dataclass(frozen=True)
class Draft:
    """sql: what was seen to run. left: the differences that it was seen to leave; unread: those of no Catalog."""

    sql: str
    left: tuple[Difference, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """A database as it was read. unread: its objects that no catalog has; see unread.py."""

    target: Target
    catalog: Catalog
    unread: Mapping[str, str]


@dataclass(frozen=True)
class Forward:
    """parts: SQL that was seen to run, each in a transaction of its own. after: a database as it is after each, unless
    the last one was not to last.

    left, unread: as in Draft.
    """

    parts: tuple[str, ...]
    after: tuple[Target, ...]
    left: tuple[Difference, ...]
    unread: tuple[str, ...]


def forward(
    made: ThrowAwayDatabase, start: State, sql: str, wanted: State, schemas: Sequence[str] = (), lasting: bool = True
) -> Forward:
    """Run the engine's SQL in copies of `start`, complete it, and cut it where a transaction has to end.

    Roles that `start` lacks are made first, where the engine does not make them. schemas: see prove. lasting: there is
    a database after the last part, too; otherwise it is tried without a copy. Raises PromthctlError for SQL that does
    not run.
    """
    found: Forward | None = None
    for number, text in enumerate(dict.fromkeys((without_echoes(sql, start.catalog, wanted.catalog), sql))):
        try:
            found = _forward(made, start, text, wanted, schemas, lasting, f"after_{number}")
        except PromthctlError:
            if text == sql and found is None:
                raise
        if found and not (found.left or found.unread):
            break
    assert found is not None
    return found


def _forward(
    made: ThrowAwayDatabase,
    start: State,
    sql: str,
    wanted: State,
    schemas: Sequence[str],
    lasting: bool,
    copies: str,
) -> Forward:
    """copies: what the names of the databases begin with."""
    roles = "" if schemas else _roles_before(sql, start, wanted)
    whole = "\n\n".join(part for part in (roles, sql.strip()) if part)
    try:
        return _run_parts(made, start.target, (whole,), wanted, schemas, lasting, copies)
    except PromthctlError:
        parts = _after_new_values(whole)
        if len(parts) == 1:
            raise
        return _run_parts(made, start.target, parts, wanted, schemas, lasting, copies)


def backward(cli: DatabaseCli, before: State, after: Target, schemas: Sequence[str] = ()) -> Draft:
    """The SQL that leads from the database `after` to `before`, tried in `after` and taken back there.

    before: read before anything was made for `after`, for roles belong to both. Raises as forward does.
    """
    drafted = cli.diff(after, before.target, schemas)
    drafted = replace(drafted, sql=without_echoes(drafted.sql, read_state(after).catalog, before.catalog))
    with database.connect(after) as connection, connection.transaction(force_rollback=True):
        try:
            with connection.transaction():
                return prove(connection, drafted.sql, before, schemas)
        except PromthctlError:
            first = [] if schemas else _complete_unread(connection, before.unread)
            if not first:
                raise
            draft = prove(connection, drafted.sql, before, schemas)  # what was in the way is gone
            return replace(draft, sql="\n\n".join((*first, draft.sql)))


def read_state(target: Target) -> State:
    with database.connect(target) as connection:
        return state_of(connection, target)


def state_of(connection: psycopg.Connection[Any], target: Target) -> State:
    return State(target, snapshot(connection), unread_objects(connection))


def prove(connection: psycopg.Connection[Any], sql: str, wanted: State, schemas: Sequence[str]) -> Draft:
    """Run the engine's SQL in the connection's transaction, and complete it until the catalog is the one wanted.

    schemas: those that count; none for all. Nothing is committed here. Raises PromthctlError for SQL that does not run.
    """
    parts = [run(connection, sql)]
    for _ in range(_ROUNDS):
        left = _left(connection, wanted.catalog, schemas)
        fixes = [one.fix for one in left if _works(connection, one.fix)]
        if not schemas:
            fixes += _complete_unread(connection, wanted.unread)
        parts += fixes
        if not fixes:
            break
    else:
        left = _left(connection, wanted.catalog, schemas)
    unread = () if schemas else differing_names(unread_objects(connection), wanted.unread)
    return Draft("\n\n".join(filter(None, parts)), left, unread)


def run(connection: psycopg.Connection[Any], sql: str) -> str:
    """Run it statement by statement, as a migration; what is dropped too early waits for the rest.

    Returns it in the order that worked. Raises PromthctlError that names the statement.
    """
    import psycopg

    done, waiting = list[Statement](), list(parse_statements(sql))
    while waiting:
        later = list[Statement]()
        for statement in waiting:
            try:
                with connection.transaction():
                    connection.execute(statement.text.encode(), prepare=False)
                done.append(statement)
            except psycopg.Error as error:
                if connection.broken:
                    raise
                if error.sqlstate == _STILL_NEEDED and (len(later) + 1 < len(waiting)):
                    later.append(statement)
                    continue
                why = redact(error.diag.message_primary or str(error)).strip()
                raise PromthctlError(
                    "No SQL was written: what the Supabase CLI's diff engine wrote does not run",
                    f"tried in a throw-away database: {why}\n    {statement.text}",
                    "promthctl verify lists the differences, each with SQL that removes it",
                ) from None
        waiting = later
    connection.execute("set constraints all immediate")
    return sql.strip() if done == sorted(done, key=lambda one: one.start) else _joined(done)


def every_difference(wanted: Catalog, there: Catalog) -> tuple[Difference, ...]:
    """As compare, with comments, and with the names of indexes and constraints where the servers make the same ones."""
    return compare(wanted, there, KINDS, _BY_NAME if wanted.major == there.major else ())


def reordered(one: Catalog, other: Catalog) -> tuple[str, ...]:
    """The tables whose columns come in another order, which is no Difference."""
    first, second = _orders(one), _orders(other)
    return tuple(sorted(table for table in first if second.get(table, first[table]) != first[table]))


def _orders(catalog: Catalog) -> dict[str, list[str]]:
    orders: dict[str, list[str]] = {}
    for name, given in sorted(catalog.of("columns").items(), key=lambda one: one[1]["place"]):
        orders.setdefault(given["table"], []).append(name)
    return orders


def in_schemas(one: Difference, schemas: Sequence[str]) -> bool:
    """Whether a difference is about one of these schemas, or about something in one."""
    names = [form for name in schemas for form in (name, identifier(name))]  # PostgreSQL quotes only what needs it
    if one.kind == "comments":
        return any(f" {name}." in one.name or one.name == f"schema {name}" for name in names)
    words = one.name.removeprefix("table ").removeprefix("sequence ").removeprefix("function ")
    words = words.removeprefix("procedure ").removeprefix("schema ")
    if one.kind == "publications":
        words = words.rpartition(": ")[2]
    place = words.partition(" in schema ")[2] if one.kind == "default_privileges" else words
    return any(place == name or place.startswith((f"{name}.", f"{name} ")) for name in names)


def _run_parts(
    made: ThrowAwayDatabase,
    start: Target,
    parts: Sequence[str],
    wanted: State,
    schemas: Sequence[str],
    lasting: bool,
    copies: str,
) -> Forward:
    *first, last = parts
    ran, after = list[str](), [start]
    for number, part in enumerate(first, start=1):
        after.append(made.copy(f"{copies}_{len(parts)}_{number}", after[-1]))
        with database.connect(after[-1]) as connection, connection.transaction():
            ran.append(run(connection, part))
    if lasting:
        after.append(made.copy(f"{copies}_{len(parts)}_{len(parts)}", after[-1]))
    with database.connect(after[-1]) as connection, connection.transaction(force_rollback=not lasting):
        draft = prove(connection, last, wanted, schemas)
        connection.execute("set constraints all immediate")  # what a commit would still find
    return Forward((*ran, draft.sql), tuple(after[1:]), draft.left, draft.unread)


def _roles_before(sql: str, start: State, wanted: State) -> str:
    made = [one.node.role for one in parse_statements(sql) if type(one.node).__name__ == "CreateRoleStmt"]
    known = {*made, *map(identifier, made)}
    lacking = compare(wanted.catalog, start.catalog, ["roles"])
    return "\n".join(one.fix for one in lacking if one.state == "missing" and one.name not in known)


def _after_new_values(sql: str) -> tuple[str, ...]:
    """The SQL, cut after each run of statements that add values to enums."""
    parts, current, adding = list[str](), list[Statement](), False
    for statement in parse_statements(sql):
        if adding and not statement.adds_enum_value:
            parts.append(_joined(current))
            current = []
        adding = statement.adds_enum_value
        current.append(statement)
    return (*parts, _joined(current))


def _joined(statements: Sequence[Statement]) -> str:
    return "\n\n".join(f"{one.text};" if one.node else one.text for one in statements)


def _left(connection: psycopg.Connection[Any], wanted: Catalog, schemas: Sequence[str]) -> tuple[Difference, ...]:
    found = every_difference(wanted, snapshot(connection))
    return tuple(one for one in found if not schemas or in_schemas(one, schemas))


def _complete_unread(connection: psycopg.Connection[Any], wanted: Mapping[str, str]) -> list[str]:
    """Make and drop what no Catalog has, as far as that works; the SQL of what did."""
    there = unread_objects(connection)
    statements = [drop_sql(name) for name in sorted(there) if there[name] != wanted.get(name)]
    statements += [
        making
        for name in sorted(wanted)
        if there.get(name) != wanted[name] and (making := make_sql(name, wanted[name]))
    ]
    return [one for one in statements if _works(connection, one)]


def _works(connection: psycopg.Connection[Any], sql: str) -> bool:
    """Run it; False, and nothing has happened, where it fails or is no statement."""
    import psycopg

    try:
        with connection.transaction():
            statements = [each for each in parse_statements(sql) if each.node]
            for statement in statements:
                connection.execute(statement.text.encode(), prepare=False)
            return bool(statements)
    except (psycopg.Error, NotSqlError):
        return False
