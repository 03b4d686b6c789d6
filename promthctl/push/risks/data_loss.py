"""What loses rows: DROP, TRUNCATE, DELETE, UPDATE and MERGE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from promthctl.push.risks import rules
from promthctl.push.risks.alter_table import dropped_policies, referred
from promthctl.push.risks.catalog import Address, DropLoss, address
from promthctl.push.risks.locks import brief_lock, table_rewrite
from promthctl.push.risks.model import Risk, Rows, total
from promthctl.push.risks.name_resolution import NameResolution, PlannedTable
from promthctl.push.risks.nodes import strings, type_name
from promthctl.push.risks.rules import Rule

_RELATIONS = {"TABLE", "VIEW", "MATVIEW", "SEQUENCE", "FOREIGN_TABLE"}
_ON_DELETE_CASCADE = "c"


def drop(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    """A DROP of any kind."""
    kind = node.removeType.name.removeprefix("OBJECT_")
    cascade = node.behavior.name == "DROP_CASCADE"
    for item in node.objects:
        if kind in _RELATIONS:
            yield from _drop_relation(resolution, strings(item), kind, cascade)
        elif kind == "INDEX":
            yield from _drop_index(resolution, strings(item), node.concurrent)
        elif kind in ("POLICY", "TRIGGER", "RULE"):
            yield from _drop_part(resolution, kind.lower(), strings(item))
        elif cascade or kind == "EXTENSION":
            yield from _drop_other(resolution, kind, item, cascade)


def drop_owned(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    for role in node.roles:
        loss = resolution.catalog.loss(resolution.catalog.owned(role.rolename), node.behavior.name == "DROP_CASCADE")
        name = role.rolename or "the current user"
        yield from _lost(rules.DROPS_OWNED, loss, name, f"drops everything {name} owns in this database")


def drop_database(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    yield rules.DROPS_DATABASE.risk(node.dbname, f"drops database {node.dbname}")


def truncate(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    tables = [table for each in node.relations if (table := resolution.table_of(each)) and table.relation]
    for table in tables:
        along = _referring(resolution, table, tables, "") if node.behavior.name == "DROP_CASCADE" else []
        yield _emptied(rules.TRUNCATES_TABLE, resolution, table, along, f"empties {table.label}")
        yield from (brief_lock(each) for each in (table, *along))


def delete(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    table = resolution.table_of(node.relation)
    if table is None or table.relation is None:
        return
    if not _everywhere(node.whereClause):
        what = f"deletes the rows of {table.label} that meet its condition"
        yield rules.DELETES_ROWS.risk(table.label, what)
        return
    along = _referring(resolution, table, [table], _ON_DELETE_CASCADE)
    yield _emptied(rules.DELETES_ALL_ROWS, resolution, table, along, f"deletes every row of {table.label}")


def merge(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    """MERGE: nobody can tell which rows its condition matches, and it may be all of them."""
    table = resolution.table_of(node.relation)
    if table is None or table.relation is None:
        return
    actions = {clause.commandType.name for clause in node.mergeWhenClauses}
    for action, what in (("CMD_DELETE", "deletes"), ("CMD_UPDATE", "overwrites")):
        if action in actions:
            yield rules.MERGES_ROWS.risk(table.label, f"{what} the rows of {table.label} that it matches")


def update(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    table = resolution.table_of(node.relation)
    if table is None or table.relation is None:
        return
    names = [target.name for target in node.targetList if target.name not in table.added]
    if names and not _everywhere(node.whereClause):
        what = f"overwrites {', '.join(names)} in the rows of {table.label} that meet its condition"
        yield rules.OVERWRITES_ROWS.risk(table.label, what)
    elif names:
        rows = resolution.catalog.count(table.relation, [table.renamed.get(name, name) for name in names])
        what = f"overwrites {', '.join(names)} in every row of {table.label}"
        yield rules.OVERWRITES_ALL_ROWS.risk(table.label, what, rows)
    elif _everywhere(node.whereClause):
        added = ", ".join(target.name for target in node.targetList)
        yield table_rewrite(rules.FILLS_COLUMN, resolution, table, f"fills {added} in every row")


def _drop_relation(resolution: NameResolution, names: Sequence[str], kind: str, cascade: bool) -> Iterator[Risk]:
    table = resolution.lookup(*names)
    if table is None:
        return
    resolution.drop(table)
    if table.relation is None:
        return
    word = kind.lower().replace("matview", "materialized view").replace("_", " ")
    loss = resolution.catalog.loss([address(table.relation.oid)], cascade)
    rule = rules.DROPS_TABLE if kind in ("TABLE", "FOREIGN_TABLE") else rules.DROPS_DEPENDENT_DATA
    yield from _lost(rule, loss, table.label, f"drops {word} {table.label}")
    yield from referred(resolution, table)


def _drop_index(resolution: NameResolution, names: Sequence[str], concurrently: bool) -> Iterator[Risk]:
    index = resolution.lookup(*names)
    if index is None:
        return
    resolution.drop(index)
    table = resolution.by_oid(index.relation.on) if index.relation else None
    if table and not concurrently:
        yield brief_lock(table)


def _drop_part(resolution: NameResolution, word: str, names: Sequence[str]) -> Iterator[Risk]:
    """A policy, trigger or rule: names ends with the table's and its own."""
    table, name = resolution.lookup(*names[:-1]), names[-1]
    if table is None or table.relation is None:
        return
    if word == "policy":
        if (table.relation.oid, name) not in resolution.catalog.policies:
            return
        yield rules.DROPS_POLICY.risk(policy_label(table, name), f"drops {policy_label(table, name)}")
    yield brief_lock(table)


def policy_label(table: PlannedTable, name: str) -> str:
    return f"policy {name} on {table.label}"


def _drop_other(resolution: NameResolution, kind: str, item: Any, cascade: bool) -> Iterator[Risk]:
    """Not a table, but tables or their columns may be dropped with it."""
    word = kind.lower().replace("_", " ")
    found, name = _find_object(resolution, word, item)
    if found is None:
        return
    loss = resolution.catalog.loss([found], cascade)
    if kind == "SCHEMA":
        for table in resolution.in_schema(name):
            resolution.drop(table)
        if loss.cascades and not (loss.tables or loss.columns):
            rows = Rows(0, exact=True)
            yield rules.DROPS_SCHEMA.risk(name, f"drops schema {name}", rows, cascades=loss.cascades)
    rule = rules.DROPS_SCHEMA if kind == "SCHEMA" else rules.DROPS_DEPENDENT_DATA
    yield from _lost(rule, loss, name, f"drops {word} {name}")
    for oid in loss.locked:
        losing = resolution.by_oid(oid)
        if losing and losing.relation and losing.relation.kind in ("r", "p", "m"):
            yield brief_lock(losing)


def _find_object(resolution: NameResolution, word: str, item: Any) -> tuple[Address | None, str]:
    """The object in the target, and its name."""
    sort = type(item).__name__
    if sort == "TypeName":
        return resolution.catalog.address("type", [type_name(item)], [], resolution.path), ".".join(strings(item.names))
    if sort == "ObjectWithArgs":
        names = strings(item.objname)
        arguments = None if item.args_unspecified else [type_name(each) for each in item.objargs or ()]
        return resolution.catalog.address(word, names, arguments, resolution.path), ".".join(names)
    if sort == "String" or (sort == "tuple" and all(hasattr(part, "sval") for part in item)):
        return resolution.catalog.address(word, strings(item), [], resolution.path), ".".join(strings(item))
    return None, ""


def _lost(rule: Rule, loss: DropLoss, name: str, what: str) -> Iterator[Risk]:
    if loss.tables or loss.columns:
        yield rule.risk(name, what, loss.rows, cascades=loss.cascades)
    yield from dropped_policies(loss.cascades)


def _emptied(
    rule: Rule, resolution: NameResolution, table: PlannedTable, along: Sequence[PlannedTable], what: str
) -> Risk:
    tables = [each.relation for each in (table, *along) if each.relation]
    rows = total(resolution.catalog.count(each) for each in tables)
    cascades = tuple(sorted(f"the rows of {each.label}" for each in along))
    return rule.risk(table.label, what, rows, cascades=cascades)


def _referring(
    resolution: NameResolution, table: PlannedTable, known: Sequence[PlannedTable], action: str
) -> list[PlannedTable]:
    """The tables whose rows go too, by foreign keys with this ON DELETE action; by any foreign key if it is empty."""
    found = {each.relation.oid for each in known if each.relation}
    started, waiting = set(found), [table.relation.oid] if table.relation else []
    while waiting:
        current = waiting.pop()
        for referring, to, deletes, _ in resolution.catalog.references:
            if to == current and referring not in found and (not action or deletes == action):
                found.add(referring)
                waiting.append(referring)
    return [each for oid in sorted(found - started) if (each := resolution.by_oid(oid))]


def _everywhere(condition: Any) -> bool:
    """No WHERE, or one that is true for every row: WHERE true, WHERE 1 = 1."""
    if condition is None:
        return True
    if type(condition).__name__ == "A_Const":
        return bool(getattr(condition.val, "boolval", False))
    sides = (getattr(condition, "lexpr", None), getattr(condition, "rexpr", None))
    same = type(condition).__name__ == "A_Expr" and sides[0] == sides[1]
    return same and type(sides[0]).__name__ == "A_Const" and strings(condition.name) == ("=",)
