"""What each statement of a plan does to the target; ALTER TABLE and what loses rows have modules of their own.

A lock on a table that the plan creates stops nobody, so only tables that exist in the target are mentioned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promthctl.migration_set import Migration
from promthctl.push.risks import alter_table, data_loss, rules
from promthctl.push.risks.catalog import read_target_catalog
from promthctl.push.risks.locks import (
    ACCESS_EXCLUSIVE,
    EXCLUSIVE,
    SHARE,
    SHARE_ROW_EXCLUSIVE,
    brief_lock,
    scan_lock,
    table_rewrite,
)
from promthctl.push.risks.model import PlannedStatement, Risk
from promthctl.push.risks.name_resolution import NameResolution, PlannedTable
from promthctl.push.risks.nodes import kind_of, object_of, strings, walk
from promthctl.sql.parsing import ParsedStatement, parse_migration

if TYPE_CHECKING:
    import psycopg

# LOCK TABLE's modes from SHARE on: those that stop writers. Source: src/include/storage/lockdefs.h.
_MODES = {5: SHARE, 6: SHARE_ROW_EXCLUSIVE, 7: EXCLUSIVE, 8: ACCESS_EXCLUSIVE}
_DYNAMIC = "runs SQL that is put together when it runs"


def analyse_migrations(
    migrations: Sequence[Migration], connection: psycopg.Connection[Any]
) -> tuple[PlannedStatement, ...]:
    """Every statement of the migrations, in order, with its risks for the database behind the connection.

    connection: in autocommit; it is only read from. Raises psycopg.Error when the target fails meanwhile.
    """
    parsed = [(migration, parse_migration(migration.sql)) for migration in migrations]
    found: list[PlannedStatement] = []
    recreated: dict[str, int] = {}  # policy → the last statement that creates it
    with read_target_catalog(connection) as catalog:
        resolution = NameResolution(catalog)
        for migration, pieces in parsed:
            resolution.path = catalog.path  # the CLI begins each migration with that
            for piece in pieces:
                if type(piece.node).__name__ == "CreatePolicyStmt" and (table := resolution.table_of(piece.node.table)):
                    recreated[data_loss.policy_label(table, piece.node.policy_name)] = len(found)
                found.append(_statement(resolution, migration.filename, piece))
    return tuple(_without(statement, recreated, place) for place, statement in enumerate(found))


def _without(statement: PlannedStatement, recreated: dict[str, int], place: int) -> PlannedStatement:
    """Without the dropped policies that a later statement creates again."""
    risks = tuple(r for r in statement.risks if r.kind != "security" or recreated.get(r.object, -1) < place)
    return replace(statement, risks=risks)


def _statement(resolution: NameResolution, file: str, piece: ParsedStatement) -> PlannedStatement:
    if piece.node is None:
        risk = rules.UNREADABLE_SQL.risk("", f"cannot be read, so nobody can tell what it does: {piece.error}")
        return PlannedStatement(file, piece.line, "unparsed", "", (risk,))
    resolution.conditional = piece.inside
    risks = list(_risks(resolution, piece.node))
    if piece.opaque:
        risks.append(rules.RUNS_DYNAMIC_SQL.risk("DO block", _DYNAMIC))
    return PlannedStatement(file, piece.line, kind_of(piece.node), object_of(piece.node), tuple(risks))


def _risks(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    clause = getattr(node, "withClause", None)
    for expression in clause.ctes if clause else ():
        yield from _risks(resolution, expression.ctequery)
    handler = _HANDLERS.get(type(node).__name__)
    if handler:
        yield from handler(resolution, node)


def _in_target(resolution: NameResolution, variable: Any) -> PlannedTable | None:
    """What a RangeVar refers to, if it exists in the target."""
    table = resolution.table_of(variable)
    return table if table and table.relation else None


def _create_table(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    if resolution.table_of(node.relation) and node.if_not_exists:
        return
    resolution.create(node.relation)
    for parent in node.inhRelations or ():
        if table := _in_target(resolution, parent):
            yield brief_lock(table, ACCESS_EXCLUSIVE if node.partbound else SHARE_ROW_EXCLUSIVE)
    constraints = [part for part in walk(node.tableElts or ()) if type(part).__name__ == "Constraint"]
    referred = {
        id(table): table for each in constraints if each.pktable and (table := _in_target(resolution, each.pktable))
    }
    yield from (brief_lock(table, SHARE_ROW_EXCLUSIVE) for table in referred.values())


def _create_as(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    resolution.create((node.into if hasattr(node, "into") else node.intoClause).rel)
    yield from ()


def _create_view(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    resolution.create(node.view)
    yield from ()


def _create_sequence(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    resolution.create(node.sequence)
    yield from ()


def _create_schema(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    path, resolution.path = resolution.path, (node.schemaname, *resolution.path) if node.schemaname else resolution.path
    for element in node.schemaElts or ():
        yield from _risks(resolution, element)
    resolution.path = path


def _create_index(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    table = resolution.table_of(node.relation)
    if table is None:
        return
    if node.idxname and node.if_not_exists and resolution.lookup(table.schema, node.idxname):
        if table.relation:
            yield brief_lock(table, SHARE)
        return
    if node.idxname:
        resolution.create_named(table.schema, node.idxname)
    if table.relation and not node.concurrent:
        why = f"builds the index {node.idxname}" if node.idxname else "builds an index"
        yield scan_lock(rules.BUILDS_INDEX, resolution, table, why, SHARE)


def _create_trigger(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    if table := _in_target(resolution, node.relation):
        yield brief_lock(table, SHARE_ROW_EXCLUSIVE)


def _policy_or_rule(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    if table := _in_target(resolution, getattr(node, "table", None) or node.relation):
        yield brief_lock(table)


def _rename(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    table = resolution.table_of(node.relation) if node.relation else None
    if table is None:
        return
    if table.relation and table.relation.kind in ("r", "p", "m"):
        yield brief_lock(table)
    kind = node.renameType.name
    if kind in ("OBJECT_COLUMN", "OBJECT_ATTRIBUTE"):
        if node.subname in table.added:
            table.added.add(node.newname)
        else:
            table.renamed[node.newname] = table.renamed.get(node.subname, node.subname)
            table.added.discard(node.newname)
    elif kind in ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE"):
        resolution.move(table, table.schema, node.newname)


def _set_schema(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    table = resolution.table_of(node.relation) if node.relation else None
    if table is None:
        return
    if table.relation and table.relation.kind in ("r", "p", "m"):
        yield brief_lock(table)
    resolution.move(table, node.newschema, table.name)


def _set(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    if node.name == "search_path":
        values = [getattr(getattr(each, "val", None), "sval", None) for each in node.args or ()]
        _search(resolution, values if node.kind.name == "VAR_SET_VALUE" else None)
    yield from ()


def _search(resolution: NameResolution, schemas: Sequence[str | None] | None) -> None:
    """Set the search path; None: the database's own."""
    named = None if schemas is None else tuple(name for name in schemas if name and name != "$user")
    resolution.path = resolution.catalog.path if named is None else named


def _select(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    """Functions may do anything; PostgreSQL's own do not change tables."""
    if node.intoClause:
        yield from _create_as(resolution, node)
    unknown = []
    for call in (part for part in walk(node) if type(part).__name__ == "FuncCall"):
        *schema, name = strings(call.funcname)
        if name == "set_config" and call.args and _string(call.args[0]) == "search_path":
            _search(resolution, [each.strip(' "') for each in (_string(call.args[1]) or "").split(",")])
        ours = schema in ([], ["pg_catalog"]) and name in resolution.catalog.built_in
        if not ours and name not in resolution.catalog.steady:
            unknown.append(".".join([*schema, name]))
    yield from (_calls(name) for name in dict.fromkeys(unknown))


def _string(node: Any) -> str | None:
    value = getattr(getattr(node, "val", None), "sval", None)
    return value if isinstance(value, str) else None


def _call(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    yield _calls(".".join(strings(node.funccall.funcname)))


def _explain(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    """Only EXPLAIN ANALYZE runs what it explains."""
    if any(option.defname == "analyze" for option in node.options or ()):
        yield from _risks(resolution, node.query)


def _execute(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    yield _calls(node.name)


def _calls(name: str) -> Risk:
    return rules.CALLS_FUNCTION.risk(name, f"calls {name}, which is not looked into")


def _refresh(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    if table := _in_target(resolution, node.relation):
        mode = "EXCLUSIVE" if node.concurrent else ACCESS_EXCLUSIVE
        yield scan_lock(rules.REFRESHES_VIEW, resolution, table, "computes it again", mode)


def _reindex(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    if any(option.defname == "concurrently" for option in node.params or ()):
        return
    if node.relation is None:
        yield rules.REBUILDS_INDEX.risk(node.name or "", "locks every table in turn: rebuilds its indexes", lock=SHARE)
        return
    found = _in_target(resolution, node.relation)
    table = resolution.by_oid(found.relation.on) or found if found and found.relation else None
    if table:
        # Its indexes are locked against everybody, and a query opens all indexes of its tables.
        yield scan_lock(rules.REBUILDS_INDEX, resolution, table, "rebuilds its indexes", SHARE, "writes and most reads")


def _vacuum(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    if not any(option.defname == "full" for option in node.options or ()):
        return
    yield from _compacted(resolution, [each.relation for each in node.rels or ()])


def _cluster(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    yield from _compacted(resolution, [node.relation] if node.relation else [])


def _compacted(resolution: NameResolution, relations: Iterable[Any]) -> Iterator[Risk]:
    variables = list(relations)
    if not variables:
        yield rules.COMPACTS_TABLE.risk("", "rewrites every table in turn", lock=ACCESS_EXCLUSIVE)
    for variable in variables:
        if table := _in_target(resolution, variable):
            yield table_rewrite(rules.COMPACTS_TABLE, resolution, table, "it is compacted")


def _lock(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    for variable in node.relations:
        if (table := _in_target(resolution, variable)) and node.mode in _MODES:
            why = "the migration asks for it"
            yield scan_lock(rules.LOCKS_TABLE, resolution, table, why, _MODES[node.mode])


def _role(resolution: NameResolution, node: Any) -> Iterator[Risk]:
    name = getattr(node, "role", "")
    name = name if isinstance(name, str) else name.rolename or "the current user"
    for option in node.options or ():
        if option.defname in ("superuser", "bypassrls") and getattr(option.arg, "boolval", False):
            yield _privileged(f"role {name}", option.defname == "superuser")


def _privileged(role: str, superuser: bool) -> Risk:
    if superuser:
        return rules.MAKES_SUPERUSER.risk(role, f"makes {role} a superuser")
    return rules.BYPASSES_RLS.risk(role, f"exempts {role} from row-level security")


_HANDLERS: dict[str, Callable[[NameResolution, Any], Iterator[Risk]]] = {
    "AlterTableStmt": alter_table.alter_table,
    "DropStmt": data_loss.drop,
    "DropOwnedStmt": data_loss.drop_owned,
    "DropdbStmt": data_loss.drop_database,
    "TruncateStmt": data_loss.truncate,
    "DeleteStmt": data_loss.delete,
    "UpdateStmt": data_loss.update,
    "MergeStmt": data_loss.merge,
    "ExplainStmt": _explain,
    "CreateStmt": _create_table,
    "CreateTableAsStmt": _create_as,
    "ViewStmt": _create_view,
    "CreateSeqStmt": _create_sequence,
    "CreateSchemaStmt": _create_schema,
    "IndexStmt": _create_index,
    "CreateTrigStmt": _create_trigger,
    "CreatePolicyStmt": _policy_or_rule,
    "AlterPolicyStmt": _policy_or_rule,
    "RuleStmt": _policy_or_rule,
    "RenameStmt": _rename,
    "AlterObjectSchemaStmt": _set_schema,
    "VariableSetStmt": _set,
    "SelectStmt": _select,
    "CallStmt": _call,
    "ExecuteStmt": _execute,
    "RefreshMatViewStmt": _refresh,
    "ReindexStmt": _reindex,
    "VacuumStmt": _vacuum,
    "ClusterStmt": _cluster,
    "LockStmt": _lock,
    "AlterRoleStmt": _role,
    "CreateRoleStmt": _role,
}
