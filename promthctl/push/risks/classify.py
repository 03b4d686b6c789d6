"""What each statement of a plan does to the target; ALTER TABLE and what loses data have modules of their own.

A lock on a table that the plan makes stops nobody; only tables that are in the target are told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promthctl.migration_set import Migration
from promthctl.push.risks import alter, drops
from promthctl.push.risks.alter import ACCESS_EXCLUSIVE, SHARE, SHARE_ROW_EXCLUSIVE, briefly, locks, rewrites
from promthctl.push.risks.catalog import reading
from promthctl.push.risks.model import Risk, Statement
from promthctl.push.risks.name_resolution import Scene, Table
from promthctl.push.risks.nodes import kind_of, object_of, strings, walk
from promthctl.sql.parsing import ParsedStatement, parse_migration

if TYPE_CHECKING:
    import psycopg

# LOCK TABLE's modes from SHARE on: those that stop writers. Source: src/include/storage/lockdefs.h.
_MODES = {5: SHARE, 6: SHARE_ROW_EXCLUSIVE, 7: "EXCLUSIVE", 8: ACCESS_EXCLUSIVE}
_DYNAMIC = "runs SQL that is put together when it runs"


def analyse(migrations: Sequence[Migration], connection: psycopg.Connection[Any]) -> tuple[Statement, ...]:
    """Every statement of the migrations, in order, with its risks for the database behind the connection.

    The connection is in autocommit; it is only read from. Raises psycopg.Error when the target fails meanwhile.
    """
    parsed = [(migration, parse_migration(migration.sql)) for migration in migrations]
    found: list[Statement] = []
    remade: dict[str, int] = {}  # policy → the last statement that makes it
    with reading(connection) as catalog:
        scene = Scene(catalog)
        for migration, pieces in parsed:
            scene.path = catalog.path  # the CLI begins each migration with it
            for piece in pieces:
                if type(piece.node).__name__ == "CreatePolicyStmt" and (table := scene.of(piece.node.table)):
                    remade[drops.policy(table, piece.node.policy_name)] = len(found)
                found.append(_statement(scene, migration.filename, piece))
    return tuple(_without(statement, remade, place) for place, statement in enumerate(found))


def _without(statement: Statement, remade: dict[str, int], place: int) -> Statement:
    """Without the policies that a later statement makes again."""
    risks = tuple(r for r in statement.risks if r.kind != "security" or remade.get(r.object, -1) < place)
    return replace(statement, risks=risks)


def _statement(scene: Scene, file: str, piece: ParsedStatement) -> Statement:
    if piece.node is None:
        risk = Risk("unparsed", "", f"cannot be read, so nobody can tell what it does: {piece.error}")
        return Statement(file, piece.line, "unparsed", "", (risk,))
    scene.maybe = piece.inside
    risks = list(_risks(scene, piece.node))
    if piece.opaque:
        risks.append(Risk("not_analysed", "DO block", _DYNAMIC))
    return Statement(file, piece.line, kind_of(piece.node), object_of(piece.node), tuple(risks))


def _risks(scene: Scene, node: Any) -> Iterator[Risk]:
    clause = getattr(node, "withClause", None)
    for expression in clause.ctes if clause else ():
        yield from _risks(scene, expression.ctequery)
    handler = _HANDLERS.get(type(node).__name__)
    if handler:
        yield from handler(scene, node)


def _there(scene: Scene, variable: Any) -> Table | None:
    """A table of the target."""
    table = scene.of(variable)
    return table if table and table.there else None


def _create_table(scene: Scene, node: Any) -> Iterator[Risk]:
    if scene.of(node.relation) and node.if_not_exists:
        return
    scene.create(node.relation)
    for parent in node.inhRelations or ():
        if table := _there(scene, parent):
            yield briefly(table, ACCESS_EXCLUSIVE if node.partbound else SHARE_ROW_EXCLUSIVE)
    constraints = [part for part in walk(node.tableElts or ()) if type(part).__name__ == "Constraint"]
    referred = {id(table): table for each in constraints if each.pktable and (table := _there(scene, each.pktable))}
    yield from (briefly(table, SHARE_ROW_EXCLUSIVE) for table in referred.values())


def _create_as(scene: Scene, node: Any) -> Iterator[Risk]:
    scene.create((node.into if hasattr(node, "into") else node.intoClause).rel)
    yield from ()


def _create_view(scene: Scene, node: Any) -> Iterator[Risk]:
    scene.create(node.view)
    yield from ()


def _create_sequence(scene: Scene, node: Any) -> Iterator[Risk]:
    scene.create(node.sequence)
    yield from ()


def _create_schema(scene: Scene, node: Any) -> Iterator[Risk]:
    path, scene.path = scene.path, (node.schemaname, *scene.path) if node.schemaname else scene.path
    for element in node.schemaElts or ():
        yield from _risks(scene, element)
    scene.path = path


def _create_index(scene: Scene, node: Any) -> Iterator[Risk]:
    table = scene.of(node.relation)
    if table is None:
        return
    if node.idxname and node.if_not_exists and scene.find(table.schema, node.idxname):
        if table.there:
            yield briefly(table, SHARE)
        return
    if node.idxname:
        scene.create_named(table.schema, node.idxname)
    if table.there and not node.concurrent:
        yield locks(scene, table, f"builds {'the index ' + node.idxname if node.idxname else 'an index'}", SHARE)


def _create_trigger(scene: Scene, node: Any) -> Iterator[Risk]:
    if table := _there(scene, node.relation):
        yield briefly(table, SHARE_ROW_EXCLUSIVE)


def _policy_or_rule(scene: Scene, node: Any) -> Iterator[Risk]:
    if table := _there(scene, getattr(node, "table", None) or node.relation):
        yield briefly(table)


def _rename(scene: Scene, node: Any) -> Iterator[Risk]:
    table = scene.of(node.relation) if node.relation else None
    if table is None:
        return
    if table.there and table.there.kind in ("r", "p", "m"):
        yield briefly(table)
    kind = node.renameType.name
    if kind in ("OBJECT_COLUMN", "OBJECT_ATTRIBUTE"):
        if node.subname in table.added:
            table.added.add(node.newname)
        else:
            table.renamed[node.newname] = table.renamed.get(node.subname, node.subname)
            table.added.discard(node.newname)
    elif kind in ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE"):
        scene.move(table, table.schema, node.newname)


def _set_schema(scene: Scene, node: Any) -> Iterator[Risk]:
    table = scene.of(node.relation) if node.relation else None
    if table is None:
        return
    if table.there and table.there.kind in ("r", "p", "m"):
        yield briefly(table)
    scene.move(table, node.newschema, table.name)


def _set(scene: Scene, node: Any) -> Iterator[Risk]:
    if node.name == "search_path":
        values = [getattr(getattr(each, "val", None), "sval", None) for each in node.args or ()]
        _search(scene, values if node.kind.name == "VAR_SET_VALUE" else None)
    yield from ()


def _search(scene: Scene, schemas: Sequence[str | None] | None) -> None:
    """None: back to the database's own."""
    named = None if schemas is None else tuple(name for name in schemas if name and name != "$user")
    scene.path = scene.catalog.path if named is None else named


def _select(scene: Scene, node: Any) -> Iterator[Risk]:
    """Functions may do anything; PostgreSQL's own do nothing to tables."""
    if node.intoClause:
        yield from _create_as(scene, node)
    unknown = []
    for call in (part for part in walk(node) if type(part).__name__ == "FuncCall"):
        *schema, name = strings(call.funcname)
        if name == "set_config" and call.args and _string(call.args[0]) == "search_path":
            _search(scene, [each.strip(' "') for each in (_string(call.args[1]) or "").split(",")])
        ours = schema in ([], ["pg_catalog"]) and name in scene.catalog.built_in
        if not ours and name not in scene.catalog.steady:
            unknown.append(".".join([*schema, name]))
    yield from (_calls(name) for name in dict.fromkeys(unknown))


def _string(node: Any) -> str | None:
    value = getattr(getattr(node, "val", None), "sval", None)
    return value if isinstance(value, str) else None


def _call(scene: Scene, node: Any) -> Iterator[Risk]:
    yield _calls(".".join(strings(node.funccall.funcname)))


def _explain(scene: Scene, node: Any) -> Iterator[Risk]:
    """Only EXPLAIN ANALYZE runs what it explains."""
    if any(option.defname == "analyze" for option in node.options or ()):
        yield from _risks(scene, node.query)


def _execute(scene: Scene, node: Any) -> Iterator[Risk]:
    yield _calls(node.name)


def _calls(name: str) -> Risk:
    return Risk("not_analysed", name, f"calls {name}, which is not looked into")


def _refresh(scene: Scene, node: Any) -> Iterator[Risk]:
    if table := _there(scene, node.relation):
        mode = "EXCLUSIVE" if node.concurrent else ACCESS_EXCLUSIVE
        yield locks(scene, table, "computes it anew", mode)


def _reindex(scene: Scene, node: Any) -> Iterator[Risk]:
    if any(option.defname == "concurrently" for option in node.params or ()):
        return
    if node.relation is None:
        yield Risk("locks", node.name or "", "locks every table in turn: builds its indexes anew", lock=SHARE)
        return
    found = _there(scene, node.relation)
    table = scene.by_oid(found.there.on) or found if found and found.there else None
    if table:
        yield locks(scene, table, "builds its indexes anew", SHARE)


def _vacuum(scene: Scene, node: Any) -> Iterator[Risk]:
    if not any(option.defname == "full" for option in node.options or ()):
        return
    yield from _compacted(scene, [each.relation for each in node.rels or ()])


def _cluster(scene: Scene, node: Any) -> Iterator[Risk]:
    yield from _compacted(scene, [node.relation] if node.relation else [])


def _compacted(scene: Scene, relations: Iterable[Any]) -> Iterator[Risk]:
    variables = list(relations)
    if not variables:
        yield Risk("rewrites", "", "rewrites every table in turn", lock=ACCESS_EXCLUSIVE)
    for variable in variables:
        if table := _there(scene, variable):
            yield rewrites(scene, table, "it is compacted")


def _lock(scene: Scene, node: Any) -> Iterator[Risk]:
    for variable in node.relations:
        if (table := _there(scene, variable)) and node.mode in _MODES:
            yield locks(scene, table, "the migration asks for it", _MODES[node.mode])


def _role(scene: Scene, node: Any) -> Iterator[Risk]:
    name = getattr(node, "role", "")
    name = name if isinstance(name, str) else name.rolename or "the current user"
    for option in node.options or ():
        if option.defname in ("superuser", "bypassrls") and getattr(option.arg, "boolval", False):
            word = "a superuser" if option.defname == "superuser" else "one that row-level security does not apply to"
            yield alter.security(f"role {name}", f"makes role {name} {word}")


_HANDLERS: dict[str, Callable[[Scene, Any], Iterator[Risk]]] = {
    "AlterTableStmt": alter.alter_table,
    "DropStmt": drops.drop,
    "DropOwnedStmt": drops.drop_owned,
    "DropdbStmt": drops.drop_database,
    "TruncateStmt": drops.truncate,
    "DeleteStmt": drops.delete,
    "UpdateStmt": drops.update,
    "MergeStmt": drops.merge,
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
