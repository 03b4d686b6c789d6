"""Which tables belong together: `-- promthctl: group NAME` in the migrations, and groups in pyproject.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from promthctl.diagram.model import Name
from promthctl.migration_set import Migration
from promthctl.settings import Settings
from promthctl.sql.parsing import parse_migration

_COMMENT = re.compile(r"^[ \t]*--[ \t]*promthctl:[ \t]*group\b[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)


def all_groups(settings: Settings, migrations: Iterable[Migration]) -> dict[Name, str]:
    """Table → group: what pyproject.toml says (an applied migration is not edited to say it), then the comments."""
    configured = {name: group for group, names in settings.diagram_groups.items() for name in names}
    return configured | {name: group for name, group in groups_of(migrations).items() if name not in configured}


def groups_of(migrations: Iterable[Migration]) -> dict[Name, str]:
    """Table → group, in the order in which the groups are named.

    A comment holds for the tables that are made below it in its file, up to the next one; without a name it ends.
    """
    groups: dict[Name, str] = {}
    for file in migrations:
        marks = [(file.sql.count("\n", 0, found.start()) + 1, found[1]) for found in _COMMENT.finditer(file.sql)]
        if not (marks or groups):
            continue
        for statement in parse_migration(file.sql):
            name = next((group for line, group in reversed(marks) if line <= statement.line), "")
            _follow(groups, statement.node, name)
    return groups


def _follow(groups: dict[Name, str], node: Any, group: str) -> None:
    kind = type(node).__name__
    if kind == "CreateStmt" and group:
        groups.setdefault(_name(node.relation), group)
    elif kind == "CreateTableAsStmt" and group:
        groups.setdefault(_name(node.into.rel), group)
    elif kind == "DropStmt" and node.removeType.name == "OBJECT_TABLE":
        for words in node.objects:
            schema, name = (["public"] + [word.sval for word in words])[-2:]
            groups.pop((schema, name), None)
    elif kind == "RenameStmt" and node.renameType.name == "OBJECT_TABLE":
        _move(groups, _name(node.relation), (_schema(node.relation), node.newname))
    elif kind == "AlterObjectSchemaStmt" and node.objectType.name == "OBJECT_TABLE":
        _move(groups, _name(node.relation), (node.newschema, node.relation.relname))


def _move(groups: dict[Name, str], old: Name, new: Name) -> None:
    if old in groups:
        groups[new] = groups.pop(old)


def _schema(relation: Any) -> str:
    return str(relation.schemaname or "public")


def _name(relation: Any) -> Name:
    return _schema(relation), str(relation.relname)
