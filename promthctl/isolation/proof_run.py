"""The run of the isolation proof over all tables: who owns what, and which rows are there when what is tried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from promthctl.declarations import NOTHING_DECLARED, Declaration, Declarations
from promthctl.isolation import ownership
from promthctl.isolation.attempts import Actors, TableTrial
from promthctl.isolation.findings import Finding
from promthctl.isolation.openings import Openings, OpeningTrial
from promthctl.isolation.owner_rows import OwnerRows
from promthctl.isolation.policy_reading import PolicyReader
from promthctl.isolation.row_maker import RowMaker, RowNotMade
from promthctl.isolation.sample_row import SampleRow
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.scenes import play
from promthctl.isolation.side_effects import SideEffects, not_tried
from promthctl.isolation.surroundings import Surroundings
from promthctl.isolation.tables import ForeignKey, ProbedCatalog, ProbedTable
from promthctl.isolation.trial_matrix import Trial, try_together
from promthctl.isolation.verdicts import TableProof, is_closed, verdict
from promthctl.isolation.waves import waves


@dataclass(eq=False)
class _TableRun:
    """One table while it is tried. a, b: rows that it accepts, the owner's and the other user's. owned: by somebody.

    shared: the table of memberships that let others in. alone: what is tried needs rows that it does not make itself.
    standing: rows of its that are there. untried: columns. variants: the owner's row, by whether it is public.
    """

    table: ProbedTable
    a: SampleRow
    b: SampleRow
    owned: bool
    shared: ProbedTable | None
    alone: bool = False
    standing: Sequence[SampleRow] = ()
    untried: list[str] = field(default_factory=list)
    variants: Mapping[bool, SampleRow] = field(default_factory=dict)
    openings: Openings | None = None
    trial: TableTrial = field(init=False)


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
        self._find_groups()
        self._rows = OwnerRows(self._sandbox, self._catalog, self._maker, self._ownerships, self._public, self._users)
        for wave in waves(self._catalog, self._maker.membership_tables):
            yield from self._prove_wave([table for table in wave if table.exposed], deadline)

    def _prove_wave(self, tables: Sequence[ProbedTable], deadline: float) -> Iterator[TableProof]:
        """Tables none of which needs rows of another one: what is tried on them goes together."""
        proofs: dict[int, TableProof] = {}
        begun: list[_TableRun] = []
        self._ahead(tables, deadline)
        for table in tables:
            try:
                if proof := self._untried(table, deadline):
                    proofs[table.oid] = proof
                else:
                    begun.append(self._begin(table))
            except RowNotMade as error:
                proofs[table.oid] = self._failed(table, error)
            except _GivenAway as error:
                proofs[table.oid] = TableProof(table.label, "failed", str(error))
        self._maker.made_ahead.clear()  # they are not there
        self._try_rows(begun, proofs)
        self._try_openings([run for run in begun if run.table.oid not in proofs and not run.trial.stopped])
        for run in begun:
            if run.table.oid not in proofs:
                self.used |= run.trial.used
                proofs[run.table.oid] = self._verdict(run)
        yield from (proofs[table.oid] for table in tables)

    def _ahead(self, tables: Sequence[ProbedTable], deadline: float) -> None:
        """Make what the tables' rows refer to, and find out what rows they accept, all in two messages."""
        wanted = [table for table in tables if self._untried(table, deadline) is None]
        above = {key.target for table in wanted for key in table.foreign_keys if key.target in self._catalog.tables}
        parents = [table for oid, table in self._catalog.tables.items() if oid in above]
        self._maker.make_ahead(parents, self._users, keep=True)
        self._maker.make_ahead(wanted, self._users, keep=False)

    def _untried(self, table: ProbedTable, deadline: float) -> TableProof | None:
        """The verdict on a table of which nothing is tried."""
        if time.monotonic() > deadline:
            return verdict(table, (), "the time ran out before it was tried", True, False)
        if table.kind == "f" or not any(table.may(*right) for right in table.rights):
            return verdict(table, (), "", True, False)
        if self._effects and (reason := not_tried(self._effects.of(table))):
            return verdict(table, (), reason, True, False)
        return None

    def _materialized(self) -> Iterator[Finding]:
        """Materialized views that clients may read: they hold what no policy guards, and no made row."""
        for view in self._catalog.views:
            guarded = [table for table in self._catalog.exposed if table.rls and table.oid in view.tables]
            if view.kind == "m" and guarded and view.label not in self._public:
                what = f"it has no policies, and holds rows of {guarded[0].label} as they were at its last refresh"
                who = "anon" if "anon" in view.roles else "other"
                yield Finding("not proven", view.label, what, who, allow=Declaration("public", view.label, "true"))

    def _find_groups(self) -> None:
        """Find the tables whose rows belong to groups: a policy looks up the caller in a table that refers to them."""
        looked_up: dict[int, None] = {}
        tied: set[tuple[int, str]] = set()  # columns that policies compare with one of the row they are about
        listed: set[tuple[int, str]] = set()  # columns that they compare with a constant, as a role's name
        for table in self._catalog.exposed:
            texts = (text for policy in table.policies for text in (policy.using, policy.check) if text)
            readings = [self._reader.read(text, table) for text in dict.fromkeys(texts)]
            tables = {oid for reading in readings for oid in reading.tables}
            looked_up |= {oid: None for reading in readings for oid, _ in reading.callers if oid in tables}
            pairs = [pair for reading in readings for one in reading.joins for pair in (one, one[::-1])]
            tied |= {one for one, (oid, _) in pairs if oid == table.oid}
            listed |= {
                column
                for reading in readings
                for column, found in reading.columns.items()
                if any(one.strings or one.numbers for one in found)
            }
        for oid in looked_up:
            membership_table = self._catalog.tables[oid]
            own = {*self._ownerships[oid].identity, *self._ownerships[oid].others}
            keys = [key for key in membership_table.foreign_keys if not set(key.columns) & own]
            # A key that no policy compares with its rows, beside one that is, leads to something else: a list of roles,
            # or the category of a parent row.
            compared = [key for key in keys if any((oid, name) in tied for name in key.columns)]
            is_parent = all((oid, name) in tied for name in membership_table.primary_key or ("",))
            untied = [key for key in keys if not self._is_list(membership_table, key, listed)]
            for key in compared or ([] if is_parent else untied):
                group = self._catalog.tables.get(key.target)
                if not group or group is self._catalog.users or group is membership_table:
                    continue
                if own and not self._ownerships[group.oid].identity and group.oid not in self._maker.membership_tables:
                    self._maker.membership_tables[group.oid] = membership_table
                    self._ownerships = ownership.with_group(self._ownerships, self._catalog, group.oid)
        self._maker.ownerships = self._ownerships

    @staticmethod
    def _is_list(table: ProbedTable, key: ForeignKey, listed: set[tuple[int, str]]) -> bool:
        """Whether policies name rows that the key refers to by constants, as 'admin' of a list of roles."""
        return all((table.oid, name) in listed and table.column[name].type.name != "uuid" for name in key.columns)

    def _failed(self, table: ProbedTable, error: RowNotMade) -> TableProof:
        owned = self._ownerships[table.oid].known or table.oid in self._maker.membership_tables
        return verdict(table, (), f"no row can be made: {error}", owned, table.label in self._public)

    def _verdict(self, run: _TableRun) -> TableProof:
        untried = f"not tried with another user's {', '.join(run.untried)}" if run.untried else ""
        declared = run.table.label in self._public
        reason = run.trial.stopped or untried
        proof = verdict(run.table, tuple(run.trial.attempts), reason, run.owned, declared, run.openings)
        if run.shared and proof.state == "proven" and not proof.reason:
            let_in: dict[str, None] = run.openings.roles if run.openings else {}
            roles = [told for told in let_in if run.shared.label in told]
            as_whom = f" ({roles[0]})" if roles and "" not in let_in else ""
            note = f"shared through {run.shared.label}: members{as_whom} reach it, others do not"
            return replace(proof, reason=note)
        return proof

    def _begin(self, table: ProbedTable) -> _TableRun:
        """Find out which rows the table accepts. Raises RowNotMade, _GivenAway, psycopg.Error."""
        own, membership_table = self._ownerships[table.oid], self._maker.membership_tables.get(table.oid)
        membership_tables = (membership_table, *(self._maker.membership_tables.get(key.target) for key in own.links))
        for user in self._users:
            self._maker.parents(table, user)
        standing = [row for user in self._users if (row := self._maker.present.get((table.oid, user)))]
        with self._rows.undone_afterwards():
            a, b = (self._maker.row(table, user) for user in self._users)
        if own.identity and not self._rows.identity(a, b) and table.oid not in self._maker.signed_in:
            self._maker.sign_in(table)  # a trigger may have written who calls, which was nobody
            with self._rows.undone_afterwards():
                a, b = (self._maker.row(table, user) for user in self._users)
        shared = next((each for each in membership_tables if each), None)
        run = _TableRun(table, a, b, own.known or membership_table is not None, shared)
        run.alone = bool(standing or a.found or b.found or membership_table or table.oid in self._maker.signed_in)
        run.standing = standing
        if not run.alone:
            with self._rows.undone_afterwards():
                run.trial = self._trial(run)
                self._insert(run)
                for public, row in run.variants.items():
                    self._attack(run, public, row, made=True)
        return run

    def _trial(self, run: _TableRun) -> TableTrial:
        """Neither a nor b is there. Raises RowNotMade, _GivenAway."""
        owner_columns, run.untried = self._rows.owner_columns(run.a, run.b)
        if self._ownerships[run.table.oid].identity and not owner_columns:
            raise _GivenAway("a trigger gives a new row to someone other than the user it was made for")
        run.variants = self._rows.variants(run.a)
        return TableTrial(
            self._sandbox, self._actors, run.a, run.b, owner_columns, run.shared is not None, is_closed(run.table),
            self._declared, run.table.oid in self._maker.signed_in,
        )  # fmt: skip

    def _insert(self, run: _TableRun) -> None:
        run.trial.begin(run.a, made=False)
        run.trial.inserts(run.owned, group=run.owned and not self._ownerships[run.table.oid].known)

    def _attack(self, run: _TableRun, public: bool, row: SampleRow, made: bool) -> None:
        """What is tried where the owner's row is there. made: by the scene itself."""
        trial = run.trial
        trial.begin(row, made)
        what = "a public row" if public else "another user's row" if run.owned else "a row"
        trial.reads(public, run.owned, what)
        if public and len(run.variants) > 1:
            trial.attack(what)
        else:
            trial.writes(run.owned, what)
            if run.owned and not public and run.table.primary_key:
                trial.loops()

    def _try_rows(self, begun: Sequence[_TableRun], proofs: dict[int, TableProof]) -> None:
        """Play the scenes of all tables together, and those of some alone. Raises psycopg.Error."""
        becoming = self._actors.becoming
        together = [run for run in begun if not run.alone]
        played = iter(play(self._sandbox, becoming, [scene for run in together for scene in run.trial.scenes]))
        for run in together:
            results = [next(played) for _ in run.trial.scenes]
            slow = next((place for place, one in enumerate(results) if one.slow), len(results))
            del results[slow + 1 :]  # after an attempt that took too long nothing was tried
            if all(run.trial.faithful(place, one) for place, one in enumerate(results)):
                for place, one in enumerate(results):
                    run.trial.settle(place, one)
            else:
                run.alone = True  # its row is another one each time: it has to be looked at before
        for run in begun:
            if run.alone:
                try:
                    self._try_alone(run, becoming)
                except RowNotMade as error:
                    proofs[run.table.oid] = self._failed(run.table, error)
                except _GivenAway as error:
                    proofs[run.table.oid] = TableProof(run.table.label, "failed", str(error))

    def _try_alone(self, run: _TableRun, becoming: Mapping[str, Mapping[str, str]]) -> None:
        """The attempts on a table whose rows need more than an insert. Raises RowNotMade, _GivenAway, psycopg.Error."""
        with self._rows.undone_afterwards():
            self._rows.remove(*(row for row in (run.a, run.b) if row.found or row in run.standing))
            trial = run.trial = self._trial(run)
            self._insert(run)
            trial.settle(0, play(self._sandbox, becoming, trial.scenes)[0])
            for public, row in run.variants.items():
                if trial.stopped:
                    return
                with self._rows.undone_afterwards():
                    there = self._rows.insert_owner_row(run.table, row.given)
                    self._attack(run, public, there, made=False)
                    trial.settle(-1, play(self._sandbox, becoming, trial.scenes[-1:])[0])

    def _try_openings(self, runs: Sequence[_TableRun]) -> None:
        """Try rows with other values. Raises psycopg.Error if the connection breaks."""
        together = [(run, *self._opening(run)) for run in runs if not run.alone]
        try_together(self._sandbox, [tried for _, _, tried in together if tried])
        for run, opening, tried in together:
            self._judge(run, opening.finish(tried))
        for run in runs:
            if not run.alone:
                continue
            with self._rows.undone_afterwards():
                self._rows.remove(*(row for row in (run.a, run.b) if row.found or row in run.standing))
                if (membership_table := self._maker.membership_tables.get(run.table.oid)) and run.table.primary_key:
                    with suppress(RowNotMade):
                        self._maker.row(membership_table, run.a.user)
                opening, tried = self._opening(run)
                if tried:
                    try_together(self._sandbox, [tried])
                self._judge(run, opening.finish(tried))

    def _opening(self, run: _TableRun) -> tuple[OpeningTrial, Trial | None]:
        """Neither a nor b is there."""
        table, a, b = run.table, run.a, run.b
        views = {view: self._public.get(view.label) for view in self._catalog.views
                 if table.oid in view.tables and view.kind == "v"}  # fmt: skip
        if views:
            a = self._rows.with_witness(a)
        own = self._ownerships[table.oid]
        names = self._rows.identity(a, b)
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
        return trial, trial.begin(a, frozenset(names), {n: a.values[n] for n in mine}, {n: b.values[n] for n in mine})

    def _judge(self, run: _TableRun, found: Openings) -> None:
        """What of the openings is a finding."""
        names, own = self._rows.identity(run.a, run.b), self._ownerships[run.table.oid]
        if names and all(ownership.is_assigned(run.table, name, "UPDATE", bool(own.links)) for name in names):
            found.leaks = [one for one in found.leaks if one.who != "owner"]
        allowed = {one: self._allowed(one) for one in found.leaks}
        self.used |= {declaration for declaration in allowed.values() if declaration}
        found.declared = any(allowed.values())
        if found.met:
            self.used |= {one for one in self._declared.all if (one.kind, one.name) == ("public", run.table.label)}
        found.leaks = [one for one in found.leaks if not allowed[one]]
        self.shown += found.shown
        run.openings = found

    def _allowed(self, finding: Finding) -> Declaration | None:
        """What declares that rows of others may be reached so."""
        allow = finding.allow
        if allow is None:
            return None
        command = "select" if allow.kind == "public" else allow.what.partition(":")[0]
        exact = (one for one in self._declared.all if replace(one, reason="") == allow and one.kind == "shared")
        return next(exact, None) or self._declared.opened_to(allow.name, command, finding.who == "anon")
