"""Reads a database's catalog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from promthctl.schema.model import KINDS, Catalog
from promthctl.schema.queries import catalog_query

if TYPE_CHECKING:
    import psycopg

# How Postgres spells expressions depends on these; with an empty search_path every name is written in full.
SPELLING = """
set local search_path = '';
set local timezone = 'UTC';
set local datestyle = 'ISO, YMD';
set local intervalstyle = 'postgres';
set local extra_float_digits = 1;
set local quote_all_identifiers = off;
set local bytea_output = 'hex';
set local jit = off
"""


def snapshot(connection: psycopg.Connection[Any]) -> Catalog:
    """The catalog of what migrations made in this database; nothing is changed.

    connection: in a transaction or not; what its transaction has done so far is seen.
    Raises psycopg.Error when the connection is lost.
    """
    major = connection.info.server_version // 10000
    kinds: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    with spelled_in_full(connection) as cursor:
        cursor.execute(catalog_query(major).encode(), prepare=False)
        for kind, identity, attributes in cursor:
            kinds[kind][identity] = attributes
    return Catalog(major, kinds)


@contextmanager
def spelled_in_full(connection: psycopg.Connection[Any]) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A cursor for reading catalogs, in a transaction (or savepoint) that is rolled back, settings and all."""
    from psycopg.rows import tuple_row

    with connection.transaction(force_rollback=True), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(SPELLING.encode(), prepare=False)
        yield cursor
