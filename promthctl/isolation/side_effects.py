"""What trying rows sets off that no rollback undoes, found beforehand by following what a write to a table runs.

docs/isolation.md says which effects count and which are harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from promthctl.isolation.call_graph import CallGraph, Function, Reached, Relation, When
from promthctl.isolation.tables import ProbedCatalog, ProbedTable

if TYPE_CHECKING:
    from psycopg import Connection

_OUTSIDE = "what it does outside the database is not undone"
_UNKNOWN = "what it does cannot be read beforehand"
_BUILT = "it runs SQL that is known only when it runs"
_NUMBERS = "the numbers of a sequence are not given back"
_SERVER = "what it does to the server is not undone"
_NOT_SENT = "nothing is sent, because nothing is committed"
# PostgreSQL's own functions, https://www.postgresql.org/docs/current/functions-admin.html and functions-sequence.html
_SYSTEM = {
    **dict.fromkeys(("nextval", "nextval_oid", "setval", "setval_oid", "setval3_oid"), _NUMBERS),
    **dict.fromkeys(("lo_export", "be_lo_export", "pg_logical_emit_message"), _OUTSIDE),
    **dict.fromkeys(
        ("query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "table_to_xml",
         "table_to_xml_and_xmlschema", "schema_to_xml", "schema_to_xml_and_xmlschema", "database_to_xml",
         "database_to_xml_and_xmlschema", "ts_stat", "ts_rewrite"), _BUILT,
    ),
    **dict.fromkeys(
        ("pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_promote",
         "pg_switch_wal", "pg_create_restore_point", "pg_backup_start", "pg_backup_stop", "pg_wal_replay_pause",
         "pg_wal_replay_resume", "pg_create_physical_replication_slot", "pg_create_logical_replication_slot",
         "pg_drop_replication_slot", "pg_copy_physical_replication_slot", "pg_copy_logical_replication_slot",
         "pg_replication_slot_advance", "pg_logical_slot_get_changes", "pg_logical_slot_get_binary_changes",
         "pg_sync_replication_slots", "pg_replication_origin_advance", "pg_replication_origin_create",
         "pg_replication_origin_drop", "pg_stat_reset", "pg_stat_reset_shared", "pg_stat_reset_slru",
         "pg_stat_reset_single_table_counters", "pg_stat_reset_single_function_counters",
         "pg_stat_reset_replication_slot", "pg_stat_reset_subscription_stats"), _SERVER,
    ),
    "pg_notify": _NOT_SENT,
}  # fmt: skip
_STATEMENTS = {"copy": ("copy to a file or a program", _OUTSIDE), "load": ("load", _UNKNOWN),
               "import foreign schema": ("import foreign schema", _OUTSIDE),
               "notify": ("notify", _NOT_SENT)}  # fmt: skip
_OUTSIDE_EXTENSIONS = {"dblink", "http", "pg_background", "plproxy", "aws_s3", "aws_lambda", "adminpack"}
# Extensions whose functions in C only compute, or change nothing but tables and memory of their own.
_HARMLESS_C = {
    "address_standardizer", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance",
    "fuzzystrmatch", "hstore", "hypopg", "index_advisor", "insert_username", "intarray", "isn", "lo", "ltree",
    "moddatetime", "autoinc", "refint", "pageinspect", "pg_cron", "pg_hashids", "pg_jsonschema", "pg_net",
    "pg_trgm", "pgcrypto", "pgjwt", "pgmq", "pgroonga", "pgroonga_database", "pgsodium", "plpgsql",
    "plpgsql_check", "postgis", "postgis_raster", "postgis_sfcgal", "postgis_tiger_geocoder", "postgis_topology",
    "rum", "seg", "supabase_vault", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "vector",
}  # fmt: skip
_RUNNING_TEXT = {"pg_graphql", "pgrouting", "tablefunc", "xml2"}  # their functions in C run the SQL they are given
_QUEUES = {"pgmq"}  # builds its SQL from the queue's name; what it writes are rows


@dataclass(frozen=True)
class SideEffect:
    """What a proof of `table` would set off. chain: from what the write runs to what acts. inserting: an insert does.

    harmless: the rollback takes it back; it is told all the same. called: `table` is a function or a view.
    """

    table: str
    chain: tuple[str, ...]
    effect: str
    inserting: bool
    harmless: bool = False
    called: bool = False

    @property
    def path(self) -> str:
        return " → ".join(self.chain)

    @property
    def text(self) -> str:
        does = f"{self.table} runs" if self.called else f"rows of {self.table} run"
        return f"{does} {self.path}: {self.effect}"


class SideEffects:
    """The effects of writing to each table. Raises psycopg.Error."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._found: dict[tuple[int, When], tuple[SideEffect, ...]] = {}

    @cached_property
    def graph(self) -> CallGraph:
        return CallGraph(self._connection, _SYSTEM)

    def of(self, table: ProbedTable) -> tuple[SideEffect, ...]:
        """What inserts, updates and deletes of the table's rows set off, one for each thing that acts."""
        inserting = self._of(table, "i")
        known = {one.chain[-1] for one in inserting}
        return (*inserting, *(one for one in self._of(table, "w") if one.chain[-1] not in known))

    def of_insert(self, table: ProbedTable) -> tuple[SideEffect, ...]:
        return self._of(table, "i")

    def of_call(self, oid: int, label: str) -> tuple[SideEffect, ...]:
        """What a call of the function sets off."""
        found = self._acting(self.graph.reached_by_call(oid), label, inserting=False)
        return tuple(replace(one, called=True) for one in found)

    def of_read(self, oid: int, label: str) -> tuple[SideEffect, ...]:
        """What reading the view sets off."""
        found = self._acting(self.graph.reached_from(oid, "r"), label, inserting=False)
        return tuple(replace(one, called=True) for one in found)

    def _of(self, table: ProbedTable, when: When) -> tuple[SideEffect, ...]:
        key = (table.oid, when)
        if key not in self._found:
            self._found[key] = self._acting(self.graph.reached_from(table.oid, when), table.label, when == "i")
        return self._found[key]

    def _acting(self, every: Iterable[Reached], label: str, inserting: bool) -> tuple[SideEffect, ...]:
        found: dict[str, SideEffect] = {}
        for reached in every:
            for name, effect in _acts(reached, self.graph.has_own_format):
                chain = reached.chain if reached.chain[-1:] == (name,) else (*reached.chain, name)
                one = SideEffect(label, chain, effect, inserting, effect == _NOT_SENT)
                found.setdefault(f"{name} {effect}", one)
        return tuple(found.values())


def side_effects_of(catalog: ProbedCatalog, effects: SideEffects) -> tuple[SideEffect, ...]:
    """On all tables that a proof writes to: those that clients reach, what they refer to, and auth.users."""
    found: list[SideEffect] = []
    for table in _written(catalog):
        found += effects.of(table) if table.exposed else effects.of_insert(table)
    return tuple(found)


def not_tried(effects: Sequence[SideEffect]) -> str:
    """Why rows are not tried where nobody agreed to it; empty where nothing is in the way."""
    lasting = [one for one in effects if not one.harmless]
    if not lasting:
        return ""
    more = f" (and {len(lasting) - 1} more)" if len(lasting) > 1 else ""
    return f"not tried without your consent (--yes): it would run {lasting[0].path}: {lasting[0].effect}{more}"


def _written(catalog: ProbedCatalog) -> Iterator[ProbedTable]:
    waiting = [*([catalog.users] if catalog.users else []), *catalog.exposed]
    seen: set[int] = set()
    while waiting:
        table = waiting.pop(0)
        if table.oid not in seen:
            seen.add(table.oid)
            yield table
            waiting += [catalog.tables[key.target] for key in table.foreign_keys if key.target in catalog.tables]


def _acts(reached: Reached, own_format: bool) -> Iterator[tuple[str, str]]:
    """What acts there, and how. own_format: format() may make any text."""
    what, mentions = reached.what, reached.mentions
    if isinstance(what, str):
        yield what, _SYSTEM[what]
    elif isinstance(what, Relation):
        if what.wrapper:
            yield f"the foreign table {what.label} of {what.wrapper}", _OUTSIDE
        return
    elif isinstance(what, Function):
        if what.extension == "pg_net" and what.name.startswith("http_"):
            yield what.label, _NOT_SENT
        if what.extension in _OUTSIDE_EXTENSIONS:
            if what.volatile:
                yield what.label, _OUTSIDE
            return
        if what.extension in _QUEUES and what.superuser:
            return
        if what.language in ("c", "internal"):
            if what.extension in _RUNNING_TEXT:
                yield what.label, _BUILT
            elif what.volatile and what.extension not in _HARMLESS_C:
                yield what.label, f"it is written in {what.language.upper()}: {_UNKNOWN}"
            return
        if what.language not in ("sql", "plpgsql"):
            yield what.label, f"it is written in {what.language}: {_UNKNOWN}"
            return
    if mentions.unreadable or (mentions.formatted and own_format):
        yield "execute", _BUILT
    for name in sorted(mentions.statements & _STATEMENTS.keys()):
        yield _STATEMENTS[name]
