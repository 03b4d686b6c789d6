"""What the engine writes anew although it is the same.

It compares definitions as PostgreSQL prints them, and PostgreSQL prints `a between 1 and 2 and b` as
`(a >= 1 and a <= 2) and b`, but as one chain once it has read that. So the one would be replaced by the other for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from promthctl.schema import Catalog
from promthctl.schema.canonical import canonical
from promthctl.sql.statements import parse_statements

_KINDS = ("constraints", "policies", "indexes", "views")
_DROPPED = {"OBJECT_POLICY": "policies", "OBJECT_INDEX": "indexes", "OBJECT_VIEW": "views"}
_CONSTRAINT_COMMANDS = ("AT_AddConstraint", "AT_DropConstraint", "AT_ValidateConstraint")
_NAME = re.compile(r'"(?:[^"]|"")*"|[^."]+')

Key = tuple[str, tuple[str, ...]]  # kind, and the name in its parts


def without_echoes(sql: str, before: Catalog, wanted: Catalog) -> str:
    """The engine's SQL without the statements that only spell an object in another way."""
    same = set(_spelled_otherwise(before, wanted))
    if not same:
        return sql
    statements = parse_statements(sql)
    kept = [one for one in statements if _object_of(one.node) not in same]
    return (
        sql if len(kept) == len(statements) else "\n\n".join(f"{one.text};" if one.node else one.text for one in kept)
    )


def _spelled_otherwise(before: Catalog, wanted: Catalog) -> Iterator[Key]:
    for kind in _KINDS:
        there = before.of(kind)
        for name, attributes in wanted.of(kind).items():
            other = there.get(name)
            if other is not None and other != attributes and canonical(other) == canonical(attributes):
                parts = (part[1:-1].replace('""', '"') if part[0] == '"' else part for part in _NAME.findall(name))
                yield kind, tuple(parts)


def _object_of(node: Any) -> Key | None:
    """What a statement makes, changes or drops, where it is one thing of these kinds."""
    kind = type(node).__name__
    if kind == "AlterTableStmt" and len(node.cmds) == 1 and node.cmds[0].subtype.name in _CONSTRAINT_COMMANDS:
        command = node.cmds[0]
        return "constraints", (*_relation(node.relation), command.name or command.def_.conname or "")
    if kind in ("CreatePolicyStmt", "AlterPolicyStmt"):
        return "policies", (*_relation(node.table), node.policy_name)
    if kind == "IndexStmt":
        return "indexes", (_relation(node.relation)[0], node.idxname or "")
    if kind == "ViewStmt":
        return "views", _relation(node.view)
    if kind == "DropStmt" and node.removeType.name in _DROPPED and len(node.objects) == 1:
        return _DROPPED[node.removeType.name], tuple(part.sval for part in node.objects[0])
    return None


def _relation(name: Any) -> tuple[str, str]:
    return name.schemaname or "public", name.relname
