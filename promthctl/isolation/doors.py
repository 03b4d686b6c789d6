"""What an API role reaches by calling a function or reading a view although the policies of the tables hide it.

Functions and views that run with their owner's rights are tried as anon and as another signed-in user, with the
owner's rows there: a result that holds a value of a hidden row is a leak, and so is a row that is changed or gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from promthctl.declarations import Declaration, Declarations
from promthctl.isolation import door_trials as trials
from promthctl.isolation.batch import GUARDS, Trial, TrialResult, try_all
from promthctl.isolation.door_arguments import Known
from promthctl.isolation.door_texts import DoorText, decided_by, door_text, told, worlds
from promthctl.isolation.door_trials import DoorTrial
from promthctl.isolation.door_verdicts import (
    DoorKind,
    DoorProof,
    DoorState,
    Leak,
    changes_in,
    described,
    finding_of,
    refused,
    unproven,
)
from promthctl.isolation.findings import Finding
from promthctl.isolation.function_reading import ApiFunction, ApiView, read_functions, read_views
from promthctl.isolation.row_maker import RowMaker
from promthctl.isolation.sample_row import Values
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.side_effects import SideEffect, SideEffects, not_tried
from promthctl.isolation.tables import ProbedCatalog, ProbedTable
from promthctl.isolation.witnesses import Witnesses
from promthctl.schema.queries import MANAGED_SCHEMAS

if TYPE_CHECKING:
    from psycopg import Connection

_TIME_RAN_OUT = "the time ran out before it was tried"


@dataclass(frozen=True)
class DoorReport:
    """Every function and view that was looked at. used: declarations without which there would be a finding."""

    proofs: tuple[DoorProof, ...] = ()
    findings: tuple[Finding, ...] = ()
    used: frozenset[Declaration] = frozenset()


@dataclass(frozen=True)
class OpenDoor:
    """A function or view that runs with its owner's rights, or calls what does. effects: what it sets off."""

    what: ApiFunction | ApiView
    text: DoorText
    effects: tuple[SideEffect, ...]


def find_doors(connection: Connection[Any], schemas: Sequence[str], effects: SideEffects) -> Iterator[OpenDoor]:
    """Those of `schemas` that anon or authenticated may use. Raises psycopg.Error."""
    own = [schema for schema in schemas if schema not in MANAGED_SCHEMAS]
    for function in read_functions(connection, own):
        text = door_text(effects.graph.reached_by_call(function.oid))
        if text.opens or text.unread:
            yield OpenDoor(function, text, effects.of_call(function.oid, function.label))
    for view in read_views(connection, own):
        text = door_text(effects.graph.reached_from(view.oid, "r"))
        if text.opens:
            yield OpenDoor(view, text, effects.of_read(view.oid, view.label))


def effects_of_doors(connection: Connection[Any], schemas: Sequence[str], effects: SideEffects) -> list[SideEffect]:
    """What trying them sets off. Raises psycopg.Error."""
    return [effect for door in find_doors(connection, schemas, effects) for effect in door.effects]


@dataclass(eq=False)
class _Door:
    """A function or a view while it is tried. reason: why it was not tried."""

    what: ApiFunction | ApiView
    text: DoorText
    reason: str = ""
    leaks: list[Leak] = field(default_factory=list)
    results: list[TrialResult] = field(default_factory=list)

    @property
    def kind(self) -> DoorKind:
        if isinstance(self.what, ApiFunction):
            return "function"
        return "materialized view" if self.what.materialized else "view"

    @property
    def roles(self) -> tuple[str, ...]:
        return self.what.roles if isinstance(self.what, ApiFunction) else tuple(self.what.columns)


class DoorRun:
    """One run over the functions and views of `schemas`.

    users: the owner, an attacker and a third. effects: what calls set off; with `spare`, doors with lasting effects are
    not tried.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        catalog: ProbedCatalog,
        maker: RowMaker,
        users: Sequence[str],
        declared: Declarations,
        effects: SideEffects,
        schemas: Sequence[str],
        spare: bool = False,
    ) -> None:
        self._sandbox, self._catalog, self._declared, self._effects = sandbox, catalog, declared, effects
        self._schemas, self._connection = schemas, sandbox.connection
        self._spare, self._maker = spare, maker
        self._owner = Actor("owner", "authenticated", users[0])
        self._attackers = (Actor("anon", "anon"), Actor("other", "authenticated", users[1]))
        self._users = tuple(users)
        self._major = sandbox.connection.info.server_version // 10000

    def run(self, deadline: float) -> DoorReport:
        """Try them all; nothing stays. deadline: of time.monotonic(). Raises psycopg.Error on a broken connection."""
        doors = [
            _Door(one.what, one.text, self._untried(one))
            for one in find_doors(self._connection, self._schemas, self._effects)
        ]
        if not doors:
            return DoorReport()
        present = dict(self._maker.present)
        try:
            with self._sandbox.stage():
                self._try([door for door in doors if not door.reason], deadline)
        finally:
            self._maker.present = present
        report = [self._verdict(door) for door in doors]
        return DoorReport(
            tuple(proof for proof, _, _ in report),
            tuple(finding for _, finding, _ in report if finding),
            frozenset(used for _, _, used in report if used),
        )

    def _untried(self, door: OpenDoor) -> str:
        if self._spare and (reason := not_tried(door.effects)):
            return reason
        if isinstance(door.what, ApiFunction) and door.what.result == "refcursor":
            return "it returns a cursor, whose rows are not looked at"
        return ""

    # trying ----------------------------------------------------------------------------------------------------------

    def _try(self, doors: Sequence[_Door], deadline: float) -> None:
        texts = [door.text for door in doors]
        tables = list(self._tables(texts))
        self._rows = Witnesses(self._sandbox, self._maker, self._users)
        self._rows.make(tables, decided_by(texts, tables))
        self._rows.keep_secrets(dict.fromkeys(name for text in texts if text.reads_vault for name in text.secret_names))
        if metadata := trials.own_metadata(texts):
            self._sandbox.run(
                sql.SQL("update auth.users set raw_user_meta_data = {}::jsonb where id = {}::uuid returning 1").format(
                    metadata, self._users[1]
                )
            )
        self._rows.read_again()
        self._settled = self._can_settle()
        self._in_world({}, doors, deadline)
        groups: dict[str, list[_Door]] = {}
        for door in doors:
            for world in worlds(door.text, self._rows.rows):
                groups.setdefault(json.dumps(list(world.items())), []).append(door)
        for key, group in groups.items():
            left = [door for door in group if not any(leak.sure for leak in door.leaks)]
            world = dict(json.loads(key))
            if left:
                with self._sandbox.stage():
                    before = list(self._rows.rows)
                    if self._rows.change(world):
                        self._in_world(world, left, deadline)
                    self._rows.rows = before

    def _can_settle(self) -> bool:
        """Whether the made rows meet the deferred constraints; otherwise no call could be seen to."""
        try:
            self._sandbox.run(sql.SQL("set constraints all immediate; set constraints all deferred; select 1"))
        except psycopg.Error:
            if self._connection.broken:
                raise
            return False
        return True

    def _tables(self, texts: Sequence[DoorText]) -> Iterator[ProbedTable]:
        """The users, and the tables that some door names; all that have an owner where some cannot be read."""
        named = {oid for text in texts for oid in text.tables}
        unread = any(text.unread for text in texts)
        for table in sorted(self._catalog.tables.values(), key=lambda table: table is not self._catalog.users):
            wanted = table.oid in named or (unread and self._maker.ownerships[table.oid].known)
            theirs = table.extension or table.schema in MANAGED_SCHEMAS
            if table is self._catalog.users or (wanted and table.kind in "rp" and not (table.partition or theirs)):
                yield table

    def _in_world(self, world: Mapping[int, Values], doors: Sequence[_Door], deadline: float) -> None:
        """Try the doors with the rows as they are now: at first all rows are looked at, then those that doors reach."""
        every = not world or any(door.text.unread for door in doors)
        tables = None if every else {oid for door in doors for oid in door.text.tables}
        hidden = self._rows.hidden_from(self._attackers, tables)
        everything = self._rows.markers
        secret = {actor.name: some for actor, some in zip(self._attackers, hidden, strict=True)}
        special = told(world, self._rows.rows)
        for door in doors:
            if time.monotonic() > deadline:
                door.reason = door.reason or _TIME_RAN_OUT
                continue
            sent = list(self._trials(door, everything))
            reached = None if door.text.unread else door.text.tables
            query, watched = self._rows.change_query(reached), self._rows.of_tables(reached)
            results = list(try_all(self._sandbox, [one.trial for one in sent], query, self._settled, watched))
            door.results += results
            for one, result in zip(sent, results, strict=True):
                self._look(door, one, result, everything, secret[one.actor.name], special)

    def _trials(self, door: _Door, markers: Sequence[str]) -> Iterator[DoorTrial]:
        actors = [actor for actor in self._attackers if actor.role in door.roles]
        if isinstance(door.what, ApiFunction):
            rows = sorted(self._rows.rows, key=lambda witness: witness.table.oid not in door.text.tables)
            constants, keys = door.text.constants
            known = Known(
                rows, [*door.text.secret_names, *constants], keys, self._users[0], self._users[1], door.text.unread
            )
            yield from trials.function_trials(door.what, door.text, known, actors, markers)
        elif door.what.materialized:
            own = Actor("own", self._sandbox.own_role)
            for actor in actors:
                if trial := trials.copy_trial(door.what, actor, own, markers):
                    yield trial
        else:
            condition = self._declared.conditions.get(door.what.label)
            yield from trials.view_trials(door.what, condition, actors, markers)
            yield from trials.write_trials(door.what, actors, markers)

    def _look(
        self, door: _Door, one: DoorTrial, result: TrialResult, markers: Sequence[str], hidden: set[str], special: str
    ) -> None:
        """Whether a trial reached something. hidden: the markers that the policies hide from who tries."""
        who = one.actor.name
        if one.verb != "select":
            if result.found not in (None, "0") and not self._may(one, result):
                verb = "updates" if one.verb == "update" else "deletes"
                door.leaks.append(Leak(who, f"{verb} {self._tables_behind(door)}", "", special))
            return
        shown = [marker for marker in trials.seen(one, result, markers) if marker in hidden]
        if shown and not (trials.all_ids(shown) and trials.all_ids(one.given)):  # who knows an id learns another
            owned = [marker for marker in shown if self._rows.owned_by_somebody(marker)]
            labels = list(dict.fromkeys(label for marker in owned or shown for label in self._labels(door, marker)))
            what = f"reads {', '.join(labels[:4])}{' and more' if len(labels) > 4 else ''}"
            door.leaks.append(Leak(who, what, self._told(one), special, owned=bool(owned)))
        for change in changes_in(result.after):
            if change.place == GUARDS:
                door.leaks.append(Leak(who, described(change, self._rows), self._told(one), special))
                continue
            witness = self._rows.rows[change.place]
            if witness.owned and not self._may(one, result):
                public = not set(witness.markers.values()) & hidden
                moved = not change.columns or set(change.columns) & set(self._rows.identity(witness.table))
                sure = bool(moved) or not public or not door.text.asks
                door.leaks.append(Leak(who, described(change, self._rows), self._told(one), special, sure))

    def _tables_behind(self, door: _Door) -> str:
        labels = {each.table.label for each in self._rows.rows if each.table.oid in door.text.tables and each.owned}
        return ", ".join(sorted(labels)) or "rows"

    def _labels(self, door: _Door, marker: str) -> list[str]:
        """The columns that hold a marker, those of the tables that the door names before others."""
        labels = self._rows.labels(marker)
        named = {self._catalog.tables[oid].label for oid in door.text.tables if oid in self._catalog.tables}
        return [label for label in labels if label.rpartition(".")[0] in named][:1] or labels[:1]

    def _may(self, one: DoorTrial, result: TrialResult) -> bool:
        """Whether the policies let the actor change those rows without any door."""
        owned = [str(place) for place, witness in enumerate(self._rows.rows) if witness.owned]
        changes = json.loads(result.after or "{}") if one.verb == "select" else dict.fromkeys(owned, (None, None))
        direct = []
        for place in changes.keys() - {str(GUARDS)}:
            row = self._rows.rows[int(place)].row
            gone = one.verb == "delete" or (one.verb == "select" and changes[place][1] is None)
            column = next((name for name in row.values if name not in row.table.primary_key), next(iter(row.values)))
            verb = "delete from {0}" if gone else "update {0} set {1} = {1}"
            statement = sql.SQL(verb + " where {2} returning 'done'").format(
                row.table.identifier, sql.Identifier(column), row.keyed
            )
            direct.append(Trial(one.actor, statement.as_string(self._sandbox.connection), {}))
        return any(result.found for result in try_all(self._sandbox, direct))

    def _told(self, one: DoorTrial) -> str:
        """The arguments of a call in words that are the same in every run."""
        text = one.told
        for user, word in zip(self._users, ("the owner's user id", "their own user id"), strict=False):
            text = text.replace(f"'{user}'", word).replace(user, f"<{word}>")
        for witness in self._rows.rows:
            for name, value in witness.row.values.items():
                if value and len(value) > 3:
                    text = text.replace(f"'{value}'", f"the owner's {witness.table.label}.{name}")
        return text

    # judging ---------------------------------------------------------------------------------------------------------

    def _verdict(self, door: _Door) -> tuple[DoorProof, Finding | None, Declaration | None]:
        label = door.what.label
        declared = self._declaration(door.what)
        allow = self._allowing(door.what)
        if door.leaks:
            finding = finding_of(label, door.kind, door.leaks, self._fix(door), allow)
            state: DoorState = "declared" if declared else "leak" if finding.severity == "leak" else "not proven"
            return DoorProof(label, door.kind, state, finding.what), None if declared else finding, declared
        reason, how = self._doubt(door)
        if not reason:
            return DoorProof(label, door.kind, "proven", how), None, None
        if declared:
            return DoorProof(label, door.kind, "declared", reason), None, declared
        known = None if reason == _TIME_RAN_OUT else allow  # nobody knows whether it should be open
        return DoorProof(label, door.kind, "not proven", reason), unproven(label, reason, known), None

    def _doubt(self, door: _Door) -> tuple[str, str]:
        """Why a door without a leak is not proven, or how it is known to be sound."""
        if door.reason:
            return door.reason, ""
        if slow := next((one for one in door.results if one.slow), None):
            return f"it takes too long: {slow.message}", ""
        through = [one for one in door.results if not one.state]
        named = {self._catalog.tables[oid].label for oid in door.text.tables if oid in self._catalog.tables}
        missing = [name for name in self._rows.missing if name in named]
        if missing and through and not door.text.asks:
            return f"no row can be made for {missing[0]}: {self._rows.missing[missing[0]]}", ""
        if not isinstance(door.what, ApiFunction):
            failing = next((one for one in door.results if one.state and not refused(one.state)), None)
            return (f"it cannot be read: {failing.message}", "") if failing and not through else ("", "it shows none")
        if not through and not any(refused(one.state) for one in door.results):
            first = next(iter(door.results), None)
            return (f"no call of it goes through: {first.message}", "") if first else ("", "nobody may call it")
        if door.text.asks:
            return "", "it asks who calls"
        if not through:
            return "", "it refuses"
        if not named or not door.what.arguments or any(one.after or trials.shows_something(one) for one in through):
            return "", "it shows nothing that policies hide"
        return "no arguments were found for which it shows or changes anything, and it does not ask who calls", ""

    def _declaration(self, what: ApiFunction | ApiView) -> Declaration | None:
        wanted = self._allowing(what)
        return next((one for one in self._declared.all if (one.kind, one.name) == (wanted.kind, wanted.name)), None)

    def _allowing(self, what: ApiFunction | ApiView) -> Declaration:
        if isinstance(what, ApiFunction):
            return Declaration("open_functions", what.label.partition("(")[0])
        return Declaration("public", what.label, "true")

    def _fix(self, door: _Door) -> str:
        name = door.what.identifier.as_string(None)
        if isinstance(door.what, ApiFunction):
            return f"revoke execute on function {name}({door.what.signature}) from public, anon, authenticated;"
        if door.what.materialized or door.what.invoker or self._major < 15:
            return f"revoke all on {name} from public, anon, authenticated;"
        return f"alter view {name} set (security_invoker = true);"
