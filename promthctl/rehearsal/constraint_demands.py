"""What exclusion constraints, partitions and domains demand of the rows that exist; see demands.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from promthctl.rehearsal.demands import Demand, columns_in, printed, relation
from promthctl.sql.quoting import identifier

if TYPE_CHECKING:
    import psycopg

_TRIED = "promthctl_partition"  # a table that exists for a moment, in the twin


def constraint_demands_of(connection: psycopg.Connection[Any], node: Any) -> list[Demand]:
    """What the statement demands, its names looked up in the twin as they are now; nothing for other kinds."""
    kind = type(node).__name__
    if kind == "AlterDomainStmt":
        return list(_domain(connection, node))
    if kind != "AlterTableStmt" or node.objtype.name != "OBJECT_TABLE":
        return []
    table = relation(connection, node.relation)
    found: list[Demand] = []
    for command in node.cmds if table is not None else ():
        assert table is not None
        sort = command.subtype.name
        if sort == "AT_AddConstraint" and command.def_.contype.name == "CONSTR_EXCLUSION":
            found.append(_exclusion(table, command.def_))
        elif sort == "AT_AttachPartition":
            found += _partition(connection, table, node, command)
    return found


def _exclusion(table: int, constraint: Any) -> Demand:
    """Rows that another row excludes: all operators hold between the two."""
    names: list[str] = []
    parts, pairs, expressions = [], [], []
    for place, (element, operator) in enumerate(constraint.exclusions):
        written = identifier(element.name) if element.name else f"({printed(element.expr)})"
        names += [element.name] if element.name else columns_in(element.expr)
        expressions += [] if element.name else [element.expr]
        *schema, sign = (part.sval for part in operator)
        called = f"operator({'.'.join([*(identifier(one) for one in schema), sign])})" if schema else sign
        parts.append(f"{written} as e{place}")
        pairs.append(f"a.e{place} {called} b.e{place}")
    where = ""
    if constraint.where_clause is not None:
        where = f" where {printed(constraint.where_clause)}"
        names += columns_in(constraint.where_clause)
        expressions.append(constraint.where_clause)
    rows = f"(select tableoid as o, ctid as c, {', '.join(parts)} from {{t}}{where})"  # noqa: S608 - quoted
    bad = (
        f"(tableoid, ctid) in (select a.o, a.c from {rows} a join {rows} b"  # noqa: S608
        f" on (a.o, a.c) <> (b.o, b.c) and {' and '.join(pairs)})"
    )
    columns = tuple(dict.fromkeys(names))
    what = f"violate the exclusion of {', '.join(columns)} with another row"
    return Demand(table, bad, columns, what, expressions=tuple(expressions))


def _partition(connection: psycopg.Connection[Any], parent: int, node: Any, command: Any) -> Iterator[Demand]:
    """Rows of a table that is attached which lie outside of its bounds, and those of the default one within them."""
    part = relation(connection, command.def_.name)
    condition = _bounds(connection, parent, node)
    if part is None or condition is None:
        return
    columns = _columns(connection, parent, condition)
    label = command.def_.name.relname
    yield Demand(part, f"not coalesce({condition}, false)", columns, f"lie outside of the bounds of partition {label}")
    row = connection.execute(
        "select partdefid::bigint from pg_partitioned_table where partrelid = %s and partdefid not in (0, %s)",
        (parent, part),
    ).fetchone()
    if row is not None:
        what = f"belong to the partition {label}, and would have to be moved first"
        yield Demand(row[0], condition, columns, what)


def _bounds(connection: psycopg.Connection[Any], parent: int, node: Any) -> str | None:
    """What is true of the rows of a partition with these bounds, as PostgreSQL says; None where it does not say it."""
    import psycopg

    row = connection.execute(
        "select format('%%I.%%I', n.nspname, c.relname), n.nspname::text from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace where c.oid = %s",
        (parent,),
    ).fetchone()
    if row is None:
        return None
    attach = deepcopy(node)
    for command in attach.cmds:
        if command.subtype.name == "AT_AttachPartition":
            command.def_.name.schemaname, command.def_.name.relname = row[1], _TRIED
            attach.cmds = (command,)
    made = f"{identifier(row[1])}.{identifier(_TRIED)}"
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(f"create table {made} (like {row[0]})".encode(), prepare=False)
            connection.execute(printed(attach).encode(), prepare=False)
            found = connection.execute("select pg_get_partition_constraintdef(%s::regclass)", (made,)).fetchone()
    except psycopg.Error:
        if connection.broken:
            raise
        return None
    condition = found[0] if found else None
    return None if condition is None or "satisfies_hash_partition" in condition else f"({condition})"


def _columns(connection: psycopg.Connection[Any], table: int, condition: str) -> tuple[str, ...]:
    words = set(re.findall(r"\w+", condition))
    rows = connection.execute(
        "select attname::text from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped", (table,)
    ).fetchall()
    return tuple(name for (name,) in rows if name in words)


def _domain(connection: psycopg.Connection[Any], node: Any) -> Iterator[Demand]:
    """Rows of every table with a column of the domain."""
    name = ".".join(identifier(part.sval) for part in node.typeName)
    expressions: tuple[Any, ...] = ()
    if node.subtype == "O":
        bad, what = "value is null", f"are NULL, which the domain {name} does not take"
    elif node.subtype == "C" and node.def_.contype.name == "CONSTR_CHECK" and not node.def_.skip_validation:
        expressions = (node.def_.raw_expr,)
        label = node.def_.conname or "the new check"
        bad, what = f"not ({printed(node.def_.raw_expr)})", f"violate the check {label} of the domain {name}"
    elif node.subtype == "V":
        definition = connection.execute(
            "select pg_get_expr(conbin, 0) from pg_constraint where contypid = to_regtype(%s) and conname = %s"
            " and not convalidated",
            (name, node.name),
        ).fetchone()
        if definition is None:
            return
        bad, what = f"not ({definition[0]})", f"violate the check {node.name} of the domain {name}"
        from pglast.parser import parse_sql

        parsed: Any = parse_sql(f"select {definition[0]}")
        expressions = (parsed[0].stmt,)
    else:
        return
    rows = connection.execute(
        "select c.oid::bigint, a.attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where a.atttypid = to_regtype(%s)::oid and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped",
        (name,),
    ).fetchall()
    for table, column in rows:
        # In the check the value is called `value`.
        condition = f"(select {bad} from (select {{t}}.{identifier(column)}) v (value))"  # noqa: S608
        said = what if what.startswith("violate") else f"have {column} NULL, which the domain {name} does not take"
        yield Demand(table, condition, (column,), said, expressions=expressions)
