"""Reading pglast's nodes, which are PostgreSQL's own (src/include/nodes/parsenodes.h), without importing pglast."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from promthctl.push.risks.model import StatementKind
from promthctl.sql.quoting import identifier

_FIRST_WORDS: tuple[tuple[StatementKind, str], ...] = (
    ("creates", "Create|Createdb|Define|Index|View|Rule|CompositeType|ImportForeign"),
    ("drops", "Drop|Dropdb"),
    ("writes", "Insert|Update|Delete|Merge|Copy|Truncate"),
    ("sets", "Variable|Transaction|ConstraintsSet|Deallocate|Discard|Listen|Unlisten|Notify|Load"),
    ("runs", "Select|Do|Call|Execute|Prepare|RefreshMatView|Reindex|Cluster|Vacuum|Explain|Lock|CheckPoint"),
)
_WORDS = {
    "CreateStmt": "table",
    "CreateTableAsStmt": "table",
    "CreateTrigStmt": "trigger",
    "CreateSeqStmt": "sequence",
    "CreateEnumStmt": "type",
    "CompositeTypeStmt": "type",
    "CreatedbStmt": "database",
    "DropdbStmt": "database",
    "DoStmt": "DO block",
    "VariableSetStmt": "",
}
# Where nodes keep the name of what they are about.
_NAMES = (
    *("idxname", "policy_name", "trigname", "funcname", "rulename", "defnames", "typeName", "domainname"),
    *("schemaname", "extname", "role", "relation", "view", "sequence", "typevar", "into", "rel", "table"),
    *("object", "objects", "relations", "pubname", "servername", "dbname", "name", "funccall", "subname"),
)
_ON = {"IndexStmt": "relation", "CreatePolicyStmt": "table", "AlterPolicyStmt": "table", "CreateTrigStmt": "relation"}


def walk(value: Any) -> Iterator[Any]:
    """A node and all nodes below it."""
    if isinstance(value, tuple):
        for item in value:
            yield from walk(item)
    elif type(value).__module__ == "pglast.ast":
        yield value
        for field in value:
            yield from walk(getattr(value, field))


def strings(value: Any) -> tuple[str, ...]:
    """The parts of a name, which is a tuple of String or one String."""
    return tuple(part.sval for part in (value if isinstance(value, tuple) else (value,)))


def type_name(node: Any) -> str:
    """A TypeName for to_regtype, without its modifiers."""
    return identifier(*strings(node.names)) + "[]" * len(node.arrayBounds or ())


def modifiers(node: Any) -> tuple[int, ...]:
    """A TypeName's modifiers, e.g. (10, 2) of numeric(10, 2)."""
    values = [getattr(getattr(each, "val", None), "ival", None) for each in node.typmods or ()]
    return tuple(value for value in values if value is not None)


def kind_of(node: Any) -> StatementKind:
    """The kind of action, by the statement's first word."""
    name = type(node).__name__
    if name == "SelectStmt" and node.intoClause:
        return "creates"
    return next((kind for kind, words in _FIRST_WORDS if re.match(f"(?:{words})", name)), "alters")


def object_of(node: Any) -> str:
    """What a statement is about, as written in it, e.g. "index a_idx on public.a"."""
    name = type(node).__name__
    sort = getattr(node, "removeType", None) or getattr(node, "objtype", None)
    if name == "DefineStmt":
        sort = node.kind
    word = _WORDS.get(name)
    if sort is not None and name != "GrantStmt":
        word = sort.name.removeprefix("OBJECT_").replace("_", " ").lower().replace("matview", "materialized view")
    elif word is None:
        short = name.removeprefix("Create").removeprefix("Alter").removeprefix("Drop").removesuffix("Stmt")
        word = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", short).lower()
    if name == "DoStmt":
        return word
    found = next((text for field in _NAMES if (text := _text(getattr(node, field, None)))), "")
    on = _text(getattr(node, _ON[name])) if name in _ON else ""
    return " ".join(filter(None, (word, found, on and f"on {on}")))


def _text(value: Any) -> str:
    """A name in any of the forms that nodes have for it; empty for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        if all(hasattr(part, "sval") for part in value):
            return ".".join(part.sval for part in value)
        return ", ".join(filter(None, map(_text, value)))
    match type(value).__name__:
        case "RangeVar":
            return ".".join(filter(None, (value.schemaname, value.relname)))
        case "String":
            return str(value.sval)
        case "TypeName":
            return ".".join(strings(value.names))
        case "ObjectWithArgs":
            return ".".join(strings(value.objname))
        case "FuncCall":
            return ".".join(strings(value.funcname))
        case "RoleSpec":
            return str(value.rolename or "")
        case "IntoClause":
            return _text(value.rel)
    return ""
