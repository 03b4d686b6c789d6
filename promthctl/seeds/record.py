"""supabase_migrations.seed_files: which seeds were run on a database, by path and hash, as the Supabase CLI keeps it.

Its comment is ours: while the seeds of a new database are due, it says so, and which roles.sql was run before. That
lives in the database because it is about the database: whatever removes or replaces that takes it along.
Source of the table: pkg/migration/history.go of the CLI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_CREATE = (
    "create table if not exists supabase_migrations.seed_files (path text not null primary key, hash text not null)"
)
_UPSERT = """
insert into supabase_migrations.seed_files (path, hash) values (%s, %s)
on conflict (path) do update set hash = excluded.hash"""
_LOOK = """
select to_regclass('supabase_migrations.seed_files') is not null,
       obj_description(to_regclass('supabase_migrations.seed_files'), 'pg_class'),
       exists (select from pg_class c
                where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f')
                  and not exists (select from pg_depend d
                                   where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))"""
_WHAT_EXISTS = """
select to_regnamespace('supabase_migrations') is not null, to_regclass('supabase_migrations.seed_files') is not null"""
_COMMENT = re.compile(r"promthctl: (seeds are due; )?roles\.sql ([0-9a-f]{64}|none)")


@dataclass(frozen=True)
class SeedRecord:
    """hashes: by path, of the seeds that were run. new: nothing was ever put into the database.

    due: its seeds are to be run once its migrations are applied. roles: the hash of the roles.sql that ran there.
    """

    hashes: Mapping[str, str]
    new: bool = False
    due: bool = False
    roles: str | None = None


def read_record(connection: psycopg.Connection[Any]) -> SeedRecord:
    """What is known of the seeds of a database."""
    ((there, comment, tables),) = connection.execute(_LOOK).fetchall()
    hashes = connection.execute("select path, hash from supabase_migrations.seed_files").fetchall() if there else []
    mark = _COMMENT.fullmatch(comment or "")
    return SeedRecord(
        {str(path): str(digest) for path, digest in hashes},
        new=not there and not tables and not _has_history(connection),
        due=bool(mark and mark[1]),
        roles=mark[2] if mark and mark[2] != "none" else None,
    )


def write_run(connection: psycopg.Connection[Any], path: str, digest: str) -> None:
    """Record that a seed was run, in the transaction that is open, if one is."""
    make_table(connection)
    connection.execute(_UPSERT, (path, digest))


def mark_due(connection: psycopg.Connection[Any], due: bool, roles: str | None) -> None:
    """Note on a new database whether its seeds are due, and the hash of the roles.sql that ran."""
    make_table(connection)
    text = f"promthctl: {'seeds are due; ' if due else ''}roles.sql {roles or 'none'}"
    connection.execute(f"comment on table supabase_migrations.seed_files is '{text}'".encode())


def forget_due(connection: psycopg.Connection[Any]) -> None:
    """The seeds are not due any more, whatever becomes of them."""
    ((_, there),) = connection.execute(_WHAT_EXISTS).fetchall()
    if there:
        connection.execute("comment on table supabase_migrations.seed_files is null")


def make_table(connection: psycopg.Connection[Any]) -> None:
    """The table, if it is not there."""
    ((schema, table),) = connection.execute(_WHAT_EXISTS).fetchall()
    if not schema:
        connection.execute("create schema if not exists supabase_migrations")
    if not table:
        connection.execute(_CREATE)


def _has_history(connection: psycopg.Connection[Any]) -> bool:
    ((there,),) = connection.execute(
        "select to_regclass('supabase_migrations.schema_migrations') is not null"
    ).fetchall()
    if not there:
        return False
    ((some,),) = connection.execute("select exists (select from supabase_migrations.schema_migrations)").fetchall()
    return bool(some)
