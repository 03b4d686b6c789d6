"""Prove that nobody reaches another user's rows: try it, as everyone, in a transaction that is always rolled back.

Two users are made, each with a row in every table; then anon, the owner, the other user and service_role try to read,
write, move and upsert. No statement names the rows of real users. What no rollback undoes is reported: side_effects.py.
docs/isolation.md explains the whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.declarations import NOTHING_DECLARED, Declaration, Declarations
from promthctl.errors import PromthctlError
from promthctl.isolation.declared import check_conditions, unneeded
from promthctl.isolation.door_verdicts import DoorProof
from promthctl.isolation.doors import DoorReport, DoorRun, effects_of_doors
from promthctl.isolation.findings import Finding
from promthctl.isolation.outside import find_outside
from promthctl.isolation.proof_run import ProofRun
from promthctl.isolation.sandbox import Sandbox
from promthctl.isolation.side_effects import SideEffect, SideEffects, side_effects_of
from promthctl.isolation.table_reading import own_schemas, read_tables
from promthctl.isolation.tables import API_ROLES, CLIENT_ROLES, ProbedCatalog
from promthctl.isolation.verdicts import TableProof
from promthctl.quantities import count
from promthctl.steps import Advance

if TYPE_CHECKING:
    from psycopg import Connection

_STATEMENT_MS = 3_000
_LOCK_MS = 1_000
_SECONDS, _SECONDS_A_TABLE = 60.0, 5.0  # a limit, not the duration: a second a table is usual on a busy machine


@dataclass(frozen=True)
class IsolationReport:
    """Every table that clients may reach. caveats: what the rollback does not undo, and what was left out.

    side_effects: what trying rows sets off; on a run that spares them, the tables with those that are not harmless were
    not tried. findings: those that are not in a table's proof: functions, views,
    and what API roles reach in Supabase's own schemas. unneeded: what is declared and could
    be left out. doors: the functions and views that run with their owner's rights.
    """

    tables: tuple[TableProof, ...]
    caveats: tuple[str, ...]
    side_effects: tuple[SideEffect, ...] = ()
    findings: tuple[Finding, ...] = ()
    unneeded: tuple[Declaration, ...] = ()
    doors: tuple[DoorProof, ...] = ()

    @property
    def ok(self) -> bool:
        """True only when everything was proven."""
        return not self.findings and all(table.state == "proven" for table in self.tables)


def _unwatched(total: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda number, detail="": None)


def prove_isolation(
    connection: Connection[Any],
    declared: Declarations = NOTHING_DECLARED,
    public_flags: Mapping[str, str] | None = None,
    schemas: Sequence[str] | None = None,
    exposed: Sequence[str] = ("public",),
    seconds: float | None = None,
    spare: bool = False,
    watched: Callable[[int], AbstractContextManager[Advance]] = _unwatched,
) -> IsolationReport:
    """Try every table of `schemas` as everyone; nothing is left behind. schemas: None for every one of the user's.

    exposed: the schemas whose functions and views the API shows.
    connection: of a role that bypasses RLS, may write auth.users and may act as the API roles: `postgres`. If it is in
    a transaction, everything happens in a savepoint of that. declared: what is open on purpose. public_flags: by
    table name, the boolean column that marks its public rows, for tables that have the column and are not declared.
    seconds: tables not begun by then are not proven; None for as long as so many tables may take.
    spare: make no rows that set off what no rollback undoes. watched: of the number of tables, takes how far it is.
    Raises PromthctlError where the roles or the rights for it are missing, psycopg.Error when the connection breaks.
    """
    flags = public_flags or {}
    began = time.monotonic()
    with Sandbox.opened(connection, _STATEMENT_MS, _LOCK_MS) as sandbox:
        _require_roles(connection)
        check_conditions(connection, declared)
        schemas = own_schemas(connection) if schemas is None else schemas
        catalog = read_tables(connection, schemas)
        sequences = _sequences(connection)
        deadline = began + (_SECONDS + _SECONDS_A_TABLE * len(catalog.exposed) if seconds is None else seconds)
        flagged = {
            table.label: flags[table.label] for table in catalog.exposed if flags.get(table.label) in table.column
        }
        effects = SideEffects(connection)
        found = (*side_effects_of(catalog, effects), *effects_of_doors(connection, exposed, effects))
        public = {**flagged, **declared.conditions}
        run = ProofRun(sandbox, catalog, public, effects if spare else None, declared)
        proofs = []
        with watched(len(catalog.exposed)) as advance:
            for proof in run.run(deadline):
                proofs.append(proof)
                advance(1, proof.table)
        doors = DoorReport()
        if run.users:
            doors = DoorRun(sandbox, catalog, run.maker, run.users, declared, effects, exposed, spare).run(deadline)
        outside = find_outside(connection)
        advanced = [name for name, value in _sequences(connection).items() if sequences.get(name) != value]
    shown = tuple(dict.fromkeys(run.shown))  # of views, with the policy's condition; a door tells the rest
    told = tuple(one.text for one in found if one.harmless or not spare)  # the others are in the tables' reasons
    caveats = (*told, *_caveats(catalog, schemas, advanced))
    return IsolationReport(
        tuple(sorted(proofs, key=lambda proof: proof.table)),
        caveats,
        found,
        (*shown, *(one for one in doors.findings if one.object not in {each.object for each in shown}), *outside),
        tuple(unneeded(declared, run.used | _needed(declared, proofs) | doors.used)),
        doors.proofs,
    )


def find_side_effects(
    connection: Connection[Any], schemas: Sequence[str] | None = None, exposed: Sequence[str] = ("public",)
) -> tuple[SideEffect, ...]:
    """What a proof would set off, to be shown beforehand. Only reads. Raises psycopg.Error."""
    effects = SideEffects(connection)
    schemas = own_schemas(connection) if schemas is None else schemas
    return (
        *side_effects_of(read_tables(connection, schemas), effects),
        *effects_of_doors(connection, exposed, effects),
    )


def _needed(declared: Declarations, proofs: Collection[TableProof]) -> set[Declaration]:
    """What is declared and lets somebody do what would be a finding without it."""
    readable = {
        proof.table
        for proof in proofs
        for attempt in proof.attempts
        if attempt.role in ("anon", "other") and attempt.verb == "select" and attempt.outcome == "reached"
    }
    return {one for one in declared.all if one.kind == "public" and one.name in readable}


def _caveats(catalog: ProbedCatalog, schemas: Sequence[str], advanced: Sequence[str]) -> Iterator[str]:
    for name in advanced:
        yield f"sequence {name} advanced during the proof: a rollback does not give its numbers back"
    unused = [
        table.label
        for table in catalog.exposed
        if not any(
            table.may(role, right) for role in CLIENT_ROLES for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
        )
        and any(policy.permissive and policy.roles & {*CLIENT_ROLES} for policy in table.policies)
    ]
    if unused:
        named = f"{', '.join(unused[:3])}{f' and {len(unused) - 3} more' if len(unused) > 3 else ''}"
        yield (
            f"the policies of {count(len(unused), 'table')} were not tried, because anon and authenticated have no"
            f" rights there ({named}); grant what the API should reach (on the local stack, auto_expose_new_tables ="
            " true under [api] of supabase/config.toml and promthctl local reset grant what no migration revokes)"
        )
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


def _sequences(connection: Connection[Any]) -> dict[str, int | None]:
    found = connection.execute("select schemaname || '.' || sequencename, last_value from pg_sequences").fetchall()
    return dict(found)
