"""What is drawn of a catalog: tables, their columns and keys, and what refers to what."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from promthctl.schema import Catalog

# As they are written more often, https://www.postgresql.org/docs/current/datatype.html
_SHORT = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "character varying": "varchar",
    "character": "char",
    "double precision": "float8",
}
_SHORTER = re.compile("^(" + "|".join(sorted(_SHORT, key=len, reverse=True)) + r")(?=$|\(|\[)")

_QUOTED = re.compile(r'"((?:[^"]|"")*)"|([^.]+)')

_FEW = 40  # tables
Name = tuple[str, str]  # a schema and a table, without quotes


@dataclass(frozen=True)
class Column:
    """primary: part of the primary key. unique: has values of its own. away: the tables it refers to that are not
    drawn, as "auth.users".
    """

    name: str
    type: str
    nullable: bool
    primary: bool = False
    unique: bool = False
    foreign: bool = False
    away: tuple[str, ...] = ()

    @property
    def is_key(self) -> bool:
        return self.primary or self.foreign


@dataclass(frozen=True)
class Table:
    """name: its schema and its own. title: as it is shown. rls: whether row level security is on. policies:
    how many it has. partitions: how many, which are not drawn.
    """

    name: Name
    title: str
    group: str
    columns: tuple[Column, ...]
    rls: bool
    policies: int
    partitions: int = 0


@dataclass(frozen=True)
class Reference:
    """A foreign key between two tables of the diagram. unique: at most one row refers to each. optional: its columns
    may be null.
    """

    table: Name
    columns: tuple[str, ...]
    target: Name
    target_columns: tuple[str, ...]
    unique: bool
    optional: bool


@dataclass(frozen=True)
class Diagram:
    """groups: their names in the order in which they are drawn; there may be one."""

    tables: tuple[Table, ...]
    references: tuple[Reference, ...]
    groups: tuple[str, ...] = field(default=())

    @property
    def is_large(self) -> bool:
        return len(self.tables) > _FEW


def diagram_of(catalog: Catalog, groups: Mapping[Name, str], schemas: Collection[str] = ()) -> Diagram:
    """groups: table → the group that it was given; the others go by schema. schemas: only those; none for all."""
    keys = list(_keys(catalog))
    names = {
        _name(identity): identity for identity, made in catalog.of("tables").items() if made["partition_bound"] is None
    }
    drawn = {name: identity for name, identity in names.items() if not schemas or name[0] in schemas}
    columns: dict[str, list[tuple[int, str, str, bool]]] = {}
    for identity, column in catalog.of("columns").items():
        [own_name] = _parts(identity.removeprefix(f"{column['table']}."))
        type_ = _SHORTER.sub(lambda found: _SHORT[found[1]], column["type"])
        columns.setdefault(column["table"], []).append((column["place"], own_name, type_, column["not_null"]))
    several = len({schema for schema, _ in drawn}) > 1
    tables = []
    for name, identity in sorted(drawn.items()):
        own = [key for key in keys if key.table == name]
        parts = [one for one in catalog.of("tables").values() if one["partition_bound"]]
        tables.append(
            Table(
                name,
                ".".join(name) if several else name[1],
                groups.get(name, name[0]),
                tuple(_column(one, own, drawn) for one in sorted(columns.get(identity, ()))),
                bool(catalog.of("rls").get(identity, {}).get("enabled")),
                sum(policy["table"] == identity for policy in catalog.of("policies").values()),
                sum(name in map(_name, one["parents"]) for one in parts),
            )
        )
    shown = {table.name: table for table in tables}
    references = [_reference(key, keys, shown[key.table]) for key in keys if key.table in shown and key.target in shown]
    order = dict.fromkeys((*groups.values(), *sorted(table.group for table in tables)))
    used = {table.group for table in tables}
    return Diagram(
        tuple(tables),
        tuple(sorted(references, key=lambda one: (one.table, one.columns))),
        tuple(group for group in order if group in used),
    )


@dataclass(frozen=True)
class _Key:
    """A constraint. kind: "primary", "unique" or "foreign"."""

    kind: str
    table: Name
    columns: tuple[str, ...]
    target: Name | None = None
    target_columns: tuple[str, ...] = ()


def _keys(catalog: Catalog) -> Iterator[_Key]:
    from pglast import parser

    kinds = {"CONSTR_PRIMARY": "primary", "CONSTR_UNIQUE": "unique", "CONSTR_FOREIGN": "foreign"}
    for constraint in catalog.of("constraints").values():
        if not constraint["definition"].startswith(("PRIMARY", "UNIQUE", "FOREIGN")):
            continue
        table = _name(constraint["table"])
        statement: Any = parser.parse_sql(f"alter table t add {constraint['definition']}")[0].stmt
        node = statement.cmds[0].def_
        kind = kinds[node.contype.name]
        if kind != "foreign":
            yield _Key(kind, table, _words(node.keys))
            continue
        target = (node.pktable.schemaname or "public", node.pktable.relname)
        yield _Key(kind, table, _words(node.fk_attrs), target, _words(node.pk_attrs))


def _words(nodes: object) -> tuple[str, ...]:
    return tuple(str(node.sval) for node in nodes or ())  # type: ignore[attr-defined]


def _column(one: tuple[int, str, str, bool], keys: Collection[_Key], drawn: Collection[Name]) -> Column:
    _, name, type_, not_null = one
    mine = [key for key in keys if name in key.columns]
    foreign = [key for key in mine if key.kind == "foreign"]
    return Column(
        name,
        type_,
        not not_null,
        any(key.kind == "primary" for key in mine),
        any(key.kind == "unique" and len(key.columns) == 1 for key in mine),
        bool(foreign),
        tuple(".".join(key.target) for key in foreign if key.target and key.target not in drawn),
    )


def _reference(key: _Key, keys: Collection[_Key], table: Table) -> Reference:
    unique = any(
        other.table == key.table and other.kind in ("primary", "unique") and set(other.columns) <= set(key.columns)
        for other in keys
    )
    optional = any(column.nullable for column in table.columns if column.name in key.columns)
    assert key.target is not None
    return Reference(key.table, key.columns, key.target, key.target_columns, unique, optional)


def _parts(identity: str) -> list[str]:
    """The names of an identity, without their quotes."""
    return [found[1].replace('""', '"') if found[1] is not None else found[2] for found in _QUOTED.finditer(identity)]


def _name(identity: str) -> Name:
    schema, name = _parts(identity)
    return schema, name
