"""What a statement demands of the rows that exist: which of them would make it fail, as a condition to ask the target.

Names are those of the moment in the twin; `Demand.on` translates them to the target, whose columns may be called
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from promthctl.rehearsal.observer import Content
from promthctl.sql.quoting import identifier, literal

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class Demand:
    """Rows that a statement does not accept.

    table: its oid in the twin. bad: a condition that is true of them; {t} stands for the table. columns: those that it
    names, as they are called now. what: why they are refused, as a phrase after a number of rows. query: a whole query
    that counts them where a condition alone does not. others: further tables, {o} in the condition. expressions: what
    the migration brings along, as pglast's nodes.
    """

    table: int
    bad: str
    columns: tuple[str, ...]
    what: str
    query: str = ""
    fails: bool = False
    others: tuple[int, ...] = ()
    expressions: tuple[Any, ...] = ()


def demands_of(connection: psycopg.Connection[Any], node: Any) -> list[Demand]:
    """What the statement demands, its names looked up in the twin as they are now; nothing for other kinds."""
    kind = type(node).__name__
    if kind == "IndexStmt":
        found = relation(connection, node.relation)
        if found is None:
            return []
        expressions = [one.expr for one in node.indexParams if one.expr is not None]
        demands = [_computed(found, one, "", "the new index", node.whereClause) for one in expressions]
        return [*demands, _unique_index(found, node)] if node.unique else demands
    if kind != "AlterTableStmt" or node.objtype.name != "OBJECT_TABLE":
        return []
    found = relation(connection, node.relation)
    if found is None:
        return []
    demands = []
    for command in node.cmds:
        demands += _command(connection, found, command)
    return demands


def _command(connection: psycopg.Connection[Any], table: int, command: Any) -> Iterator[Demand]:
    sort = command.subtype.name
    if sort == "AT_SetNotNull":
        yield _not_null(table, command.name)
    elif sort in ("AT_AddColumn",):
        yield from _added_column(table, command.def_)
    elif sort == "AT_AddConstraint":
        yield from _constraint(connection, table, command.def_)
    elif sort == "AT_ValidateConstraint":
        yield from _validated(connection, table, command.name)
    elif sort == "AT_AlterColumnType":
        yield from _changed_type(connection, table, command)


def _not_null(table: int, column: str) -> Demand:
    return Demand(table, f"{identifier(column)} is null", (column,), f"have {column} NULL")


def _added_column(table: int, column: Any) -> Iterator[Demand]:
    sorts = {one.contype.name for one in column.constraints or ()}
    name = column.typeName.names[-1].sval if column.typeName and column.typeName.names else ""
    filled = {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"} & sorts or name in (
        "serial", "bigserial", "smallserial", "serial4", "serial8", "serial2")  # fmt: skip
    if {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} & sorts and not filled:
        yield Demand(table, "true", (), f"would have no value in the new column {column.colname}, which is NOT NULL")
    for one in column.constraints or ():
        if one.contype.name == "CONSTR_GENERATED" and one.raw_expr is not None:
            yield _computed(table, one.raw_expr, whole_type(column.typeName), f"the new column {column.colname}")


def _computed(table: int, expression: Any, type_name: str, what: str, condition: Any = None) -> Demand:
    """That the expression can be computed for each row that meets the condition."""
    made = f"({printed(expression)})" + (f"::{type_name}" if type_name else "")
    parts = (expression,) if condition is None else (expression, condition)
    where = "" if condition is None else f" where {printed(condition)}"
    names = tuple(dict.fromkeys(name for part in parts for name in columns_in(part)))
    query = f"select 0 * count({made}) from {{t}}{where}"  # noqa: S608 - of the migration, read-only
    what = f"have values of which {what} cannot be computed"
    return Demand(table, "false", names, what, query, fails=True, expressions=parts)


def _constraint(connection: psycopg.Connection[Any], table: int, constraint: Any) -> Iterator[Demand]:
    sort = constraint.contype.name
    names = tuple(key.sval for key in constraint.keys or ())
    if sort == "CONSTR_NOTNULL" and names and not constraint.skip_validation:
        yield _not_null(table, names[0])
    elif sort in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and names:
        if sort == "CONSTR_PRIMARY":
            yield from (_not_null(table, name) for name in names)
        yield _duplicates(table, [identifier(name) for name in names], names, "", bool(constraint.nulls_not_distinct))
    elif sort == "CONSTR_CHECK" and not constraint.skip_validation and constraint.raw_expr is not None:
        expression = printed(constraint.raw_expr)
        label = constraint.conname or "the new check"
        names = columns_in(constraint.raw_expr)
        parts = (constraint.raw_expr,)
        yield Demand(table, f"not ({expression})", names, f"violate the check {label}", expressions=parts)
    elif sort == "CONSTR_FOREIGN" and not constraint.skip_validation:
        target = relation(connection, constraint.pktable)
        own = tuple(key.sval for key in constraint.fk_attrs or ())
        theirs = tuple(key.sval for key in constraint.pk_attrs or ()) or _primary_key(connection, target)
        if target is not None and own and len(own) == len(theirs):
            yield _orphans(table, own, target, theirs)


def _validated(connection: psycopg.Connection[Any], table: int, name: str) -> Iterator[Demand]:
    row = connection.execute(
        "select contype::text, pg_get_constraintdef(oid), confrelid::bigint,"
        " array(select attname::text from unnest(conkey) with ordinality k (n, o) join pg_attribute a"
        "   on a.attrelid = conrelid and a.attnum = k.n order by o),"
        " array(select attname::text from unnest(confkey) with ordinality k (n, o) join pg_attribute a"
        "   on a.attrelid = confrelid and a.attnum = k.n order by o)"
        " from pg_constraint where conrelid = %s and conname = %s and not convalidated",
        (table, name),
    ).fetchone()
    if row is None:
        return
    sort, definition, target, own, theirs = row
    if sort == "f":
        yield _orphans(table, tuple(own), target, tuple(theirs))
    elif sort == "c":
        expression = definition.removeprefix("CHECK ").removesuffix(" NOT VALID")
        from pglast.parser import parse_sql

        parsed: Any = parse_sql(f"select {expression}")
        what = f"violate the check {name}"
        yield Demand(table, f"not {expression}", tuple(own), what, expressions=(parsed[0].stmt,))


def _orphans(table: int, own: Sequence[str], target: int, theirs: Sequence[str]) -> Demand:
    filled = " and ".join(f"{{t}}.{identifier(name)} is not null" for name in own)
    pairs = " and ".join(
        f"r.{identifier(there)} = {{t}}.{identifier(here)}" for here, there in zip(own, theirs, strict=True)
    )
    bad = f"{filled} and not exists (select from {{o}} r where {pairs})"
    return Demand(table, bad, tuple(own), f"have {', '.join(own)} that refers to nothing", others=(target,))


def _unique_index(table: int, node: Any) -> Demand:
    parts, names = [], list[str]()
    for element in node.indexParams:
        if element.name:
            parts.append(identifier(element.name))
            names.append(element.name)
        else:
            parts.append(f"({printed(element.expr)})")
            names += columns_in(element.expr)
    where = printed(node.whereClause) if node.whereClause is not None else ""
    names += columns_in(node.whereClause) if node.whereClause is not None else ()
    found = _duplicates(table, parts, tuple(dict.fromkeys(names)), where, bool(node.nulls_not_distinct))
    expressions = [element.expr for element in node.indexParams if element.expr is not None]
    return replace(found, expressions=(*expressions, *([node.whereClause] if where else [])))


def _duplicates(table: int, parts: Sequence[str], columns: Sequence[str], where: str, nulls: bool) -> Demand:
    """nulls: two nulls are duplicates too."""
    conditions = ([] if nulls else [f"{part} is not null" for part in parts]) + ([f"({where})"] if where else [])
    condition = f" where {' and '.join(conditions)}" if conditions else ""
    grouped = ", ".join(parts)
    query = (
        f"select coalesce(sum(n), 0) from (select count(*) as n from {{t}}{condition} group by {grouped}"  # noqa: S608 - quoted
        " having count(*) > 1) d"
    )
    shown = ", ".join(dict.fromkeys(columns))
    bad = f"({grouped}) in (select {grouped} from {{t}}{condition} group by {grouped} having count(*) > 1)"  # noqa: S608
    return Demand(table, bad, tuple(columns), f"share their {shown} with another row", query)


def _changed_type(connection: psycopg.Connection[Any], table: int, command: Any) -> Iterator[Demand]:
    """Rows whose cast fails, where that can be asked: text into a type, and members that an enum does not have."""
    column, definition = command.name, command.def_
    type_name = printed_type(definition.typeName)
    row = connection.execute(
        "select t.typtype::text, t.oid::bigint, s.typcategory::text,"
        " array(select enumlabel::text from pg_enum where enumtypid = t.oid), to_regtype(%s)::text"
        " from pg_attribute a join pg_type s on s.oid = a.atttypid left join pg_type t on t.oid = to_regtype(%s)"
        " where a.attrelid = %s and a.attname = %s",
        (type_name, type_name, table, column),
    ).fetchone()
    if row is None or row[1] is None:
        return
    sort, _, category, labels, new = row
    name = identifier(column)
    cast_only = definition.raw_default is None or _only_casts(definition.raw_default, column)
    if not cast_only:
        return
    if sort == "e":
        members = ", ".join(literal(label) for label in labels)
        bad = f"{name} is not null and {name}::text <> all (array[{members}]::text[])"
        yield Demand(table, bad, (column,), f"have a {column} that {new} does not have")
    elif category == "S" and new not in ("text", "character varying", "character", "name"):
        bad = f"{name} is not null and not pg_input_is_valid({name}::text, {literal(new)})"
        yield Demand(table, bad, (column,), f"have a {column} that is not a valid {new}")
    elif category == "S" and definition.raw_default is None and (length := _length(definition.typeName)) is not None:
        bad = f"length(rtrim({name}::text)) > {length}"
        yield Demand(table, bad, (column,), f"have a {column} longer than {length}")


@dataclass(frozen=True)
class TypeChange:
    """A column that gets another type. lossy: a condition that is true of rows whose value does not survive it.

    using: the statement says how values are converted. expression: that, as pglast's node; None for a plain cast.
    """

    table: int
    column: str
    lossy: str
    expression: Any


def type_changes(connection: psycopg.Connection[Any], node: Any) -> list[TypeChange]:
    """The changes of type in an ALTER TABLE, looked up in the twin as it is before them."""
    if type(node).__name__ != "AlterTableStmt":
        return []
    table, found = relation(connection, node.relation), []
    for command in node.cmds:
        if table is None or command.subtype.name != "AT_AlterColumnType":
            continue
        row = connection.execute(
            "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s and attname = %s",
            (table, command.name),
        ).fetchone()
        if row is None:
            continue
        name, old, new = identifier(command.name), row[0], whole_type(command.def_.typeName)
        expression = command.def_.raw_default
        made = f"(({printed(expression) if expression is not None else name})::{new})"
        same = [f"{made}::text is not distinct from {name}::text", f"{made}::text::{old}::text = {name}::text"]
        lossy = f"{name} is not null and not coalesce({' or '.join(same)}, false)"
        found.append(TypeChange(table, command.name, lossy, expression))
    return found


def whole_type(node: Any) -> str:
    """A type with its modifiers, as SQL."""
    from pglast.stream import RawStream

    return str(RawStream()(node))


def _length(node: Any) -> int | None:
    modifiers = [getattr(getattr(each, "val", None), "ival", None) for each in node.typmods or ()]
    return modifiers[0] if len(modifiers) == 1 and isinstance(modifiers[0], int) else None


def _only_casts(node: Any, column: str) -> bool:
    """True for the column itself, cast any number of times."""
    while type(node).__name__ == "TypeCast":
        node = node.arg
    return type(node).__name__ == "ColumnRef" and getattr(node.fields[-1], "sval", None) == column


def purge_statements(
    connection: psycopg.Connection[Any], node: Any, error: psycopg.Error, baseline: Mapping[int, Content]
) -> Iterator[tuple[tuple[int, ...], Sequence[str]]]:
    """Ways to take the rows out that a statement refuses, the mildest first: (tables, statements).

    The rows that what it demands condemns; then all rows of its table, or of the table that the error names.
    """
    targets: list[int] = []
    if type(variable := getattr(node, "relation", None)).__name__ == "RangeVar":
        found = relation(connection, variable)
        targets += [found] if found is not None else []
    if error.diag.table_name and error.diag.schema_name:
        found = _oid(connection, f"{identifier(error.diag.schema_name)}.{identifier(error.diag.table_name)}")
        targets += [found] if found is not None else []
    demands = demands_of(connection, node)
    if demands:
        removals = []
        for demand in demands:
            table = _name(connection, demand.table)
            others = [_name(connection, oid) for oid in demand.others]
            bad = demand.bad.replace("{t}", table).replace("{o}", others[0] if others else "")
            removals.append(f"delete from {table} where {bad}")  # noqa: S608 - of the migration, in its own database
        yield tuple(demand.table for demand in demands), removals
    everything = [oid for oid in dict.fromkeys(targets) if oid in baseline or _partitioned(connection, oid)]
    if everything:
        yield (
            tuple(everything),
            [f"truncate {', '.join(_name(connection, oid) for oid in everything)} cascade"],
        )


def written_table(connection: psycopg.Connection[Any], node: Any) -> int | None:
    """The oid of the table that the statement itself makes, fills or writes to."""
    into = getattr(node, "into", None) or getattr(node, "intoClause", None)
    variable = into.rel if into is not None else getattr(node, "relation", None)
    return relation(connection, variable) if type(variable).__name__ == "RangeVar" else None


def _partitioned(connection: psycopg.Connection[Any], oid: int) -> bool:
    return connection.execute("select 1 from pg_class where oid = %s and relkind = 'p'", (oid,)).fetchone() is not None


def relation(connection: psycopg.Connection[Any], variable: Any) -> int | None:
    """The oid of what a RangeVar refers to in the twin as it is now."""
    names = [identifier(part) for part in (variable.schemaname, variable.relname) if part]
    return _oid(connection, ".".join(names))


def _oid(connection: psycopg.Connection[Any], name: str) -> int | None:
    row = connection.execute("select to_regclass(%s)::oid::bigint", (name,)).fetchone()
    return row[0] if row else None


def _name(connection: psycopg.Connection[Any], oid: int) -> str:
    row = connection.execute(
        "select format('%%I.%%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.oid = %s",
        (oid,),
    ).fetchone()
    return str(row[0]) if row else "pg_catalog.pg_nothing"


def _primary_key(connection: psycopg.Connection[Any], table: int | None) -> tuple[str, ...]:
    rows = connection.execute(
        "select a.attname::text from pg_constraint c cross join unnest(c.conkey) with ordinality k (n, o)"
        " join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n"
        " where c.conrelid = %s and c.contype = 'p' order by k.o",
        (table,),
    ).fetchall()
    return tuple(name for (name,) in rows)


def printed(node: Any) -> str:
    """An expression as SQL."""
    from pglast.stream import RawStream

    return str(RawStream()(node))


def printed_type(node: Any) -> str:
    """A type's name without its modifiers."""
    from pglast.stream import RawStream

    return str(RawStream()(node)).partition("(")[0] if node.typmods else str(RawStream()(node))


def columns_in(node: Any) -> tuple[str, ...]:
    """The last names of the columns that an expression mentions."""
    from pglast.visitors import Visitor

    found: list[str] = []

    class Columns(Visitor):
        def visit_ColumnRef(self, _: Any, part: Any) -> None:
            found.append(getattr(part.fields[-1], "sval", "*"))

    Columns()(node)
    return tuple(dict.fromkeys(found))
