"""ALTER TABLE: what its commands rewrite, lock, lose or expose.

Source of the lock modes: AlterTableGetLockLevel in src/backend/commands/tablecmds.c. Locks are held until the end of
the migration, which is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from promthctl.push.risks import rules, type_changes
from promthctl.push.risks.catalog import address
from promthctl.push.risks.locks import ACCESS_EXCLUSIVE, SHARE_ROW_EXCLUSIVE, brief_lock, scan_lock, table_rewrite
from promthctl.push.risks.model import Risk
from promthctl.push.risks.name_resolution import NameResolution, PlannedTable
from promthctl.push.risks.nodes import strings, type_name, walk

# Commands whose lock lets readers and writers carry on.
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
    "AT_SetExpression": "a generated column is computed again",
}
_SERIAL = {"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}
_BUILDS = {"CONSTR_PRIMARY": "primary key", "CONSTR_UNIQUE": "unique constraint", "CONSTR_EXCLUSION": "exclusion"}
_FOREIGN = "CONSTR_FOREIGN"


def alter_table(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    """The risks of an ALTER TABLE; the names and columns it changes are noted in the resolution."""
    table = resolution.table_of(node.relation)
    if table is None:
        return
    if table.relation and table.relation.kind == "c":
        yield from _alter_type(table, node)
        return
    weakest, gentle = SHARE_ROW_EXCLUSIVE, True
    found: list[Risk] = []
    for command in node.cmds:
        name = command.subtype.name
        found += _COMMANDS.get(name, _other)(resolution, table, command)
        gentle = gentle and name in _GENTLE
        if not (_is_trigger(name) or _is_foreign_key(command)):
            weakest = ACCESS_EXCLUSIVE
    yield from found
    plain = table.relation and table.relation.kind in ("r", "p", "m")
    known = {risk.lock for risk in found if risk.object == table.label}
    if plain and not gentle and weakest not in known and ACCESS_EXCLUSIVE not in known:
        yield brief_lock(table, weakest)


def _references(
    resolution: NameResolution, table: PlannedTable, constraint: Any, scan: bool, mode: str
) -> Iterator[Risk]:
    """A new foreign key locks both tables, for as long as it takes to check the referring one's rows."""
    target = resolution.table_of(constraint.pktable)
    if table.relation and scan:
        why = f"checks every row for the foreign key to {_spelled(constraint.pktable)}"
        yield scan_lock(rules.ADDS_FOREIGN_KEY, resolution, table, why, mode)
    if target and target.relation and target is not table:
        if table.relation and scan:
            what = f"locks {target.label} against writes: a foreign key of {table.label} is checked"
            rows = resolution.catalog.size(table.relation)
            yield rules.ADDS_FOREIGN_KEY.risk(target.label, what, rows, lock=SHARE_ROW_EXCLUSIVE)
        else:
            yield brief_lock(target, SHARE_ROW_EXCLUSIVE)


def referred(resolution: NameResolution, table: PlannedTable, constraint: str | None = None) -> Iterator[Risk]:
    """The tables that lose a foreign key with its constraint, or with the whole table."""
    oid = table.relation.oid if table.relation else 0
    found = {to for by, to, _, name in resolution.catalog.references if by == oid != to and constraint in (None, name)}
    yield from (brief_lock(other) for to in sorted(found) if (other := resolution.by_oid(to)))


def _drop_constraint(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    yield from referred(resolution, table, command.name)


def _alter_type(table: PlannedTable, node: Any) -> Iterator[Risk]:
    for command in node.cmds:
        if command.subtype.name == "AT_DropColumn":
            name = f"{table.label}.{command.name}"
            yield rules.DROPS_ATTRIBUTE.risk(name, f"drops the attribute {name} from every column of that type")


def _other(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    if table.relation and (why := _REWRITES.get(command.subtype.name)):
        yield table_rewrite(rules.REWRITES_TABLE, resolution, table, why)


def _add_column(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    column = command.def_
    constraints = {each.contype.name: each for each in column.constraints or ()}
    if command.missing_ok and (column.colname in table.added or resolution.column(table, column.colname)):
        return
    table.added.add(column.colname)
    if table.relation is None:
        return
    default = constraints.get("CONSTR_DEFAULT")
    generated = constraints.get("CONSTR_GENERATED")
    written = strings(column.typeName.names)[-1]
    domain = resolution.catalog.type_named(type_name(column.typeName), resolution.path) if column.typeName else None
    why = ""
    if generated and generated.generated_kind != "v":
        why = "is computed for every row"
    elif written in _SERIAL or "CONSTR_IDENTITY" in constraints:
        why = "numbers every row"
    elif default and _volatile(resolution, default.raw_expr):
        why = "gets a default of its own in every row"
    elif domain and domain[2]:
        why = f"is checked as a {domain[1]} in every row"
    if why:
        yield table_rewrite(rules.ADDS_FILLED_COLUMN, resolution, table, f"the new column {column.colname} {why}")
    elif "CONSTR_CHECK" in constraints:
        yield scan_lock(rules.ADDS_CHECK, resolution, table, f"checks every row for the new column {column.colname}")
    elif builds := [noun for name, noun in _BUILDS.items() if name in constraints]:
        why = f"builds the index of the {builds[0]} of {column.colname}"
        yield scan_lock(rules.ADDS_UNIQUE_CONSTRAINT, resolution, table, why)
    if _FOREIGN in constraints:
        yield from _references(resolution, table, constraints[_FOREIGN], default is not None, ACCESS_EXCLUSIVE)


def _drop_column(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    column = resolution.column(table, command.name)
    if column is None or table.relation is None:
        return
    name = f"{table.label}.{command.name}"
    loss = resolution.catalog.loss(
        [address(table.relation.oid, column.number)], command.behavior.name == "DROP_CASCADE"
    )
    if loss.columns:
        yield rules.DROPS_COLUMN.risk(name, f"drops column {name}", loss.rows, cascades=loss.cascades)
    yield from dropped_policies(loss.cascades)


def dropped_policies(cascades: tuple[str, ...]) -> Iterator[Risk]:
    """The policies that CASCADE drops from tables that stay."""
    for each in cascades:
        if each.startswith("policy "):
            yield rules.DROPS_POLICY.risk(each, f"drops {each} by CASCADE")


def _alter_type_of_column(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    if table.relation is None or table.relation.kind not in ("r", "p"):
        return
    column = resolution.column(table, command.name)
    if column is None:
        if command.name in table.added:
            why = f"{command.name}, which the plan adds, changes its type"
            yield table_rewrite(rules.CHANGES_COLUMN_TYPE, resolution, table, why)
        return
    wanted, using = command.def_.typeName, command.def_.raw_default
    change = type_changes.judge_type_change(column, command.name, wanted, using, resolution.catalog, resolution.path)
    name = f"{table.label}.{command.name}"
    if change.loses:
        rows = resolution.catalog.count(table.relation, [table.renamed.get(command.name, command.name)])
        what = f"changes {name} from {column.full} to {change.to}: {change.loses}"
        yield rules.LOSES_VALUES.risk(name, what, rows)
    if change.rewrites:
        why = f"{command.name} changes from {column.full} to {change.to}"
        yield table_rewrite(rules.CHANGES_COLUMN_TYPE, resolution, table, why)
    # Its foreign keys are made again, whatever the new type is.
    original = (table.relation.oid, table.renamed.get(command.name, command.name))
    for oid in sorted(other for own, key, other in resolution.catalog.key_columns if (own, key) == original):
        if other := resolution.by_oid(oid):
            yield brief_lock(other)


def _spelled(variable: Any) -> str:
    return ".".join(filter(None, (variable.schemaname, variable.relname)))


def _set_not_null(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    if table.relation is None:
        return
    column = resolution.column(table, command.name)
    known = (table.relation.oid, table.renamed.get(command.name, command.name)) in resolution.catalog.never_null
    if not known and command.name not in table.never_null and not (column and column.not_null):
        why = f"checks every row before {command.name} becomes NOT NULL"
        yield scan_lock(rules.SETS_NOT_NULL, resolution, table, why)


def _add_constraint(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    constraint = command.def_
    kind, later = constraint.contype.name, constraint.skip_validation
    if kind == _FOREIGN:
        yield from _references(resolution, table, constraint, not later, SHARE_ROW_EXCLUSIVE)
        return
    if kind == "CONSTR_CHECK":
        _remember(table, constraint)
    if table.relation is None or later or constraint.indexname:
        return
    if noun := _BUILDS.get(kind):
        why = f"builds the index of the {noun} {constraint.conname or ''}".rstrip()
        yield scan_lock(rules.ADDS_UNIQUE_CONSTRAINT, resolution, table, why)
    elif kind in ("CONSTR_CHECK", "CONSTR_NOTNULL"):
        why = f"checks every row for the constraint {constraint.conname or ''}".rstrip()
        yield scan_lock(rules.ADDS_CHECK, resolution, table, why)


def _remember(table: PlannedTable, constraint: Any) -> None:
    """CHECK (column IS NOT NULL) saves a later SET NOT NULL its scan."""
    test = constraint.raw_expr
    if type(test).__name__ != "NullTest" or test.nulltesttype.name != "IS_NOT_NULL":
        return
    if type(test.arg).__name__ == "ColumnRef":
        column = strings(test.arg.fields)[-1]
        if not constraint.skip_validation:
            table.never_null.add(column)
        elif constraint.conname:
            table.unchecked[constraint.conname] = column


def _validate(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    if column := table.unchecked.get(command.name):
        table.never_null.add(column)
    yield from ()


def _attach(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    part = resolution.table_of(command.def_.name)
    if part and part.relation:
        why = f"checks every row before it becomes a partition of {table.label}"
        yield scan_lock(rules.ATTACHES_PARTITION, resolution, part, why)


def _detach(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    part = resolution.table_of(command.def_.name)
    if part and part.relation:
        yield brief_lock(part)
    if table.relation and not command.def_.concurrent:
        yield brief_lock(table)


def _unprotect(resolution: NameResolution, table: PlannedTable, command: Any) -> Iterator[Risk]:
    if not table.relation or not table.relation.secured:
        return
    if command.subtype.name == "AT_NoForceRowSecurity":
        yield rules.UNFORCES_RLS.risk(table.label, f"no longer forces row-level security on the owner of {table.label}")
    else:
        yield rules.DISABLES_RLS.risk(table.label, f"disables row-level security of {table.label}")


def _volatile(resolution: NameResolution, expression: Any) -> bool:
    calls = (node for node in walk(expression) if type(node).__name__ == "FuncCall")
    return any(strings(call.funcname)[-1] not in resolution.catalog.steady for call in calls)


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
