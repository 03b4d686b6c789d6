"""What is wrong with the schema that all files make, and which statement made it so.

While the files run, the catalog is looked at after each statement: what an object's flaw depends on is watched under a
key, and the statement after which its mark is another one is the flaw's place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from promthctl.linting import rules
from promthctl.linting.rules import LintRule, Severity
from promthctl.schema.queries import SCOPE, filled_query
from promthctl.schema.reading import spelled_in_full
from promthctl.verify import advice_queries
from promthctl.verify.advice import Advice, advise

if TYPE_CHECKING:
    import psycopg

Key = tuple[str, int]
# What each flaw depends on: (what, oid, of which relation, mark). Names are in full, for the path may be a file's.
_WATCHED = {
    "tables": """
select 'rls', c.oid::int8, 0::int8, c.relrowsecurity::text from pg_catalog.pg_class c
 where c.oid >= 16384 and c.relkind in ('r', 'p')
 union all
select 'table', c.oid::int8, 0, '' from pg_catalog.pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p', 'f')
 union all
select case k.contype when 'p' then 'key' else 'constraint' end, k.oid::int8, k.conrelid::int8, ''
  from pg_catalog.pg_constraint k
 where k.oid >= 16384 and k.contype in ('f', 'p')""",
    "grants": """
select 'grants', c.oid::int8, 0::int8, concat(c.relacl, c.reloptions) from pg_catalog.pg_class c
 where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'f')""",
    "indexes": """
select 'index', x.indexrelid::int8, x.indrelid::int8, '' from pg_catalog.pg_index x where x.indexrelid >= 16384""",
    "policies": """
select 'policy', p.oid::int8, p.polrelid::int8,
       pg_catalog.md5(pg_catalog.concat(p.polcmd, p.polqual, '|', p.polwithcheck))
  from pg_catalog.pg_policy p
 union all
select 'roles', p.oid::int8, p.polrelid::int8, p.polroles::text from pg_catalog.pg_policy p""",
    "functions": """
select 'function', f.oid::int8, 0::int8, pg_catalog.md5(pg_catalog.concat(f.prosrc, f.prosecdef, f.proconfig))
  from pg_catalog.pg_proc f where f.oid >= 16384""",
}
# What a statement can change of it, by its kind; other kinds may change anything.
_CHANGED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("InsertStmt", "UpdateStmt", "DeleteStmt", "CommentStmt", "VariableSetStmt", "TransactionStmt"), ()
    ),
    **dict.fromkeys(("CreateEnumStmt", "AlterEnumStmt", "AlterDefaultPrivilegesStmt"), ()),
    **dict.fromkeys(("CreateTrigStmt", "CreateSeqStmt", "AlterSeqStmt", "AlterOwnerStmt", "AlterPublicationStmt"), ()),
    "GrantStmt": ("grants",),
    "IndexStmt": ("indexes",),
    "CreatePolicyStmt": ("policies",),
    "AlterPolicyStmt": ("policies",),
    "CreateFunctionStmt": ("functions",),
    "AlterFunctionStmt": ("functions",),
}

_NAMES = """
select 'relation', r.name, r.oid::int8 from relation r
 union all
select 'function', p.name, p.oid::int8 from routine p
 union all
select 'constraint', r.name || '.' || quote_ident(c.conname), c.oid::int8 from relation r
  join pg_constraint c on c.conrelid = r.oid
 union all
select 'policy', t.name || '.' || quote_ident(p.polname), p.oid::int8 from guarded t
  join pg_policy p on p.polrelid = t.oid
 union all
select 'index', s.name || '.' || quote_ident(c.relname), c.oid::int8 from pg_index x
  join pg_class c on c.oid = x.indexrelid join space s on s.oid = c.relnamespace"""
# Extensions' own are left out by SCOPE, and partitions are reached through the table that they are parts of.
_UNUSED = """
select r.name, case r.relkind when 'v' then 'view' when 'm' then 'view' else 'table' end
  from relation r join space s on s.oid = r.relnamespace
 where r.relkind in ('r', 'p', 'v', 'm', 'f') and not r.relispartition and s.nspname::text = any (%s)
   and not exists (select from pg_roles u where u.rolname in ('anon', 'authenticated', 'service_role')
     and (has_table_privilege(u.oid, r.oid, 'select, insert, update, delete')
          or has_any_column_privilege(u.oid, r.oid, 'select, insert, update')))
 order by 1"""
_UNSECURED = """
select r.name from relation r join space s on s.oid = r.relnamespace
 where r.relkind in ('r', 'p') and not r.relrowsecurity and s.nspname::text = any (%s) order by 1"""

# Of verify's advice: the rule, and what the flaw depends on.
_ADVICE: Mapping[str, tuple[LintRule, tuple[str, ...]]] = {
    "no_rls": (rules.MISSING_RLS, ("rls",)),
    "auth_called_per_row": (rules.AUTH_CALLED_PER_ROW, ("policy",)),
    "policy_scans": (rules.POLICY_SCANS, ("policy",)),
    "unindexed_policy_column": (rules.UNINDEXED_POLICY_COLUMN, ("policy",)),
    "multiple_permissive_policies": (rules.MULTIPLE_PERMISSIVE_POLICIES, ("policies",)),
    "unindexed_foreign_key": (rules.UNINDEXED_FOREIGN_KEY, ("constraint", "index gone")),
    "no_primary_key": (rules.NO_PRIMARY_KEY, ("table", "key gone")),
    "duplicate_index": (rules.DUPLICATE_INDEX, ("index",)),
    "loose_search_path": (rules.LOOSE_SEARCH_PATH, ("function",)),
    "view_bypasses_rls": (rules.VIEW_BYPASSES_RLS, ("grants",)),
}
# The kind under which _NAMES has the object of a flaw that depends on this first; of others it is a relation.
_NAMED_AS = {
    "constraint": "constraint",
    "policy": "policy",
    "roles": "policy",
    "index": "index",
    "function": "function",
}


class Place(NamedTuple):
    """order: of the statement among all of them."""

    order: int
    file: str
    line: int


@dataclass(frozen=True)
class SchemaFlaw:
    """One thing that is wrong in the end. text: a sentence. fix: SQL, where there is any."""

    rule: LintRule
    severity: Severity
    object: str
    text: str
    fix: str
    place: Place


@dataclass
class Watch:
    """What is there now, and where it came to be as it is."""

    parts: dict[str, dict[Key, tuple[int, str]]] = field(default_factory=dict)
    places: dict[Key, Place] = field(default_factory=dict)
    triggered: bool = False  # an event trigger may change anything with any statement

    def look(self, connection: psycopg.Connection[Any], place: Place | None, kind: str = "") -> None:
        """place: of the statement that has just run; None for the first look. kind: of its syntax tree."""
        self.triggered |= kind == "CreateEventTrigStmt"
        for part in _WATCHED if self.triggered else _CHANGED.get(kind, _WATCHED):
            found = connection.execute(_WATCHED[part].encode()).fetchall()
            now = {(str(what), int(oid)): (int(on), str(mark)) for what, oid, on, mark in found}
            before, self.parts[part] = self.parts.get(part, {}), now
            if place is not None and now != before:
                for key in now.keys() | before.keys():
                    if now.get(key) != before.get(key):
                        self._note(key, (now.get(key) or before[key])[0], key in now, place)

    @property
    def marks(self) -> dict[Key, tuple[int, str]]:
        return {key: mark for part in self.parts.values() for key, mark in part.items()}

    def copy(self) -> Watch:
        return Watch(dict(self.parts), dict(self.places), self.triggered)

    def take_back(self, before: Watch, connection: psycopg.Connection[Any]) -> None:
        """After a rollback: what is as it was before has the place that it had."""
        self.look(connection, None)
        now, then = self.marks, before.marks
        undone = [key for key in self.places if now.get(key) == then.get(key)]
        for key in undone:
            del self.places[key]
            if key in before.places:
                self.places[key] = before.places[key]

    def _note(self, key: Key, on: int, there: bool, place: Place) -> None:
        what, oid = key
        if there:
            self.places[what, oid] = place
            if what in ("policy", "roles"):
                self.places["policies", on] = place
        elif on:
            self.places[f"{what} gone", on] = place

    def place(self, whats: Sequence[str], oid: int) -> Place | None:
        """The last statement on which one of these depends. What is gone counts for its table."""
        tables = {on for (what, each), (on, _) in self.marks.items() if each == oid and what in whats and on}
        keys = [(what, each) for what in whats for each in (oid, *(tables if what.endswith(" gone") else ()))]
        return max((self.places[key] for key in keys if key in self.places), default=None)


def find_flaws(connection: psycopg.Connection[Any], watch: Watch, exposed: Collection[str]) -> tuple[SchemaFlaw, ...]:
    """Everything wrong with what the files made, where it was made. exposed: the schemas that the API shows."""
    major = connection.info.server_version // 10000
    with spelled_in_full(connection) as cursor:

        def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
            cursor.execute(filled_query(SCOPE + query, major).encode(), values or None)
            return cursor.fetchall()

        names = {(kind, name): oid for kind, name, oid in rows(_NAMES)}
        unused, unsecured = rows(_UNUSED, list(exposed)), rows(_UNSECURED, list(exposed))
        cursor.execute(filled_query(SCOPE + advice_queries.POLICIES, major).encode(), prepare=False)
        columns = [column.name for column in cursor.description or ()]
        policies = [dict(zip(columns, row, strict=True)) for row in cursor]

    def found(rule: LintRule, whats: Sequence[str], one: Advice) -> Iterator[SchemaFlaw]:
        place = watch.place(whats, names.get((_NAMED_AS.get(whats[0], "relation"), one.object), 0))
        if place is not None:  # otherwise it is Supabase's own
            severity: Severity = "warning" if one.level == "info" else rule.severity
            yield SchemaFlaw(rule, severity, one.object, one.text, one.fix, place)

    return tuple(
        flaw
        for rule, whats, one in _all(advise(connection), unused, unsecured, policies)
        for flaw in found(rule, whats, one)
    )


def _all(
    advice: Sequence[Advice],
    unused: Sequence[tuple[Any, ...]],
    unsecured: Sequence[tuple[Any, ...]],
    policies: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[LintRule, Sequence[str], Advice]]:
    for one in advice:
        if one.kind in _ADVICE:
            yield *_ADVICE[one.kind], one
    open_now = {one.object for one in advice if one.kind == "no_rls"}
    for (name,) in unsecured:
        if name not in open_now:
            text = f"{name} has no row level security: whoever is granted something on it reaches every row"
            fix = f"alter table {name} enable row level security;"
            yield rules.MISSING_RLS, ("rls",), Advice("error", "", name, text, fix)
    for name, kind in unused:
        text = f"{name} is granted to no role of the API: supabase-js and REST see no such {kind}"
        fix = f"grant select, insert, update, delete on {name} to authenticated, service_role;"
        yield rules.MISSING_GRANTS, ("grants",), Advice("warning", "", name, text, fix)
    for policy in policies:
        if policy["permissive"] and "public" in policy["roles"]:
            text = f"{policy['name']} is for every role: anon, too, and it is evaluated for each of them"
            fix = f"alter policy {policy['short']} on {policy['table']} to authenticated;"
            yield rules.POLICY_WITHOUT_ROLE, ("roles",), Advice("warning", "", str(policy["name"]), text, fix)
