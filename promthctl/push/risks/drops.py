"""What loses data: DROP, TRUNCATE, DELETE and UPDATE of whole tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from promthctl.push.risks.alter import briefly, exposed, referred, rewrites, security
from promthctl.push.risks.catalog import Address, Loss, address
from promthctl.push.risks.model import Risk, Rows, total
from promthctl.push.risks.name_resolution import Scene, Table
from promthctl.push.risks.nodes import strings, type_name

_RELATIONS = {"TABLE", "VIEW", "MATVIEW", "SEQUENCE", "FOREIGN_TABLE"}
_ON_DELETE_CASCADE = "c"


def drop(scene: Scene, node: Any) -> Iterator[Risk]:
    """A DROP of any kind."""
    kind = node.removeType.name.removeprefix("OBJECT_")
    cascade = node.behavior.name == "DROP_CASCADE"
    for item in node.objects:
        if kind in _RELATIONS:
            yield from _drop_relation(scene, strings(item), kind, cascade)
        elif kind == "INDEX":
            yield from _drop_index(scene, strings(item), node.concurrent)
        elif kind in ("POLICY", "TRIGGER", "RULE"):
            yield from _drop_part(scene, kind.lower(), strings(item))
        elif cascade or kind == "EXTENSION":
            yield from _drop_other(scene, kind, item, cascade)


def drop_owned(scene: Scene, node: Any) -> Iterator[Risk]:
    for role in node.roles:
        loss = scene.catalog.loss(scene.catalog.owned(role.rolename), node.behavior.name == "DROP_CASCADE")
        name = role.rolename or "the current user"
        yield from _lost(loss, name, f"drops everything {name} owns in this database")


def drop_database(scene: Scene, node: Any) -> Iterator[Risk]:
    yield Risk("destroys", node.dbname, f"drops database {node.dbname}")


def truncate(scene: Scene, node: Any) -> Iterator[Risk]:
    tables = [table for each in node.relations if (table := scene.of(each)) and table.there]
    for table in tables:
        along = _referring(scene, table, tables, "") if node.behavior.name == "DROP_CASCADE" else []
        yield _emptied(scene, table, along, f"empties {table.label}")
        yield from (briefly(each) for each in (table, *along))


def delete(scene: Scene, node: Any) -> Iterator[Risk]:
    table = scene.of(node.relation)
    if table is None or table.there is None:
        return
    if not _everywhere(node.whereClause):
        yield Risk("not_analysed", table.label, f"deletes the rows of {table.label} that meet its condition")
        return
    along = _referring(scene, table, [table], _ON_DELETE_CASCADE)
    yield _emptied(scene, table, along, f"deletes every row of {table.label}")


def merge(scene: Scene, node: Any) -> Iterator[Risk]:
    """MERGE. Nobody can tell which rows its condition meets, and it may be every one."""
    table = scene.of(node.relation)
    if table is None or table.there is None:
        return
    actions = {clause.commandType.name for clause in node.mergeWhenClauses}
    for action, what in (("CMD_DELETE", "deletes"), ("CMD_UPDATE", "overwrites")):
        if action in actions:
            yield Risk("destroys", table.label, f"{what} the rows of {table.label} that it matches")


def update(scene: Scene, node: Any) -> Iterator[Risk]:
    table = scene.of(node.relation)
    if table is None or table.there is None:
        return
    names = [target.name for target in node.targetList if target.name not in table.added]
    if names and not _everywhere(node.whereClause):
        what = f"overwrites {', '.join(names)} in the rows of {table.label} that meet its condition"
        yield Risk("not_analysed", table.label, what)
    elif names:
        rows = scene.catalog.count(table.there, [table.renamed.get(name, name) for name in names])
        what = f"overwrites {', '.join(names)} in every row of {table.label}"
        yield Risk("destroys", table.label, what, rows)
    elif _everywhere(node.whereClause):
        added = ", ".join(target.name for target in node.targetList)
        yield rewrites(scene, table, f"fills {added} in every row")


def _drop_relation(scene: Scene, names: Sequence[str], kind: str, cascade: bool) -> Iterator[Risk]:
    table = scene.find(*names)
    if table is None:
        return
    scene.drop(table)
    if table.there is None:
        return
    word = kind.lower().replace("matview", "materialized view").replace("_", " ")
    loss = scene.catalog.loss([address(table.there.oid)], cascade)
    yield from _lost(loss, table.label, f"drops {word} {table.label}")
    yield from referred(scene, table)


def _drop_index(scene: Scene, names: Sequence[str], concurrently: bool) -> Iterator[Risk]:
    index = scene.find(*names)
    if index is None:
        return
    scene.drop(index)
    table = scene.by_oid(index.there.on) if index.there else None
    if table and not concurrently:
        yield briefly(table)


def _drop_part(scene: Scene, word: str, names: Sequence[str]) -> Iterator[Risk]:
    """A policy, trigger or rule: names ends with the table's and its own."""
    table, name = scene.find(*names[:-1]), names[-1]
    if table is None or table.there is None:
        return
    if word == "policy":
        if (table.there.oid, name) not in scene.catalog.policies:
            return
        yield security(policy(table, name), f"drops {policy(table, name)}")
    yield briefly(table)


def policy(table: Table, name: str) -> str:
    return f"policy {name} on {table.label}"


def _drop_other(scene: Scene, kind: str, item: Any, cascade: bool) -> Iterator[Risk]:
    """Not a table, but tables or their columns may go with it."""
    word = kind.lower().replace("_", " ")
    found, name = _find(scene, word, item)
    if found is None:
        return
    loss = scene.catalog.loss([found], cascade)
    if kind == "SCHEMA":
        for table in scene.in_schema(name):
            scene.drop(table)
        if loss.cascades and not (loss.tables or loss.columns):
            yield Risk("destroys", name, f"drops schema {name}", Rows(0, exact=True), cascades=loss.cascades)
    yield from _lost(loss, name, f"drops {word} {name}")


def _find(scene: Scene, word: str, item: Any) -> tuple[Address | None, str]:
    """The object in the target, and its name."""
    sort = type(item).__name__
    if sort == "TypeName":
        return scene.catalog.address("type", [type_name(item)], [], scene.path), ".".join(strings(item.names))
    if sort == "ObjectWithArgs":
        names = strings(item.objname)
        arguments = None if item.args_unspecified else [type_name(each) for each in item.objargs or ()]
        return scene.catalog.address(word, names, arguments, scene.path), ".".join(names)
    if sort == "String" or (sort == "tuple" and all(hasattr(part, "sval") for part in item)):
        return scene.catalog.address(word, strings(item), [], scene.path), ".".join(strings(item))
    return None, ""


def _lost(loss: Loss, name: str, what: str) -> Iterator[Risk]:
    if loss.tables or loss.columns:
        yield Risk("destroys", name, what, loss.rows, cascades=loss.cascades)
    yield from exposed(loss.cascades)


def _emptied(scene: Scene, table: Table, along: Sequence[Table], what: str) -> Risk:
    tables = [each.there for each in (table, *along) if each.there]
    rows = total(scene.catalog.count(each) for each in tables)
    cascades = tuple(sorted(f"the rows of {each.label}" for each in along))
    return Risk("destroys", table.label, what, rows, cascades=cascades)


def _referring(scene: Scene, table: Table, known: Sequence[Table], action: str) -> list[Table]:
    """The tables whose rows go along, by foreign keys with this ON DELETE, or by any (empty)."""
    found = {each.there.oid for each in known if each.there}
    started, waiting = set(found), [table.there.oid] if table.there else []
    while waiting:
        current = waiting.pop()
        for referring, to, deletes, _ in scene.catalog.references:
            if to == current and referring not in found and (not action or deletes == action):
                found.add(referring)
                waiting.append(referring)
    return [each for oid in sorted(found - started) if (each := scene.by_oid(oid))]


def _everywhere(condition: Any) -> bool:
    """No WHERE, or one that is true for every row: WHERE true, WHERE 1 = 1."""
    if condition is None:
        return True
    if type(condition).__name__ == "A_Const":
        return bool(getattr(condition.val, "boolval", False))
    sides = (getattr(condition, "lexpr", None), getattr(condition, "rexpr", None))
    same = type(condition).__name__ == "A_Expr" and sides[0] == sides[1]
    return same and type(sides[0]).__name__ == "A_Const" and strings(condition.name) == ("=",)
