"""Prove that nobody reaches another user's rows: try it, as everyone, in a transaction that is always rolled back.

Two users are made, each with a row in every table; then anon, the owner, the other user and service_role try to read,
write, move and upsert. No statement names the rows of real users. What no rollback undoes is reported: side_effects.py.
docs/isolation.md explains the whole.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.errors import PromthctlError, UsageError
from promthctl.isolation.proof_run import ProofRun
from promthctl.isolation.sandbox import Sandbox
from promthctl.isolation.side_effects import SideEffect, SideEffects, side_effects_of
from promthctl.isolation.table_reading import read_tables
from promthctl.isolation.tables import API_ROLES, ProbedCatalog
from promthctl.isolation.verdicts import TableProof
from promthctl.sql.expressions import called_functions

if TYPE_CHECKING:
    from psycopg import Connection

_STATEMENT_MS = 3_000
_LOCK_MS = 1_000
_SECONDS = 60.0


@dataclass(frozen=True)
class IsolationReport:
    """Every table that clients may reach. caveats: what the rollback does not undo, and what was left out.

    side_effects: what trying rows sets off; on a run that spares them, the tables with those that are not harmless were
    not tried.
    """

    tables: tuple[TableProof, ...]
    caveats: tuple[str, ...]
    side_effects: tuple[SideEffect, ...] = ()

    @property
    def ok(self) -> bool:
        """True only when everything was proven."""
        return all(table.state == "proven" for table in self.tables)


def prove_isolation(
    connection: Connection[Any],
    public: Mapping[str, str] | Collection[str] = (),
    public_flags: Mapping[str, str] | None = None,
    schemas: Sequence[str] = ("public",),
    seconds: float = _SECONDS,
    spare: bool = False,
) -> IsolationReport:
    """Try every table of `schemas` as everyone; nothing is left behind.

    connection: of a role that bypasses RLS, may write auth.users and may act as the API roles: `postgres`. If it is in
    a transaction, everything happens in a savepoint of that. public: what is public on purpose, by table name (with
    the schema unless that is public): an SQL condition on the rows that everyone may read; a plain collection of names
    means all their rows. public_flags: by table name, the boolean column that marks its public rows, for tables that
    have the column and are not in `public`. seconds: tables not begun by then are not proven.
    spare: make no rows that set off what no rollback undoes.
    Raises PromthctlError where the roles or the rights for it are missing, psycopg.Error when the connection breaks.
    """
    given = public if isinstance(public, Mapping) else dict.fromkeys(public, "true")
    declared = {name.removeprefix("public."): condition for name, condition in given.items()}
    flags = public_flags or {}
    deadline = time.monotonic() + seconds
    with Sandbox.opened(connection, _STATEMENT_MS, _LOCK_MS) as sandbox:
        _require_roles(connection)
        _check_conditions(connection, declared)
        catalog = read_tables(connection, schemas)
        sequences = _sequences(connection)
        flagged = {
            table.label: flags[table.label] for table in catalog.exposed if flags.get(table.label) in table.column
        }
        effects = SideEffects(connection)
        found = side_effects_of(catalog, effects)
        proofs = tuple(ProofRun(sandbox, catalog, {**flagged, **declared}, effects if spare else None).run(deadline))
        advanced = [name for name, value in _sequences(connection).items() if sequences.get(name) != value]
    told = tuple(one.text for one in found if one.harmless or not spare)  # the others are in the tables' reasons
    caveats = (*told, *_caveats(catalog, schemas, advanced, declared))
    return IsolationReport(tuple(sorted(proofs, key=lambda proof: proof.table)), caveats, found)


def _caveats(
    catalog: ProbedCatalog, schemas: Sequence[str], advanced: Sequence[str], declared: Collection[str]
) -> Iterator[str]:
    for name in advanced:
        yield f"sequence {name} advanced during the proof: a rollback does not give its numbers back"
    known = {table.label for table in catalog.exposed}
    for name in declared:
        if name not in known:
            yield f"{name} is declared public, but there is no such table"
    for table in catalog.tables.values():
        if table.extension and table.schema in schemas:
            yield f"{table.label} belongs to the extension {table.extension} and was left out"


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
            "connect as postgres to a Supabase database: --db-url postgresql://postgres@HOST:5432/postgres",
        )


def _check_conditions(connection: Connection[Any], declared: Mapping[str, str]) -> None:
    """Raises UsageError for a condition that is more than one, or that may change something when it is read."""
    for table, condition in declared.items():
        called = called_functions(condition)
        why = "it is not exactly one SQL expression" if called is None else None
        if called:
            volatile = connection.execute(
                "select proname::text from pg_proc where proname = any(%s) and provolatile = 'v' order by 1 limit 1",
                (sorted(called),),
            ).fetchone()
            why = f"it calls {volatile[0]}, which may change something" if volatile else None
        if why:
            raise UsageError(
                f"pyproject.toml has a wrong setting: public.{table}",
                why,
                f"give {table} in [tool.promthctl.public] a condition on its columns, such as is_public",
            )


def _sequences(connection: Connection[Any]) -> dict[str, int | None]:
    found = connection.execute("select schemaname || '.' || sequencename, last_value from pg_sequences").fetchall()
    return dict(found)
