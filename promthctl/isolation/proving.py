"""Prove that nobody reaches another's rows: try it, as everyone, in a transaction that is always rolled back.

Two users are made, each with a row in every table; then anon, the owner, the other user and service_role try to read,
write, move and upsert. The rows of real users are never named by any statement. What is left behind is what no
rollback undoes: see `caveats`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.errors import PromthctlError
from promthctl.isolation import tables
from promthctl.isolation.attempts import Attempt
from promthctl.isolation.proof import Proof, TableProof
from promthctl.isolation.sandbox import Sandbox
from promthctl.isolation.tables import API_ROLES, Catalog

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PUBLIC", "Attempt", "IsolationReport", "TableProof", "caveats", "prove"]

# Public on purpose without being declared: the Mr.Promth app shares prompts that are marked so.
PUBLIC: Mapping[str, str] = {"prompts": "is_public"}

_STATEMENT_MS = 3_000
_LOCK_MS = 1_000
_SECONDS = 60.0
# What a trigger function's text says when it acts outside the transaction, or only once that is committed.
_OUTSIDE = {
    r"\bdblink": "dblink",
    r"(?<!net\.)\bhttp(?:_(?:get|post|put|patch|delete|head))?\(": "http",
    r"\bnextval\s*\(": "nextval",
    r"\bpg_logical_emit_message\b": "a logical message",
    r"\bprogram\b.*\bcopy\b|\bcopy\b.*\bprogram\b": "copy … program",
}
_UNTRUSTED = {"plpython3u", "plpythonu", "plperlu", "pltclu"}
_ON_COMMIT = {
    r"\bnet\.http_|\bsupabase_functions\.http_request\b": "pg_net",
    r"\bpg_notify\b|\bnotify\s+\w": "notify",
}


@dataclass(frozen=True)
class IsolationReport:
    """Every table that clients may reach. caveats: what the rollback does not undo, and what was left out."""

    tables: tuple[TableProof, ...]
    caveats: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True only when everything was proven."""
        return all(table.state == "proven" for table in self.tables)


def prove(
    connection: Connection[Any],
    public: Mapping[str, str] | Collection[str] = (),
    schemas: Sequence[str] = ("public",),
    seconds: float = _SECONDS,
) -> IsolationReport:
    """Try every table of `schemas` as everyone; nothing is left behind.

    connection: of a role that bypasses RLS, may write auth.users and may act as the API roles: `postgres`. In a
    transaction of the caller's everything happens in a savepoint. public: what is public on purpose, by table name
    (with the schema where that is not public): an SQL condition on the rows that everyone may read; a plain
    collection of names means all their rows. PUBLIC is built in. seconds: tables not begun by then are not proven.
    Raises PromthctlError where the roles or the rights for it are missing, psycopg.Error when the connection breaks.
    """
    given = public if isinstance(public, Mapping) else dict.fromkeys(public, "true")
    declared = {name.removeprefix("public."): condition for name, condition in given.items()}
    deadline = time.monotonic() + seconds
    with Sandbox.opened(connection, _STATEMENT_MS, _LOCK_MS) as sandbox:
        _require_roles(connection)
        catalog = tables.read(connection, schemas)
        sequences = _sequences(connection)
        built_in = {t.label: PUBLIC[t.label] for t in catalog.exposed if PUBLIC.get(t.label) in t.column}
        proofs = tuple(Proof(sandbox, catalog, {**built_in, **declared}).run(deadline))
        moved = tuple(
            f"sequence {name} moved on while this ran: drawn numbers are not given back"
            for name, value in _sequences(connection).items()
            if sequences.get(name) != value
        )
    unknown = tuple(
        f"{name} is declared public, but there is no such table"
        for name in declared
        if name not in {table.label for table in catalog.exposed}
    )
    extensions = tuple(
        f"{table.label} belongs to the extension {table.extension} and was left out"
        for table in catalog.tables.values()
        if table.extension and table.schema in schemas
    )
    return IsolationReport(tuple(sorted(proofs, key=lambda proof: proof.table)),
                           (*_effects(catalog), *moved, *unknown, *extensions))  # fmt: skip


def caveats(connection: Connection[Any], schemas: Sequence[str] = ("public",)) -> tuple[str, ...]:
    """What a proof would set off that no rollback undoes, to be shown before. Reads only. Raises psycopg.Error."""
    return _effects(tables.read(connection, schemas))


def _require_roles(connection: Connection[Any]) -> None:
    """Raises PromthctlError unless the connection's role may act as anon, authenticated and service_role."""
    found = connection.execute(
        "select current_user, array(select rolname::text from pg_roles where rolname = any(%s)"
        " and pg_has_role(current_user, oid, 'MEMBER'))",
        (list(API_ROLES),),
    ).fetchone()
    assert found is not None
    user, usable = found
    if missing := [role for role in API_ROLES if role not in usable]:
        raise PromthctlError(
            "The isolation of users cannot be proven",
            f"the role {user} cannot act as {', '.join(missing)}",
            "connect as postgres to a Supabase database",
        )


def _sequences(connection: Connection[Any]) -> dict[str, int | None]:
    found = connection.execute("select schemaname || '.' || sequencename, last_value from pg_sequences").fetchall()
    return dict(found)


def _effects(catalog: Catalog) -> tuple[str, ...]:
    """The triggers that reach beyond the transaction, on the tables that a proof writes to."""
    written = [*catalog.exposed, *([catalog.users] if catalog.users else [])]
    found = []
    for table in written:
        for trigger in table.triggers:
            where = f"trigger {trigger.name} on {table.label} ({trigger.function})"
            ways = [name for pattern, name in _OUTSIDE.items() if re.search(pattern, trigger.source, re.I | re.S)]
            if trigger.language in _UNTRUSTED:
                ways.append(trigger.language)
            if ways:
                found.append(f"{where} uses {', '.join(ways)}: what it does outside the database is not undone")
            later = [name for pattern, name in _ON_COMMIT.items()
                     if re.search(pattern, f"{trigger.function} {trigger.source}", re.I)]  # fmt: skip
            if later:
                found.append(f"{where} uses {', '.join(later)}: nothing is sent, because nothing is committed")
    return tuple(found)
