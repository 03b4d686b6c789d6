"""The run of the isolation proof over all tables: who owns what, and which rows are there when what is tried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg
from psycopg import sql

from promthctl.declarations import NOTHING_DECLARED, Declaration, Declarations
from promthctl.isolation import ownership
from promthctl.isolation.attempts import Actors, OwnerColumns, TableTrial
from promthctl.isolation.column_values import candidate_values, nearest_combinations
from promthctl.isolation.findings import Finding
from promthctl.isolation.openings import Openings, OpeningTrial
from promthctl.isolation.policy_reading import PolicyReader, Reading
from promthctl.isolation.row_maker import RowMaker, RowNotMade
from promthctl.isolation.sample_row import SampleRow, Values, matching
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.side_effects import SideEffects, not_tried
from promthctl.isolation.surroundings import Surroundings
from promthctl.isolation.tables import ProbedCatalog, ProbedTable
from promthctl.isolation.verdicts import TableProof, is_closed, verdict

_VARIANTS = 40  # rows tried to meet a condition and its opposite


_REMOVALS = 6  # tables whose rows are removed before one row can be


class _GivenAway(Exception):
    """A trigger gives new rows to someone else; str() says so."""


class ProofRun:
    """One run over all tables.

    public: table label → SQL condition on the rows that everyone may read. effects: no rows are made that set off what
    no rollback undoes; None to make them all. declared: what else is open on purpose. shown: findings on views.
    used: declarations that were needed.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        catalog: ProbedCatalog,
        public: Mapping[str, str],
        effects: SideEffects | None = None,
        declared: Declarations = NOTHING_DECLARED,
    ) -> None:
        self._sandbox, self._catalog, self._public, self._effects = sandbox, catalog, public, effects
        self._declared = declared
        self._reader = PolicyReader(sandbox.connection, catalog)
        self._ownerships = ownership.find_ownerships(catalog)
        self._maker = RowMaker(sandbox, catalog, self._ownerships, effects)
        self.users: tuple[str, ...] = ()  # the owner, the other and a third, once they are made
        self.shown: list[Finding] = []
        views = {view.label for view in catalog.views}
        self.used = {one for one in declared.all if one.kind == "public" and one.name in views}

    @property
    def maker(self) -> RowMaker:
        """It knows how a row of each table is made, once they were tried."""
        return self._maker

    def run(self, deadline: float) -> Iterator[TableProof]:
        """Each exposed table, parents first. deadline: of time.monotonic(). Raises psycopg.Error."""
        try:
            one, two, three = (self._maker.user() for _ in range(3))
        except RowNotMade as error:
            for table in self._catalog.exposed:
                yield verdict(table, (), f"no user can be created in auth.users: {error}", True, False)
            return
        self._users = (one, two)
        self._maker.third = three
        self.users = (one, two, three)
        self.shown += self._materialized()
        self._actors = Actors(
            Actor("anon", "anon"),
            Actor("owner", "authenticated", one),
            Actor("other", "authenticated", two),
            Actor("service_role", "service_role"),
        )
        ordered = _parents_first(self._catalog)
        self._find_groups()
        for table in ordered:
            if not table.exposed:
                continue
            if time.monotonic() > deadline:
                yield verdict(table, (), "the time ran out before it was tried", True, False)
            elif table.kind == "f" or not any(table.may(*right) for right in table.rights):
                yield verdict(table, (), "", True, False)
            elif self._effects and (reason := not_tried(self._effects.of(table))):
                yield verdict(table, (), reason, True, False)
            else:
                yield self._prove_table(table)

    def _materialized(self) -> Iterator[Finding]:
        """Materialized views that clients may read: they hold what no policy guards, and no made row."""
        for view in self._catalog.views:
            guarded = [table for table in self._catalog.exposed if table.rls and table.oid in view.tables]
            if view.kind == "m" and guarded and view.label not in self._public:
                what = f"it has no policies, and holds rows of {guarded[0].label} as they were at its last refresh"
                who = "anon" if "anon" in view.roles else "other"
                yield Finding("not proven", view.label, what, who, allow=Declaration("public", view.label, "true"))

    @contextmanager
    def _undone_afterwards(self) -> Iterator[None]:
        """Rows made inside are gone afterwards."""
        present = dict(self._maker.present)
        try:
            with self._sandbox.stage():
                yield
        finally:
            self._maker.present = present

    def _find_groups(self) -> None:
        """Find the tables whose rows belong to groups: a policy looks up the caller in a table that refers to them."""
        looked_up: dict[int, None] = {}
        tied: set[tuple[int, str]] = set()  # columns that policies compare with one of the row they are about
        for table in self._catalog.exposed:
            reading = Reading()
            for policy in table.policies:
                for text in filter(None, (policy.using, policy.check)):
                    self._reader.read(text, table, reading)
            looked_up |= {oid: None for oid, _ in reading.callers if oid in reading.tables}
            pairs = [pair for one in reading.joins for pair in (one, one[::-1])]
            tied |= {one for one, (oid, _) in pairs if oid == table.oid}
        for oid in looked_up:
            membership_table = self._catalog.tables[oid]
            own = {*self._ownerships[oid].identity, *self._ownerships[oid].others}
            keys = [key for key in membership_table.foreign_keys if not set(key.columns) & own]
            # A key that no policy compares with its rows, beside one that is, leads to something else: a list of roles.
            for key in [key for key in keys if any((oid, name) in tied for name in key.columns)] or keys:
                group = self._catalog.tables.get(key.target)
                if not group or group is self._catalog.users or group is membership_table:
                    continue
                if own and not self._ownerships[group.oid].identity and group.oid not in self._maker.membership_tables:
                    self._maker.membership_tables[group.oid] = membership_table
                    self._ownerships = ownership.with_group(self._ownerships, self._catalog, group.oid)
        self._maker.ownerships = self._ownerships

    def _prove_table(self, table: ProbedTable) -> TableProof:
        own, membership_table = self._ownerships[table.oid], self._maker.membership_tables.get(table.oid)
        membership_tables = (membership_table, *(self._maker.membership_tables.get(key.target) for key in own.links))
        shared = next((each for each in membership_tables if each), None)
        owned = own.known or membership_table is not None
        declared = table.label in self._public
        self._openings: Openings | None = None
        try:
            trial = self._try_table(table, owned, shared is not None)
        except RowNotMade as error:
            return verdict(table, (), f"no row can be made: {error}", owned, declared)
        except _GivenAway as error:
            return TableProof(table.label, "failed", str(error))
        reason = trial.stopped or (f"not tried with another user's {', '.join(self._untried)}" if self._untried else "")
        proof = verdict(table, tuple(trial.attempts), reason, owned, declared, self._openings)
        if shared and proof.state == "proven" and not proof.reason:
            let_in: dict[str, None] = self._openings.roles if self._openings else {}
            roles = [told for told in let_in if shared.label in told]
            as_whom = f" ({roles[0]})" if roles and "" not in let_in else ""
            note = f"shared through {shared.label}: members{as_whom} reach it, others do not"
            return replace(proof, reason=note)
        return proof

    def _try_table(self, table: ProbedTable, owned: bool, relaxed: bool) -> TableTrial:
        """Every attempt on the table. Raises RowNotMade, _GivenAway, psycopg.Error."""
        for user in self._users:
            self._maker.parents(table, user)
        standing = [row for user in self._users if (row := self._maker.present.get((table.oid, user)))]
        with self._undone_afterwards():  # find out which rows the table accepts
            a, b = (self._maker.row(table, user) for user in self._users)
        if self._ownerships[table.oid].identity and not self._identity(a, b) and table.oid not in self._maker.signed_in:
            self._maker.sign_in(table)  # a trigger may have written who calls, which was nobody
            with self._undone_afterwards():
                a, b = (self._maker.row(table, user) for user in self._users)
        with self._undone_afterwards():
            self._remove(*(row for row in (a, b) if row.found or row in standing))
            owner_columns = self._owner_columns(a, b)
            if self._ownerships[table.oid].identity and not owner_columns:
                raise _GivenAway("a trigger gives a new row to someone other than the user it was made for")
            trial = TableTrial(
                self._sandbox, self._actors, a, b, owner_columns, relaxed, is_closed(table), self._declared,
                table.oid in self._maker.signed_in,
            )  # fmt: skip
            with self._undone_afterwards():
                self._sandbox.mark()
                trial.inserts(owned)
            variants = self._variants(a)
            for public, given in variants.items():
                with self._undone_afterwards():
                    trial.a = self._insert_owner_row(table, given)
                    self._sandbox.mark()
                    what = "a public row" if public else "another user's row" if owned else "a row"
                    trial.reads(public, owned, what)
                    if public and len(variants) > 1:
                        trial.attack(what)
                    else:
                        trial.writes(owned, what)
                        if owned and not public and table.primary_key:
                            trial.loops()
            self.used |= trial.used
            if not trial.stopped:
                self._openings = self._try_openings(table, a, b)
        return trial

    def _try_openings(self, table: ProbedTable, a: SampleRow, b: SampleRow) -> Openings:
        """Try rows with other values. Neither a nor b is there."""
        views = {view: self._public.get(view.label) for view in self._catalog.views
                 if table.oid in view.tables and view.kind == "v"}  # fmt: skip
        if views:
            a = self._with_witness(a)
        own = self._ownerships[table.oid]
        names = self._identity(a, b)
        keys = [name for key in own.links for name in key.columns if name not in own.identity]
        same = [name for name in keys if a.values[name] is None or a.values[name] == b.values[name]]
        mine = names or [name for name in keys if name not in same]
        surroundings = Surroundings(
            self._sandbox, self._catalog, self._maker, self._ownerships, self._users, self._effects
        )
        trial = OpeningTrial(
            self._sandbox, self._catalog, self._reader, surroundings, self._actors.owner, self._actors.other,
            self._actors.anon, self._public.get(table.label), views,
        )  # fmt: skip
        with self._undone_afterwards():
            if (membership_table := self._maker.membership_tables.get(table.oid)) and table.primary_key:
                with suppress(RowNotMade):
                    self._maker.row(membership_table, a.user)
            found = trial.run(a, frozenset(names), {n: a.values[n] for n in mine}, {n: b.values[n] for n in mine})
        if names and all(ownership.is_assigned(table, name, "UPDATE", bool(own.links)) for name in names):
            found.leaks = [one for one in found.leaks if one.who != "owner"]
        allowed = {one: self._allowed(one) for one in found.leaks}
        self.used |= {declaration for declaration in allowed.values() if declaration}
        found.declared = any(allowed.values())
        found.leaks = [one for one in found.leaks if not allowed[one]]
        self.shown += found.shown
        return found

    def _allowed(self, finding: Finding) -> Declaration | None:
        """What declares that another user's row may be written so."""
        allow = finding.allow
        if allow is None or allow.kind != "shared":
            return None
        found = (one for one in self._declared.all if one.kind == "shared" and one.name == allow.name)
        return next((one for one in found if one.what == allow.what), None)

    def _with_witness(self, a: SampleRow) -> SampleRow:
        """The row with a text in its empty columns by which it is known wherever it is shown."""
        texts = {c.name: f"promthctl {a.user[:8]} {c.name}" for c in a.table.columns
                 if a.values[c.name] is None and c.type.name == "text" and not c.generated}  # fmt: skip
        try:
            with self._undone_afterwards():
                return self._maker.insert(a.table, a.user, {**a.given, **texts})
        except (psycopg.Error, RowNotMade):
            return a

    def _remove(self, *rows: SampleRow) -> None:
        """Delete rows that the made users have already, so that everyone starts without any."""
        for row in rows:
            for _ in range(_REMOVALS):
                try:
                    self._sandbox.run(sql.SQL("delete from {} where {}").format(row.table.identifier, row.where))
                    break
                except psycopg.errors.ForeignKeyViolation as error:
                    if not self._remove_below(row, error.diag.constraint_name):
                        raise RowNotMade(f"a row that is there already cannot be removed: {error}") from error
                except psycopg.Error as error:
                    raise RowNotMade(f"a row that is there already cannot be removed: {error}") from error
            self._maker.present.pop((row.table.oid, row.user), None)

    def _remove_below(self, row: SampleRow, constraint: str | None) -> bool:
        """Delete what a trigger made that refers to the row by that foreign key; whether anything was."""
        for table in self._catalog.tables.values():
            for key in table.foreign_keys:
                if key.name == constraint and key.target == row.table.oid:
                    values = {n: row.values[t] for n, t in zip(key.columns, key.target_columns, strict=True)}
                    where = sql.SQL("delete from {} where {} returning 1").format(
                        table.identifier, matching(table, values)
                    )
                    with suppress(psycopg.Error):
                        return bool(self._sandbox.run(where))
        return False

    def _insert_owner_row(self, table: ProbedTable, given: Values) -> SampleRow:
        """Insert the owner's row, and the membership that makes it theirs. Raises RowNotMade."""
        user = self._users[0]
        try:
            row = self._maker.insert(table, user, given)
            self._maker.present[table.oid, user] = row
            if membership_table := self._maker.membership_tables.get(table.oid):
                self._maker.row(membership_table, user)
                row = self._maker.reread(row)
        except psycopg.Error as error:
            raise RowNotMade(str(error).partition("\n")[0]) from error
        return row

    def _owner_columns(self, a: SampleRow, b: SampleRow) -> list[OwnerColumns]:
        """The columns that make row a the owner's and row b the other user's."""
        own = self._ownerships[a.table.oid]
        names = self._identity(a, b)
        owner_columns = []
        self._untried: list[str] = []
        if names:
            assigned, handed_on = (
                all(ownership.is_assigned(a.table, name, verb, bool(own.links)) for name in names)
                and bool(a.table.policies)
                for verb in ("INSERT", "UPDATE")
            )
            mine, theirs = ({name: row.values[name] for name in names} for row in (a, b))
            owner_columns.append(OwnerColumns(", ".join(names), mine, theirs, assigned=assigned, handed_on=handed_on))
        for key in own.links:
            columns = [name for name in key.columns if name not in own.identity]
            held = [(a.values[name], b.values[name]) for name in columns]
            if not columns or self._open_parent(key.target):
                continue
            if any(None in pair or pair[0] == pair[1] for pair in held):
                self._untried.append(", ".join(columns))
                continue
            parent = self._maker.present.get((key.target, self._users[0]))
            mine, theirs = ({n: row.values[n] for n in columns} for row in (a, b))
            owner_columns.append(OwnerColumns(", ".join(columns), mine, theirs, parent))
        return owner_columns

    def _identity(self, a: SampleRow, b: SampleRow) -> list[str]:
        """The columns with users' ids by which row a is the owner's and row b the other's; none if they are not."""
        identity = self._ownerships[a.table.oid].identity
        names = [name for name in identity if a.values[name] == a.user and b.values[name] == b.user]
        if not names and all(row.user in (row.values[name] for name in identity) for row in (a, b)):
            return list(identity)  # a check puts them in an order, as in pairs of friends
        return names

    def _open_parent(self, oid: int) -> bool:
        """Whether the owner's row of that table is public, so that anyone may refer to it."""
        table = self._catalog.tables[oid]
        row = self._maker.present.get((oid, self._users[0]))
        return row is not None and self._meets(row, self._public.get(table.label))

    def _meets(self, row: SampleRow, condition: str | None) -> bool:
        """Whether the condition, if any, is true of the row. Raises RowNotMade where it cannot be evaluated."""
        if condition is None:
            return False
        statement = sql.SQL("select ({}) is true from {} where {}").format(
            sql.SQL(condition),
            row.table.identifier,
            row.where,
        )
        try:
            return bool(self._sandbox.run_one(statement)[0][0])
        except psycopg.Error as error:
            raise RowNotMade(f"the condition that declares it public cannot be evaluated: {error}") from error

    def _variants(self, a: SampleRow) -> dict[bool, Values]:
        """What to give a row that is private (False) and, where the table has any, one that is public (True)."""
        condition = self._public.get(a.table.label)
        if condition is None:
            return {False: a.given}
        free = [
            c for c in a.table.columns if c.name in condition and not c.generated and c.name not in a.table.primary_key
        ]
        options: list[list[str | None]] = [
            [a.values[c.name], *candidate_values(c, (condition,), "abcdef0123456789"), *([] if c.not_null else [None])]
            for c in free
        ]
        found: dict[bool, Values] = {}
        for chosen in nearest_combinations(options, _VARIANTS):
            given = {**a.given, **dict(zip((c.name for c in free), chosen, strict=True))}
            with self._undone_afterwards():
                try:
                    row = self._maker.insert(a.table, a.user, given)
                except (RowNotMade, psycopg.Error):
                    continue
                found.setdefault(self._meets(row, condition), given)
            if len(found) == 2:
                break
        if True not in found:
            raise RowNotMade(f"none was found that is public: {condition}")
        return dict(sorted(found.items()))


def _parents_first(catalog: ProbedCatalog) -> list[ProbedTable]:
    ordered: dict[int, ProbedTable] = {}
    visited: set[int] = set()

    def visit(table: ProbedTable) -> None:
        if table.oid not in visited:
            visited.add(table.oid)
            for key in table.foreign_keys:
                if key.target in catalog.tables:
                    visit(catalog.tables[key.target])
            ordered[table.oid] = table

    for table in catalog.exposed:
        visit(table)
    return list(ordered.values())
