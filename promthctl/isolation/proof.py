"""The run of the isolation proof: which rows, in which order, and what the attempts on a table amount to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from promthctl.isolation import owners
from promthctl.isolation.attempts import Actors, Attempt, Group, Trial
from promthctl.isolation.fill import Filler, Row, Unfillable, Values
from promthctl.isolation.rows import candidates, combinations
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.tables import CLIENT_ROLES, Catalog, Table

State = Literal["proven", "failed", "not proven"]

_VARIANTS = 40  # rows tried to meet a condition and its opposite


@dataclass(frozen=True)
class TableProof:
    """One table. reason: why it failed or could not be proven; for a proven one what to know, often nothing."""

    table: str
    state: State
    reason: str
    attempts: tuple[Attempt, ...] = ()


class _Stolen(Exception):
    """A trigger gives new rows to someone else."""


class Proof:
    """The run over all tables. public: table label → SQL condition on the rows that everyone may read."""

    def __init__(self, sandbox: Sandbox, catalog: Catalog, public: Mapping[str, str]) -> None:
        self._sandbox, self._catalog, self._public = sandbox, catalog, public
        self._ownerships = owners.find(catalog)
        self._filler = Filler(sandbox, catalog, self._ownerships)

    def run(self, deadline: float) -> Iterator[TableProof]:
        """Each exposed table, parents first. deadline: of time.monotonic(). Raises psycopg.Error."""
        try:
            one, two, three = (self._filler.user() for _ in range(3))
        except Unfillable as error:
            for table in self._catalog.exposed:
                yield _verdict(table, (), f"no user can be made in auth.users: {error}", True, False)
            return
        self._users = (one, two)
        self._filler.third = three
        self._actors = Actors(
            Actor("anon", "anon"),
            Actor("owner", "authenticated", one),
            Actor("other", "authenticated", two),
            Actor("service_role", "service_role"),
        )
        ordered = _parents_first(self._catalog)
        for table in ordered:
            if not self._ownerships[table.oid].known:
                self._find_company(table)
        for table in ordered:
            if not table.exposed:
                continue
            if time.monotonic() > deadline:
                yield _verdict(table, (), "the time allowed was over", True, False)
            elif table.kind == "f":
                yield _verdict(table, (), "", True, False)
            else:
                yield self._table(table)

    @contextmanager
    def _passing(self) -> Iterator[None]:
        """Rows made inside are gone afterwards."""
        present = dict(self._filler.present)
        try:
            with self._sandbox.stage():
                yield
        finally:
            self._filler.present = present

    def _find_company(self, table: Table) -> None:
        """Whether the table's rows belong to groups: one with a membership sees the group's row, another does not."""
        for company in owners.memberships(self._catalog, self._ownerships, table):
            with self._passing():
                try:
                    mine, _ = (self._filler.row(table, user) for user in self._users)
                    for user in self._users:
                        self._filler.row(company, user)
                    mine = self._filler.again(mine)
                except Unfillable:
                    continue
                self._sandbox.set()
                read = sql.SQL("select 1 from {} where {}").format(table.identifier, mine.where)
                seen = [self._sandbox.attempt(who, read).rows for who in (self._actors.owner, self._actors.other)]
            if seen == [1, 0]:
                self._filler.companies[table.oid] = company
                self._ownerships = owners.with_group(self._ownerships, self._catalog, table.oid)
                self._filler.ownerships = self._ownerships
                return

    def _table(self, table: Table) -> TableProof:
        own, company = self._ownerships[table.oid], self._filler.companies.get(table.oid)
        companies = (company, *(self._filler.companies.get(key.target) for key in own.links))
        shared = next((each for each in companies if each), None)
        owned = own.known or company is not None
        declared = table.label in self._public
        try:
            trial = self._try(table, owned, shared is not None)
        except Unfillable as error:
            return _verdict(table, (), f"no row can be made: {error}", owned, declared)
        except _Stolen as error:
            return TableProof(table.label, "failed", str(error))
        reason = trial.stopped or (f"not tried with another user's {', '.join(self._untried)}" if self._untried else "")
        proof = _verdict(table, tuple(trial.attempts), reason, owned, declared)
        if shared and proof.state == "proven":
            note = (
                f"shared through {shared.label}: members reach it and others do not; ranks among members were not tried"
            )
            return TableProof(proof.table, proof.state, note, proof.attempts)
        return proof

    def _try(self, table: Table, owned: bool, relaxed: bool) -> Trial:
        """Every attempt on the table. Raises Unfillable, _Stolen, psycopg.Error."""
        for user in self._users:
            self._filler.parents(table, user)
        standing = [row for user in self._users if (row := self._filler.present.get((table.oid, user)))]
        with self._passing():  # learn which rows the table accepts
            a, b = (self._filler.row(table, user) for user in self._users)
        with self._passing():
            self._remove(*(row for row in (a, b) if row.found or row in standing))
            groups = self._groups(a, b)
            if self._ownerships[table.oid].identity and not groups:
                raise _Stolen("a trigger gives a new row to someone else than it was made for")
            trial = Trial(self._sandbox, self._actors, a, b, groups, relaxed, _closed(table))
            with self._passing():
                self._sandbox.set()
                trial.inserts(owned)
            variants = self._variants(a)
            for public, given in variants.items():
                with self._passing():
                    trial.a = self._stand(table, given)
                    self._sandbox.set()
                    what = "a public row" if public else "another's row" if owned else "a row"
                    trial.reads(public, owned, what)
                    if public and len(variants) > 1:
                        trial.attack(what)
                    else:
                        trial.writes(owned, what)
                        if owned and not public and table.primary_key:
                            trial.loops()
        return trial

    def _remove(self, *rows: Row) -> None:
        """Delete rows of the made users that are there already, so that everyone starts without."""
        for row in rows:
            try:
                self._sandbox.run(sql.SQL("delete from {} where {}").format(row.table.identifier, row.where))
            except psycopg.Error as error:
                raise Unfillable(f"a row that is there already cannot be removed: {error}") from error
            self._filler.present.pop((row.table.oid, row.user), None)

    def _stand(self, table: Table, given: Values) -> Row:
        """Put the owner's row there, and the membership that makes it theirs. Raises Unfillable."""
        user = self._users[0]
        try:
            row = self._filler.insert(table, user, given)
            self._filler.present[table.oid, user] = row
            if company := self._filler.companies.get(table.oid):
                self._filler.row(company, user)
                row = self._filler.again(row)
        except psycopg.Error as error:
            raise Unfillable(str(error).partition("\n")[0]) from error
        return row

    def _groups(self, a: Row, b: Row) -> list[Group]:
        """What makes a the owner's and b the other's."""
        own = self._ownerships[a.table.oid]
        mine, theirs = self._users
        names = [name for name in own.identity if a.values[name] == mine and b.values[name] == theirs]
        groups = []
        self._untried: list[str] = []
        if names:
            groups.append(Group(", ".join(names), dict.fromkeys(names, mine), dict.fromkeys(names, theirs)))
        for key in own.links:
            columns = [name for name in key.columns if name not in own.identity]
            held = [(a.values[name], b.values[name]) for name in columns]
            if not columns or self._open_parent(key.target):
                continue
            if any(None in pair or pair[0] == pair[1] for pair in held):
                self._untried.append(", ".join(columns))
                continue
            groups.append(
                Group(", ".join(columns), {n: a.values[n] for n in columns}, {n: b.values[n] for n in columns})
            )
        return groups

    def _open_parent(self, oid: int) -> bool:
        """Whether the owner's row of that table is public, so that anyone may refer to it."""
        table = self._catalog.tables[oid]
        row = self._filler.present.get((oid, self._users[0]))
        return row is not None and self._holds(row, self._public.get(table.label))

    def _holds(self, row: Row, condition: str | None) -> bool:
        """Whether the condition, if any, is true of the row. Raises Unfillable where it cannot be asked."""
        if condition is None:
            return False
        statement = sql.SQL("select ({}) is true from {} where {}").format(
            sql.SQL(condition),
            row.table.identifier,
            row.where,
        )
        try:
            return bool(self._sandbox.run(statement)[0][0])
        except psycopg.Error as error:
            raise Unfillable(f"the condition that declares it public cannot be used: {error}") from error

    def _variants(self, a: Row) -> dict[bool, Values]:
        """What to give a row that is private (False) and, where the table has any, one that is public (True)."""
        condition = self._public.get(a.table.label)
        if condition is None:
            return {False: a.given}
        free = [
            c for c in a.table.columns if c.name in condition and not c.generated and c.name not in a.table.primary_key
        ]
        options: list[list[str | None]] = [
            [a.values[c.name], *candidates(c, (condition,), "abcdef0123456789"), *([] if c.not_null else [None])]
            for c in free
        ]
        found: dict[bool, Values] = {}
        for chosen in combinations(options, _VARIANTS):
            given = {**a.given, **dict(zip((c.name for c in free), chosen, strict=True))}
            with self._passing():
                try:
                    row = self._filler.insert(a.table, a.user, given)
                except (Unfillable, psycopg.Error):
                    continue
                found.setdefault(self._holds(row, condition), given)
            if len(found) == 2:
                break
        if True not in found:
            raise Unfillable(f"none that is public: {condition}")
        return dict(sorted(found.items()))


def _parents_first(catalog: Catalog) -> list[Table]:
    ordered: dict[int, Table] = {}
    visited: set[int] = set()

    def visit(table: Table) -> None:
        if table.oid not in visited:
            visited.add(table.oid)
            for key in table.foreign_keys:
                if key.target in catalog.tables:
                    visit(catalog.tables[key.target])
            ordered[table.oid] = table

    for table in catalog.exposed:
        visit(table)
    return list(ordered.values())


def _closed(table: Table) -> bool:
    """Whether clients have no business in the table at all: no right and no policy says otherwise."""
    rights = any(table.may(role, p) for role in CLIENT_ROLES for p in ("SELECT", "INSERT", "UPDATE", "DELETE"))
    policies = any(policy.roles & {*CLIENT_ROLES} for policy in table.policies)
    # A partition is reached through its parent, whose policies count; closed to direct access is how it should be.
    return not policies and (not rights or (table.partition and table.rls))


def _verdict(table: Table, attempts: tuple[Attempt, ...], reason: str, owned: bool, declared: bool) -> TableProof:
    """What the attempts, or the reason why there are none, amount to."""

    def proof(state: State, why: str) -> TableProof:
        return TableProof(table.label, state, why, attempts)

    held = {p.lower(): None for p in ("SELECT", "INSERT", "UPDATE", "DELETE") for r in CLIENT_ROLES if table.may(r, p)}
    if not table.rls and held:
        roles = " and ".join(role for role in CLIENT_ROLES if any(table.may(role, p.upper()) for p in held))
        return proof("failed", f"row level security is off and {roles} may {', '.join(held)}")
    wrong = [attempt for attempt in attempts if not attempt.ok]
    if breaches := [attempt for attempt in wrong if _breach(attempt, owned)]:
        return proof("failed", _told(breaches))
    if reason:
        return proof("not proven", reason)
    if not owned and any(attempt.verb == "select" and attempt.outcome == "reached" for attempt in wrong):
        return proof(
            "not proven", "no column leads to auth.users, and others read it: declare it public if that is meant"
        )
    if wrong:
        return proof("not proven", _told(wrong))
    if _closed(table):
        return proof("proven", "closed: only service_role reaches it")
    if not owned and not declared:
        return proof(
            "not proven", "no column leads to auth.users: a stranger reaches nothing, but who does is not known"
        )
    return proof("proven", "")


def _breach(attempt: Attempt, owned: bool) -> bool:
    """Whether a wrong attempt shows a fault, rather than leaving it open."""
    if attempt.outcome == "reached":
        return owned or attempt.verb != "select"
    if attempt.expected != "reached":
        return False
    return attempt.verb == "select" or (attempt.role == "service_role" and attempt.outcome != "error")


def _told(attempts: Sequence[Attempt]) -> str:
    first = attempts[0]
    more = f" (and {len(attempts) - 1} more)" if len(attempts) > 1 else ""
    return f"{first.role} {first.verb}, {first.outcome}: {first.detail}{more}"
