"""What a write to a table runs: its triggers, defaults, checks, policies and rules, and all that those call.

Read from the system catalogs, with five queries, and followed to any depth. A name without a schema stands for every
function of that name, so that more is followed than runs, rather than less.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from promthctl.sql.mentions import Mentions, read_mentions

if TYPE_CHECKING:
    from psycopg import Connection

_FIRST_OID = 16384  # what PostgreSQL comes with has smaller oids: FirstNormalObjectId in access/transam.h

_FUNCTIONS = f"""
select p.oid, n.nspname, p.proname, l.lanname, e.extname, p.provolatile = 'v', r.rolsuper, p.prosecdef,
       case when l.lanname not in ('c', 'internal') and p.prokind <> 'a' then pg_get_functiondef(p.oid) else '' end,
       p.pronargs > 0 and p.pronargs - p.pronargdefaults <= 1
         and exists (select from pg_type t where t.oid = p.proargtypes[0] and t.typtype in ('c', 'd', 'p')),
       coalesce((select array_remove(array[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
         a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::oid[], 0::oid) from pg_aggregate a where a.aggfnoid = p.oid),
         '{{}}')
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
join pg_roles r on r.oid = p.proowner
left join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
left join pg_extension e on e.oid = d.refobjid
where p.oid >= {_FIRST_OID} order by 2, 3, 1
"""  # noqa: S608 - the text inserted is a constant of this file

_RELATIONS = f"""
select c.oid, n.nspname, c.relname, c.relkind,
       (select concat(s.srvname, ' (', w.fdwname, ')') from pg_foreign_table t join pg_foreign_server s
         on s.oid = t.ftserver join pg_foreign_data_wrapper w on w.oid = s.srvfdw join pg_proc h on h.oid = w.fdwhandler
         where t.ftrelid = c.oid and h.proname <> 'postgres_fdw_handler'),
       c.relkind = 'm' or c.relkind = 'v' and not coalesce((select o.option_value::boolean
         from pg_options_to_table(c.reloptions) o where o.option_name = 'security_invoker'), false)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.oid >= {_FIRST_OID} order by 2, 3
"""  # noqa: S608

# (table, what it is, its text, the function it calls in any case, when: on every r(ead), on an i(nsert) among others,
# on an insert o(nly), or w(riting) otherwise).
# A column that is numbered by its own sequence is left out: see docs/isolation.md.
_PARTS = f"""
select t.tgrelid, 'trigger ' || t.tgname, pg_get_triggerdef(t.oid), t.tgfoid,
       case when t.tgtype & 28 = 4 then 'o' when t.tgtype & 4 > 0 then 'i' else 'w' end
from pg_trigger t where not t.tgisinternal and t.tgenabled not in ('D', 'R')
union all
select adrelid, 'default', pg_get_expr(adbin, adrelid), null, 'o' from pg_attrdef
where pg_get_expr(adbin, adrelid) !~ '^\\(?nextval\\(''[^'']*''::regclass\\)\\)?(::[a-z ]+)?$'
union all select conrelid, 'check', pg_get_constraintdef(oid), null, 'i' from pg_constraint
where contype = 'c' and conrelid > 0
union all select indrelid, 'index', pg_get_indexdef(indexrelid), null, 'i' from pg_index
where indexprs is not null or indpred is not null
union all select polrelid, 'policy ' || polname,
  concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), null, 'r' from pg_policy
union all select ev_class, case when rulename = '_RETURN' then 'view' else 'rule ' || rulename end,
  pg_get_ruledef(oid), null, case when ev_type = '1' then 'r' else 'i' end
from pg_rewrite where oid >= {_FIRST_OID}
union all select partrelid, 'partition key', pg_get_partkeydef(partrelid), null, 'i' from pg_partitioned_table
order by 1, 2
"""  # noqa: S608

# (table, table whose rows are written with its rows, how by a write: None as that, otherwise by a cascade).
_FOLLOWERS = """
select inhparent, inhrelid, null from pg_inherits
union select inhrelid, inhparent, null from pg_inherits
union select confrelid, conrelid, case when 'd' in (confdeltype, confupdtype) then 'w' else 'c' end from pg_constraint
where contype = 'f' and (confdeltype in ('c', 'n', 'd') or confupdtype in ('c', 'n', 'd')) order by 1, 2
"""

# Functions that run without being named: behind operators, casts, types, domains and operator classes of one's own.
_UNNAMED = f"""
select oprcode::oid, 'operator ' || oprname from pg_operator where oid >= {_FIRST_OID} and oprcode <> 0
union select oprrest::oid, 'operator ' || oprname from pg_operator where oid >= {_FIRST_OID} and oprrest <> 0
union select oprjoin::oid, 'operator ' || oprname from pg_operator where oid >= {_FIRST_OID} and oprjoin <> 0
union select castfunc, 'cast to ' || casttarget::regtype from pg_cast where oid >= {_FIRST_OID} and castfunc <> 0
union select refobjid, 'operator class or type' from pg_depend where refclassid = 'pg_proc'::regclass
  and classid in ('pg_amproc'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_type'::regclass)
order by 2, 1
"""  # noqa: S608
_DOMAINS = "select 'domain ' || contypid::regtype, pg_get_constraintdef(oid) from pg_constraint where contypid > 0"
# Where we are no superuser, those that run a superuser's function come with the server.
_EVENT_TRIGGERS = """
select evtfoid from pg_event_trigger join pg_proc f on f.oid = evtfoid join pg_roles r on r.oid = f.proowner
where evtenabled not in ('D', 'R')
  and (not r.rolsuper or (select rolsuper from pg_roles where rolname = current_user)) order by evtname
"""
_SYSTEM = "select oid, proname from pg_proc where oid = any(%s)"

When = Literal["r", "i", "c", "w"]  # read, insert, update and delete by a cascade, any write
_RUNS: dict[When, str] = {"r": "r", "i": "rio", "c": "riw", "w": "riow"}  # which parts run then


@dataclass(frozen=True, eq=False)
class Function:
    """extension: whose member it is, None for none. volatile: as declared. superuser: its owner is. text: empty for C.

    definer: it runs with its owner's rights.
    of_row: it takes one row, so that row.f calls it. parts: of an aggregate, by oid.
    """

    oid: int
    schema: str
    name: str
    language: str
    extension: str | None
    volatile: bool
    superuser: bool
    definer: bool
    text: str
    of_row: bool
    parts: Sequence[int]

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, eq=False)
class Relation:
    """wrapper: of a foreign table that a rollback does not reach, with its server.

    definer: a view that shows its tables with its owner's rights, or a materialized one.
    """

    oid: int
    schema: str
    name: str
    kind: str
    wrapper: str | None
    definer: bool

    @property
    def label(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


class Reached(NamedTuple):
    """Something that runs. chain: the way to it. mentions: of its text, which an expression has, too.

    what: a function, the name of one that PostgreSQL comes with, a table, or None for an expression.
    """

    chain: tuple[str, ...]
    what: Function | Relation | str | None
    mentions: Mentions
    text: str = ""


class _Part(NamedTuple):
    label: str
    text: str
    function: int | None
    when: str


class CallGraph:
    """The functions and tables of a database. Raises psycopg.Error. system: names of PostgreSQL's own that matter."""

    def __init__(self, connection: Connection[Any], system: Iterable[str]) -> None:
        self._connection, self._system = connection, frozenset(system)
        self._mentions: dict[str, Mentions] = {}
        self._functions: dict[int, Function] = {}
        self._by_name: dict[str, list[Function]] = defaultdict(list)
        self._relations: dict[int, Relation] = {}
        self._relations_by_name: dict[str, list[Relation]] = defaultdict(list)
        self._parts: dict[int, list[_Part]] = defaultdict(list)
        self._followers: dict[int, list[tuple[int, When | None]]] = defaultdict(list)
        for row in connection.execute(_FUNCTIONS.encode()):
            function = Function(*row)
            self._functions[function.oid] = function
            self._by_name[function.name].append(function)
        for row in connection.execute(_RELATIONS.encode()):
            relation = Relation(*row)
            self._relations[relation.oid] = relation
            self._relations_by_name[relation.name].append(relation)
        for oid, *part in connection.execute(_PARTS.encode()):
            self._parts[oid].append(_Part(*part))
        for oid, follower, how in connection.execute(_FOLLOWERS):
            self._followers[oid].append((follower, how))

    @property
    def has_own_format(self) -> bool:
        """Whether format() may be another than PostgreSQL's."""
        return "format" in self._by_name

    @cached_property
    def _system_names(self) -> dict[int, str]:
        """PostgreSQL's own functions that triggers, casts and operators name by their oids."""
        oids = {part.function for parts in self._parts.values() for part in parts if part.function}
        oids |= {oid for oid, _ in self._unnamed} | {oid for one in self._functions.values() for oid in one.parts}
        return dict(self._connection.execute(_SYSTEM, (sorted(oid for oid in oids if oid < _FIRST_OID),)).fetchall())

    @cached_property
    def _unnamed(self) -> list[tuple[int, str]]:
        return self._connection.execute(_UNNAMED.encode()).fetchall()

    @cached_property
    def _unnamed_functions(self) -> list[tuple[str, Function | int]]:
        """Without those in C of extensions: what an extension's own operators and types do is to compute."""
        found = [(label, self._functions.get(oid) or oid) for oid, label in self._unnamed]
        return [(label, one) for label, one in found if isinstance(one, int) or not one.extension or one.text]

    @cached_property
    def _event_triggers(self) -> list[Function]:
        found = self._connection.execute(_EVENT_TRIGGERS).fetchall()
        return [self._functions[oid] for (oid,) in found if oid in self._functions]

    @cached_property
    def _domains(self) -> list[tuple[str, str]]:
        return self._connection.execute(_DOMAINS).fetchall()

    def reached_from(self, oid: int, when: When) -> Iterator[Reached]:
        """All that runs when rows of the table are inserted ("i"), or inserted, updated and deleted ("w"), or read."""
        yield from self._reached((self._relations[oid], when))

    def reached_by_call(self, oid: int) -> Iterator[Reached]:
        """All that runs when the function is called, itself first."""
        yield from self._reached(self._functions[oid])

    def _reached(self, start: Any) -> Iterator[Reached]:
        waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), start)])
        waiting.extend(((label,), function) for label, function in self._unnamed_functions)
        waiting.extend(((label,), text) for label, text in self._domains)
        seen: set[Any] = set()
        while waiting:
            chain, node = waiting.popleft()
            if isinstance(node, int):
                node = self._system_names.get(node)
                if node is None or node not in self._system:
                    continue
                yield Reached((*chain, node), node, Mentions())
                continue
            if node in seen:
                continue
            seen.add(node)
            if isinstance(node, Function):
                chain = (*chain, node.label)
                mentions = self._read(node.text)
                yield Reached(chain, node, mentions)
                waiting.extend((chain, self._functions.get(part) or part) for part in node.parts)
                waiting.extend((chain, each) for each in self._named(mentions))
            elif isinstance(node, str):  # the text of a part of a table
                mentions = self._read(node)
                yield Reached(chain, None, mentions, node)
                waiting.extend((chain, each) for each in self._named(mentions))
            elif node[0] in self._system:
                yield Reached((*chain, node[0]), node[0], Mentions())
            elif isinstance(node[0], Relation):
                yield Reached((*chain, node[0].label), node[0], Mentions())
                waiting.extend(self._of_relation(chain, *node))

    def _of_relation(
        self, chain: tuple[str, ...], relation: Relation, when: When
    ) -> Iterator[tuple[tuple[str, ...], Any]]:
        for part in self._parts[relation.oid]:
            if part.when in _RUNS[when]:
                step = (*chain, f"{part.label} on {relation.label}")
                if part.function:
                    yield step, self._functions.get(part.function) or part.function
                yield step, part.text
                if relation.kind == "v" and when != "r":  # a write to a view is one to the tables that it shows
                    for table in self._tables_in(self._read(part.text)):
                        yield step, (table, "w")
        if when != "r":
            for oid, how in self._followers[relation.oid]:
                if (how is None or when != "i") and oid in self._relations:
                    yield chain, (self._relations[oid], how or when)

    def _named(self, mentions: Mentions) -> Iterator[Any]:
        """The functions and tables that a text names, and the event triggers of what it defines."""
        if "definition" in mentions.statements:
            yield from self._event_triggers
        for schema, name in sorted(mentions.calls):
            for function in self._by_name.get(name, ()):
                if schema in ("", function.schema):
                    yield function
            if name in self._system and schema in ("", "pg_catalog"):
                yield (name,)
        for name in sorted(mentions.attributes & self._by_name.keys()):
            yield from (function for function in self._by_name[name] if function.of_row)  # row.f is f(row)
        whens: tuple[tuple[set[tuple[str, str]], When], ...] = ((mentions.written, "w"), (mentions.inserted, "i"))
        for names, when in whens:
            for schema, name in sorted(names):
                for table in self._relations_by_name.get(name, ()):
                    if schema in ("", table.schema):
                        yield table, when
        for table in self._tables_in(mentions):
            yield table, "r"

    def _tables_in(self, mentions: Mentions) -> Iterator[Relation]:
        for name in sorted(mentions.words & self._relations_by_name.keys()):
            yield from self._relations_by_name[name]

    def _read(self, text: str) -> Mentions:
        if text not in self._mentions:
            self._mentions[text] = read_mentions(text)
        return self._mentions[text]
