"""What a reset takes from a database, read from its catalog: all that is the user's, whoever made it.

The rules are those of the Supabase CLI's reset of a database (pkg/migration/queries/drop.sql, github.com/supabase/cli):
schemas that are neither its own nor supabase_admin's are dropped, in public nearly everything, and the tables of auth
and supabase_functions are emptied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.database.lock_waits import LockWatch, ending_waits
from promthctl.database.transactions import reading_failure
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_KEPT_SCHEMAS = (
    r"information\_schema", r"pg\_%", r"\_analytics", r"\_realtime", r"\_supavisor", "pgbouncer", "pgmq", "pgsodium",
    "pgtle", r"supabase\_migrations", "vault", "extensions", "public",
)  # fmt: skip
# The strange join is the CLI's: a schema that depends on something, such as the extension that made it, is not dropped.
GOING_SCHEMAS = f"""
select pn.nspname from pg_namespace pn left join pg_depend pd on pd.objid = pn.oid
 where pd.deptype is null and pn.nspowner::regrole::text <> 'supabase_admin'
   and not pn.nspname like any (array[{", ".join(f"'{name}'" for name in _KEPT_SCHEMAS)}])
"""  # noqa: S608
KEPT_EXTENSIONS = [
    "pg_graphql",
    "pg_net",
    "pg_stat_statements",
    "pgcrypto",
    "pgjwt",
    "pgsodium",
    "plpgsql",
    "supabase_vault",
    "uuid-ossp",
]
_MEMBER = "select from pg_depend d where d.classid = '{}'::regclass and d.objid = {}.oid and d.deptype in ('e', 'i')"
_TABLES = f"""
with going as ({GOING_SCHEMAS})
select n.nspname, c.relname, n.nspname in (select nspname from going) or n.nspname = 'public', c.relkind = 'p',
       {{empty}}
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition and (
   (n.nspname in (select nspname from going) or n.nspname = 'public') and not exists ({_MEMBER.format("pg_class", "c")})
   or c.relkind = 'r' and (n.nspname = 'auth' and c.relname <> 'schema_migrations'
                           or n.nspname = 'supabase_functions' and c.relname <> 'migrations'))
 order by 1, 2"""  # noqa: S608
# Nothing need be counted where there is no page; it waits for a lock as a count does.
_EMPTY = "c.relkind = 'r' and pg_relation_size(c.oid) = 0"
_OTHERS = f"""
with going as ({GOING_SCHEMAS} union all select 'public')
select kind, count(*) from (
  select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'foreign table' end as kind
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('v', 'm', 'f') and n.nspname in (select nspname from going)
     and not exists ({_MEMBER.format("pg_class", "c")})
  union all
  select 'function' from pg_proc p join pg_namespace n on n.oid = p.pronamespace
   where n.nspname in (select nspname from going) and not exists ({_MEMBER.format("pg_proc", "p")})
  union all
  select 'type' from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
   where n.nspname in (select nspname from going) and (t.typtype in ('d', 'e', 'r') or c.relkind = 'c')
     and not exists ({_MEMBER.format("pg_type", "t")})
) found group by 1 order by 1"""  # noqa: S608
_EXTENSIONS = "select extname from pg_extension where not extname = any (%s) order by 1"
_AT_ONCE = 100  # tables whose rows one query counts
_PUBLICATIONS = r"""
select pubname from pg_publication where not pubname like any (array['supabase\_realtime%', 'realtime\_messages%'])
 order by 1"""


@dataclass(frozen=True)
class TableRows:
    """A table that loses its rows. rows: None where they may not be counted. dropped: the table itself goes too."""

    schema: str
    name: str
    rows: int | None
    dropped: bool
    partitioned: bool = False

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Contents:
    """What a reset takes. schemas: all but public. tables: of those that are only emptied, the ones that have rows.

    others: how many views, functions and types go, by kind. users: the rows of auth.users; None where there is none.
    """

    schemas: tuple[str, ...]
    tables: tuple[TableRows, ...]
    others: dict[str, int]
    extensions: tuple[str, ...]
    publications: tuple[str, ...]
    users: int | None

    @property
    def rows(self) -> int:
        return sum(table.rows or 0 for table in self.tables)

    @property
    def empty(self) -> bool:
        return not (self.schemas or self.tables or self.others or self.extensions or self.publications)


@contextmanager
def reading(target: Target, steps: Steps) -> Iterator[tuple[psycopg.Connection[tuple[object, ...]], LockWatch]]:
    """A connection to read the database with, and how it waits for locks.

    Raises TargetError when it is lost, PromthctlError for a refusal and for a lock that somebody holds too long.
    """
    import psycopg

    what, watch = f"What {target.label} has could not be read", LockWatch()
    try:
        with database.connect(target) as connection, ending_waits(target, connection, steps.note) as watch:
            yield connection, watch
    except psycopg.Error as error:
        raise reading_failure(target, what, error, "nothing was changed", watch) from None


def read_contents(target: Target, steps: Steps) -> Contents:
    """What the database has that a reset takes. Raises as `reading` does."""
    with reading(target, steps) as (connection, watch):
        connection.autocommit = True  # what may not be counted must not end the reading
        connection.execute("set row_security = off")  # an error instead of a part of the rows
        found: list[tuple[Any, ...]] = connection.execute(_TABLES.format(empty=_EMPTY).encode()).fetchall()
        filled = [row[:4] for row in found if not row[4]]
        parts = [filled[begin : begin + _AT_ONCE] for begin in range(0, len(filled), _AT_ONCE)]
        tables = [table for part in parts for table in _counted(connection, watch, part)]
        tables += [TableRows(schema, name, 0, dropped) for schema, name, dropped, _, empty in found if empty]
        tables.sort(key=lambda table: (table.schema, table.name))
        users = [table.rows for table in tables if table.label == "auth.users"]
        return Contents(
            schemas=_names(connection, f"{GOING_SCHEMAS} order by 1"),
            tables=tuple(table for table in tables if table.dropped or table.rows != 0),
            others={str(row[0]): int(str(row[1])) for row in connection.execute(_OTHERS.encode()).fetchall()},
            extensions=_names(connection, _EXTENSIONS, [list(KEPT_EXTENSIONS)]),
            publications=_names(connection, _PUBLICATIONS),
            users=users[0] if users else None,
        )


def count_tables(target: Target, steps: Steps) -> int:
    """How many tables a reset would drop. Raises as `reading` does."""
    with reading(target, steps) as (connection, _):
        rows = connection.execute(_TABLES.format(empty="false").encode()).fetchall()
        return sum(bool(dropped) for _, _, dropped, _, _ in rows)


def _counted(
    connection: psycopg.Connection[Any], watch: LockWatch, tables: Sequence[tuple[Any, ...]]
) -> list[TableRows]:
    """In one query, since a round trip for each takes most of the time; one by one where some may not be read."""
    import psycopg
    from psycopg import sql

    counts = [
        sql.SQL("select {}, count(*) from {} {}").format(
            number, sql.SQL("" if partitioned else "only"), sql.Identifier(schema, name)
        )
        for number, (schema, name, _, partitioned) in enumerate(tables)
    ]
    rows: dict[int, int] = {}
    try:
        rows = dict(connection.execute(sql.SQL(" union all ").join(counts)).fetchall())
    except psycopg.Error:  # no right to read one of them
        if connection.broken or watch.cancelled:
            raise
        if len(tables) > 1:
            return [table for one in tables for table in _counted(connection, watch, [one])]
    return [
        TableRows(schema, name, rows.get(number), dropped, partitioned)
        for number, (schema, name, dropped, partitioned) in enumerate(tables)
    ]


def _names(connection: psycopg.Connection[Any], query: str, values: Sequence[Any] | None = None) -> tuple[str, ...]:
    return tuple(str(name) for (name,) in connection.execute(query.encode(), values).fetchall())
