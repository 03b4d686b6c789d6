"""ALTER TABLE: what its commands rewrite, lock, lose or expose.

Source of the locks: AlterTableGetLockLevel in src/backend/commands/tablecmds.c. They are held until the end of the
migration, which is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from promthctl.push.risks import type_changes
from promthctl.push.risks.catalog import address
from promthctl.push.risks.model import Risk
from promthctl.push.risks.name_resolution import Scene, Table
from promthctl.push.risks.nodes import strings, type_name, walk

ACCESS_EXCLUSIVE, SHARE_ROW_EXCLUSIVE, SHARE = "ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE"

# Commands whose lock lets readers and writers go on.
_GENTLE = {
    *("AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions", "AT_ClusterOn", "AT_DropCluster"),
    *("AT_ValidateConstraint", "AT_SetRelOptions", "AT_ResetRelOptions", "AT_AttachPartition"),
    "AT_DetachPartitionFinalize",
}
_REWRITES = {
    "AT_SetLogged": "it becomes logged",
    "AT_SetUnLogged": "it becomes unlogged",
    "AT_SetAccessMethod": "its access method changes",
    "AT_SetTableSpace": "it moves to another tablespace",
    "AT_SetExpression": "a generated column is computed anew",
}
_SERIAL = {"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}
_BUILDS = {"CONSTR_PRIMARY": "primary key", "CONSTR_UNIQUE": "unique constraint", "CONSTR_EXCLUSION": "exclusion"}
_FOREIGN = "CONSTR_FOREIGN"


def locks(scene: Scene, table: Table, why: str, mode: str = ACCESS_EXCLUSIVE) -> Risk:
    """A lock that lasts as long as a scan of the table. why: what is done meanwhile."""
    assert table.there
    whom = "reads and writes" if mode == ACCESS_EXCLUSIVE else "writes"
    what = f"locks {table.label} against {whom}: {why}"
    return Risk("locks", table.label, what, scene.catalog.size(table.there), mode)


def briefly(table: Table, mode: str = ACCESS_EXCLUSIVE) -> Risk:
    """A lock for something that takes no time; it waits for those who use the table, and others wait behind it."""
    return Risk("locks", table.label, f"locks {table.label} for an instant", lock=mode, brief=True)


def rewrites(scene: Scene, table: Table, why: str) -> Risk:
    assert table.there
    what = f"rewrites {table.label}: {why}"
    return Risk("rewrites", table.label, what, scene.catalog.size(table.there), ACCESS_EXCLUSIVE)


def security(where: str, what: str) -> Risk:
    return Risk("security", where, what)


def alter_table(scene: Scene, node: Any) -> Iterator[Risk]:
    """The risks of an ALTER TABLE; what it changes is noted in the scene."""
    table = scene.of(node.relation)
    if table is None:
        return
    if table.there and table.there.kind == "c":
        yield from _alter_type(table, node)
        return
    weakest, gentle = SHARE_ROW_EXCLUSIVE, True
    found: list[Risk] = []
    for command in node.cmds:
        name = command.subtype.name
        found += _COMMANDS.get(name, _other)(scene, table, command)
        gentle = gentle and name in _GENTLE
        if not (_is_trigger(name) or _is_foreign_key(command)):
            weakest = ACCESS_EXCLUSIVE
    yield from found
    plain = table.there and table.there.kind in ("r", "p", "m")
    told = {risk.lock for risk in found if risk.object == table.label}
    if plain and not gentle and weakest not in told and ACCESS_EXCLUSIVE not in told:
        yield briefly(table, weakest)


def _references(scene: Scene, table: Table, constraint: Any, scan: bool, mode: str) -> Iterator[Risk]:
    """A new foreign key locks both tables, for as long as it takes to check the referring one's rows."""
    target = scene.of(constraint.pktable)
    if table.there and scan:
        yield locks(scene, table, f"checks every row for the foreign key to {_spelled(constraint.pktable)}", mode)
    if target and target.there and target is not table:
        if table.there and scan:
            what = f"locks {target.label} against writes: a foreign key of {table.label} is checked"
            yield Risk("locks", target.label, what, scene.catalog.size(table.there), SHARE_ROW_EXCLUSIVE)
        else:
            yield briefly(target, SHARE_ROW_EXCLUSIVE)


def referred(scene: Scene, table: Table, constraint: str | None = None) -> Iterator[Risk]:
    """The tables that lose a foreign key with its constraint, or with the whole table."""
    oid = table.there.oid if table.there else 0
    found = {to for by, to, _, name in scene.catalog.references if by == oid != to and constraint in (None, name)}
    yield from (briefly(other) for to in sorted(found) if (other := scene.by_oid(to)))


def _drop_constraint(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    yield from referred(scene, table, command.name)


def _alter_type(table: Table, node: Any) -> Iterator[Risk]:
    for command in node.cmds:
        if command.subtype.name == "AT_DropColumn":
            name = f"{table.label}.{command.name}"
            yield Risk("destroys", name, f"drops the attribute {name} from every column of that type")


def _other(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    if table.there and (why := _REWRITES.get(command.subtype.name)):
        yield rewrites(scene, table, why)


def _add_column(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    column = command.def_
    constraints = {each.contype.name: each for each in column.constraints or ()}
    if command.missing_ok and (column.colname in table.added or scene.column(table, column.colname)):
        return
    table.added.add(column.colname)
    if table.there is None:
        return
    default = constraints.get("CONSTR_DEFAULT")
    generated = constraints.get("CONSTR_GENERATED")
    written = strings(column.typeName.names)[-1]
    domain = scene.catalog.type_named(type_name(column.typeName), scene.path) if column.typeName else None
    why = ""
    if generated and generated.generated_kind != "v":
        why = "is computed for every row"
    elif written in _SERIAL or "CONSTR_IDENTITY" in constraints:
        why = "numbers every row"
    elif default and _volatile(scene, default.raw_expr):
        why = "gets a default of its own in every row"
    elif domain and domain[2]:
        why = f"is checked as a {domain[1]} in every row"
    if why:
        yield rewrites(scene, table, f"the new column {column.colname} {why}")
    elif "CONSTR_CHECK" in constraints:
        yield locks(scene, table, f"checks every row for the new column {column.colname}")
    elif builds := [words for name, words in _BUILDS.items() if name in constraints]:
        yield locks(scene, table, f"builds the index of the {builds[0]} of {column.colname}")
    if _FOREIGN in constraints:
        yield from _references(scene, table, constraints[_FOREIGN], default is not None, ACCESS_EXCLUSIVE)


def _drop_column(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    column = scene.column(table, command.name)
    if column is None or table.there is None:
        return
    name = f"{table.label}.{command.name}"
    loss = scene.catalog.loss([address(table.there.oid, column.number)], command.behavior.name == "DROP_CASCADE")
    if loss.columns:
        yield Risk("destroys", name, f"drops column {name}", loss.rows, cascades=loss.cascades)
    yield from exposed(loss.cascades)


def exposed(cascades: tuple[str, ...]) -> Iterator[Risk]:
    """The policies that a CASCADE takes from tables that stay."""
    for each in cascades:
        if each.startswith("policy "):
            yield security(each, f"drops {each} by CASCADE")


def _alter_type_of_column(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    if table.there is None or table.there.kind not in ("r", "p"):
        return
    column = scene.column(table, command.name)
    if column is None:
        if command.name in table.added:
            yield rewrites(scene, table, f"{command.name}, which the plan adds, changes its type")
        return
    wanted, using = command.def_.typeName, command.def_.raw_default
    change = type_changes.judge(column, command.name, wanted, using, scene.catalog, scene.path)
    name = f"{table.label}.{command.name}"
    if change.loses:
        rows = scene.catalog.count(table.there, [table.renamed.get(command.name, command.name)])
        what = f"changes {name} from {column.full} to {change.to}: {change.loses}"
        yield Risk("destroys", name, what, rows)
    if change.rewrites:
        yield rewrites(scene, table, f"{command.name} changes from {column.full} to {change.to}")


def _spelled(variable: Any) -> str:
    return ".".join(filter(None, (variable.schemaname, variable.relname)))


def _set_not_null(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    if table.there is None:
        return
    column = scene.column(table, command.name)
    known = (table.there.oid, table.renamed.get(command.name, command.name)) in scene.catalog.never_null
    if not known and command.name not in table.never_null and not (column and column.not_null):
        yield locks(scene, table, f"checks every row before {command.name} becomes NOT NULL")


def _add_constraint(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    constraint = command.def_
    kind, later = constraint.contype.name, constraint.skip_validation
    if kind == _FOREIGN:
        yield from _references(scene, table, constraint, not later, SHARE_ROW_EXCLUSIVE)
        return
    if kind == "CONSTR_CHECK":
        _remember(table, constraint)
    if table.there is None or later or constraint.indexname:
        return
    if words := _BUILDS.get(kind):
        yield locks(scene, table, f"builds the index of the {words} {constraint.conname or ''}".rstrip())
    elif kind in ("CONSTR_CHECK", "CONSTR_NOTNULL"):
        yield locks(scene, table, f"checks every row for the constraint {constraint.conname or ''}".rstrip())


def _remember(table: Table, constraint: Any) -> None:
    """CHECK (column IS NOT NULL) spares a later SET NOT NULL its scan."""
    test = constraint.raw_expr
    if type(test).__name__ != "NullTest" or test.nulltesttype.name != "IS_NOT_NULL":
        return
    if type(test.arg).__name__ == "ColumnRef":
        column = strings(test.arg.fields)[-1]
        if not constraint.skip_validation:
            table.never_null.add(column)
        elif constraint.conname:
            table.unchecked[constraint.conname] = column


def _validate(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    if column := table.unchecked.get(command.name):
        table.never_null.add(column)
    yield from ()


def _attach(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    part = scene.of(command.def_.name)
    if part and part.there:
        yield locks(scene, part, f"checks every row before it becomes a partition of {table.label}")


def _detach(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    part = scene.of(command.def_.name)
    if part and part.there:
        yield briefly(part)
    if table.there and not command.def_.concurrent:
        yield briefly(table)


def _unprotect(scene: Scene, table: Table, command: Any) -> Iterator[Risk]:
    forced = command.subtype.name == "AT_NoForceRowSecurity"
    if table.there and table.there.secured:
        words = "no longer forces row-level security on the owner of" if forced else "disables row-level security of"
        yield security(table.label, f"{words} {table.label}")


def _volatile(scene: Scene, expression: Any) -> bool:
    calls = (node for node in walk(expression) if type(node).__name__ == "FuncCall")
    return any(strings(call.funcname)[-1] not in scene.catalog.steady for call in calls)


def _is_trigger(name: str) -> bool:
    return name.startswith(("AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_DisableTrig"))


def _is_foreign_key(command: Any) -> bool:
    return bool(command.subtype.name == "AT_AddConstraint" and command.def_.contype.name == _FOREIGN)


_COMMANDS = {
    "AT_AddColumn": _add_column,
    "AT_DropColumn": _drop_column,
    "AT_AlterColumnType": _alter_type_of_column,
    "AT_SetNotNull": _set_not_null,
    "AT_AddConstraint": _add_constraint,
    "AT_DropConstraint": _drop_constraint,
    "AT_ValidateConstraint": _validate,
    "AT_AttachPartition": _attach,
    "AT_DetachPartition": _detach,
    "AT_DisableRowSecurity": _unprotect,
    "AT_NoForceRowSecurity": _unprotect,
}
