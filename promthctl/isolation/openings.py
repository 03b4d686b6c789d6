"""Whether a row of one table can hold values, or rows beside it exist, that let in who must stay outside.

Every alternative of every policy gets rows for which it could be true; strangers try them all. Whatever they reach is
told with the policy, the alternative that let them in, and what in the row makes the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from promthctl.declarations import EVERYONE, SIGNED_IN, Declaration
from promthctl.isolation.callers import CallerMaker, with_claims
from promthctl.isolation.declared import why_unusable
from promthctl.isolation.findings import Finding
from promthctl.isolation.policy_reading import Claim, PolicyReader
from promthctl.isolation.sample_row import HERE, PLACE, SampleRow, Values, assignments, insertion, matching, returning
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.surroundings import Surroundings
from promthctl.isolation.tables import CLIENT_ROLES, ProbedCatalog, ProbedView
from promthctl.isolation.trial_matrix import Caller, Result, Trial, TrialMatrix, Variation, try_together, why_unfinished
from promthctl.isolation.variations import Changes, Part, VariationMaker, parts_of, restrictions_of, several

_HERE = sql.SQL(HERE)
_PLACED = sql.SQL("select {} from {} where {}")
_WITH_CLAIMS = 24  # rows that are tried with claims filled in
_MAIL = ", if their token's email is "
_VERBS = {
    "select": "is read by {}",
    "insert": "is inserted by {}",
    "update": "is changed by {}",
    "delete": "is deleted by {}",
    "move": "is taken over by {}",
    "give": "can be put under another user's name by {}",
}
_WHO = {"anon": "anybody, signed in or not", "other": "another signed-in user", "owner": "its owner"}


@dataclass
class Openings:
    """leaks: what strangers reached. shown: the same through views. owner: the verbs that worked for the owner.

    roles: with which values, memberships or claims the owner reads a row. direct: the verbs whose policies name the
    owner by a column of the row, or of one that it refers to, and those for writing ask nothing else of the row.
    declared: what leaked is meant so. met: strangers read what is declared public. hidden: no policy lets users read.
    parts: how many ways in were tried. seen: adding a row is more than that: strangers reach rows otherwise, or rows
    are for whom a column of theirs names. unsettled: alternatives that no row made true although they ask nothing
    about the caller. stopped: why not everything was tried. explained: (role, verb) that the leaks tell of.
    """

    leaks: list[Finding] = field(default_factory=list)
    shown: list[Finding] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    owner: set[str] = field(default_factory=set)
    direct: set[str] = field(default_factory=set)
    declared: bool = False
    hidden: bool = False
    met: bool = False
    seen: bool = False
    parts: int = 0
    roles: dict[str, None] = field(default_factory=dict)
    stopped: str = ""
    explained: set[tuple[str, str]] = field(default_factory=set)


class OpeningTrial:
    """The trial of one table. mine, theirs: the values that make a row the owner's, or another's; empty without owner.

    public: the condition that is declared. views: those that show the table, with the conditions declared for them.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        catalog: ProbedCatalog,
        reader: PolicyReader,
        surroundings: Surroundings,
        owner: Actor,
        other: Actor,
        anon: Actor,
        public: str | None,
        views: Mapping[ProbedView, str | None],
    ) -> None:
        self._sandbox, self._catalog, self._surroundings, self._public = sandbox, catalog, surroundings, public
        self._owner, self._other, self._anon, self._views = owner, other, anon, views
        self._reader = reader

    def begin(self, a: SampleRow, identity: frozenset[str], mine: Values, theirs: Values) -> Trial | None:
        """What is to be tried, while neither the owner's row nor the other's is there; None where that cannot be said.

        Raises psycopg.Error if the connection breaks.
        """
        self._a, self._table, self._mine, self._theirs = a, a.table, mine, theirs
        self._identity = identity
        self._found = Openings()
        self._parts = parts_of(self._table, tuple(self._views), self._reader)
        self._found.parts = len(self._parts)
        self._true: set[int] = set()
        self._results: list[Result] = []
        self._restrictions = restrictions_of(self._table, self._reader)
        try:
            return self._trial()
        except psycopg.Error as error:
            self._stop(error)
            return None

    def finish(self, tried: Trial | None) -> Openings:
        """What it amounts to, after also trying with rows that are looked up; it expects the state of `begin`."""
        if tried is not None:
            self._take(tried)
        if tried is not None and not self._found.stopped:
            tables = {oid: None for part in self._parts for oid in part.reading.tables} | self._restrictions.tables
            try:
                with self._surroundings.made(self._table, self._a, tuple(tables), self._parts) as made:
                    if made:
                        again = self._trial()
                        try_together(self._sandbox, [again])
                        self._take(again)
            except psycopg.Error as error:
                self._stop(error)
        self._tell()
        return self._found

    def _take(self, tried: Trial) -> None:
        self._results += tried.results
        self._found.stopped = self._found.stopped or tried.unfinished

    def _stop(self, error: psycopg.Error) -> None:
        """Nothing more is tried."""
        if self._sandbox.connection.broken:
            raise error
        self._found.stopped = why_unfinished(error)

    def _trial(self) -> Trial:
        """With the rows that are there now."""
        settable = self._surroundings.settable(self._table, self._a)
        maker = VariationMaker(self._sandbox, self._catalog, self._a, self._other, self._identity)
        changes = maker.changes(self._parts, self._restrictions, frozenset(settable))
        standing = self._surroundings.standing(self._table, self._a)
        callers = self._callers()
        matrix = self._matrix(callers)
        plain = [number for number, caller in enumerate(callers) if "," not in caller.name]
        variations = [self._variation(one, settable, standing, plain if place >= _WITH_CLAIMS else None)
                      for place, one in enumerate(changes)]  # fmt: skip
        strangers = [number for number in plain if callers[number].name == "other"]
        for told, before, acts in self._surroundings.self_made(self._table, self._a, self._parts, self._other):
            base = self._variation((), settable, standing, strangers)
            variations.append(
                Variation(told, base.make, (*base.before, *before), acts, callers=tuple(strangers))
            )  # fmt: skip
        if not standing:
            owner = next(number for number, caller in enumerate(callers) if caller.name == "owner")
            variations += self._gifts(changes, (owner,))
        return Trial(matrix, variations)

    def _gifts(self, changes: Iterable[Changes], owner: tuple[int, ...]) -> Iterator[Variation]:
        """The owner gives the row to somebody else, with other values in it."""
        open_checks = [part for part in self._parts if part.serves("give") and part.alternative.kind != "bond"]
        columns = {column for part in open_checks for column in part.reading.columns}
        if not (open_checks and self._theirs and self._table.primary_key) or set(self._theirs) & {
            *self._table.primary_key
        }:
            return
        theirs = sql.SQL("{} and {}").format(self._a.keyed, matching(self._table, self._theirs))
        place = _PLACED.format(PLACE, self._table.identifier, theirs)
        for each in changes:
            if {column for column, _ in each} <= columns and all(oid == self._table.oid for (oid, _), _ in each):
                values = {**{name: value for (_, name), value in each}, **self._theirs}
                # Without a condition, which would need the new row to be readable.
                act = sql.SQL("update {} set {} where current of promthctl_made").format(
                    self._table.identifier, assignments(self._table, values)
                )
                row = sql.SQL("select * from {} where {}").format(self._table.identifier, self._a.keyed)
                made = self._text(insertion(self._table, self._a.given))
                before = (*self._surroundings.signing_in(self._table, self._a.user), made)
                yield Variation(self._told(each), self._text(place), before, (self._text(act),), {}, owner, "give",
                                self._text(row))  # fmt: skip

    def _callers(self) -> list[Caller]:
        touched = {name for part in self._parts for oid, name in part.reading.columns if oid == self._table.oid}
        keys = {*self._mine, *self._table.primary_key, *(n for key in self._table.foreign_keys for n in key.columns)}
        names = [c.name for c in self._table.columns if not c.generated and c.identity != "a" and c.name not in keys]
        untouched = [*(name for name in names if name not in touched), *names, *keys]
        maker = CallerMaker(
            self._sandbox, self._a, self._parts, self._mine, self._theirs, self._views,
            [name for name in untouched if not self._table.column[name].generated],
        )  # fmt: skip
        claims: list[Claim] = [claim for part in self._parts for claim in part.reading.claims]
        found = [maker.caller(self._anon, True), maker.caller(self._other, True), maker.caller(self._owner, True)]
        for told, actor in with_claims(self._other, claims, self._a, False):
            found.append(replace(maker.caller(actor, True), name=f"other, if {told}"))
        for told, actor in with_claims(self._owner, claims, self._a, True):
            found.append(replace(maker.caller(actor, True), name=f"owner, if {told}"))
        return found

    def _matrix(self, callers: Sequence[Caller]) -> TrialMatrix:
        name = self._table.identifier
        forged = None
        if self._mine and self._table.primary_key:
            key = {column: self._a.values[column] for column in self._table.primary_key}
            forged = sql.SQL("select 1 from {} where {}").format(name, matching(self._table, {**key, **self._mine}))
        public = (
            sql.SQL("select ({}) is true from {} where {}").format(sql.SQL(self._public), name, _HERE)
            if self._public
            else None
        )
        return TrialMatrix(
            callers,
            self._text(sql.SQL("select to_jsonb(promthctl_row) from {} promthctl_row where {}").format(name, _HERE)),
            self._text(sql.SQL("select * from {} where {}").format(name, _HERE)),
            self._sandbox.own_role,
            returning(self._table)[1],
            self._text(public) if public else None,
            self._text(forged) if forged else None,
        )

    def _variation(
        self,
        changes: Changes,
        settable: Mapping[int, Sequence[SampleRow]],
        standing: bool,
        callers: Sequence[int] | None,
    ) -> Variation:
        own: dict[str, str | None] = {}
        before = self._surroundings.signing_in(self._table, self._a.user)
        for oid, values in several(changes):
            if oid == self._table.oid:
                own = values
                continue
            for row in settable[oid]:
                statement = sql.SQL("update {} set {} where {}").format(
                    row.table.identifier, assignments(row.table, values), row.keyed
                )
                before.append(self._text(statement))
        place, _ = returning(self._table)
        given = {**self._a.given, **own}
        forged: dict[str, str] = {}
        if standing:
            values = own or {self._table.primary_key[0]: self._a.values[self._table.primary_key[0]]}
            make = sql.SQL("update {} set {} where {}").format(
                self._table.identifier, assignments(self._table, values), self._a.keyed) + place  # fmt: skip
            if not own:
                make = _PLACED.format(PLACE, self._table.identifier, self._a.keyed)
        else:
            make = insertion(self._table, given) + place
            forged = {role: self._text(insertion(self._table, self._allowed(role, given)))
                      for role in CLIENT_ROLES if self._table.may(role, "INSERT")}  # fmt: skip
        return Variation(self._told(changes), self._text(make), before, forged=forged,
                         callers=None if callers is None else tuple(callers))  # fmt: skip

    def _allowed(self, role: str, given: Values) -> Values:
        columns = self._table.rights.get((role, "INSERT"), frozenset())
        if (role, "INSERT") in self._table.whole:
            return given
        return {n: v for n, v in given.items() if n in columns or self._table.column[n].required}

    def _told(self, changes: Changes) -> str:
        parts = []
        for (oid, name), value in changes:
            table = self._catalog.tables[oid]
            column = name if oid == self._table.oid else f"{table.label}.{name}"
            kind = table.column[name].type
            bare = kind.name == "bool" or (value or "").lstrip("-").replace(".", "", 1).isdigit()
            parts.append(f"{column} is null" if value is None else f"{column} = {value}" if bare
                         else f"{column} = '{_short(value)}'")  # fmt: skip
        return " and ".join(parts)

    # What the results amount to --------------------------------------------------------------------------------------

    def _tell(self) -> None:
        self._found.seen = any(part.view or self._names_caller(part) for part in self._parts)
        hits: dict[tuple[str, int], list[Result]] = {}
        mailed: dict[int, str] = {}
        for result in self._results:
            self._true |= result.holds
            who = result.caller.name.partition(",")[0]
            if "give" in result.hits:
                hits.setdefault(("give", self._cause(result, "give")), []).append(result)
            elif who == "owner":
                self._found.owner |= result.hits
                if "select" in result.hits:
                    told = " and ".join(filter(None, (result.variation.told, result.caller.name.partition(", if ")[2])))
                    self._found.roles.setdefault(told)
            if who != "owner" and _MAIL in result.caller.name and result.hits:
                mailed.setdefault(self._cause(result, min(result.hits)), result.caller.name.partition(_MAIL)[2])
                continue
            self._found.seen |= who != "owner" and bool(result.hits - {"insert"})
            for verb in sorted(result.hits) if who != "owner" else ():
                if verb == "select" and result.met:
                    self._found.met = True
                    continue
                if verb.startswith("view ") and "select" in result.hits:
                    continue
                hits.setdefault((verb, self._cause(result, verb)), []).append(result)
        plain: dict[str, None] = {}
        for verb, number in sorted(hits):
            if verb == "select" and number >= 0 and self._parts[number].alternative.kind == "plain":
                plain.setdefault(self._parts[number].alternative.condition)
        for (verb, number), results in sorted(hits.items()):
            if number < 0 and any(cause >= 0 for other, cause in hits if other == verb):
                continue  # told with its policy already
            target = self._found.shown if verb.startswith("view ") else self._found.leaks
            target.append(self._finding(verb, number, results, plain))
            self._found.explained |= {(each.caller.name.partition(",")[0], verb) for each in results}
        self._found.unsettled = [*self._by_mail(mailed), *self._unsettled()]
        readable = [part for part in self._parts if part.serves("select") and part.policy
                    and "authenticated" in part.policy.roles]  # fmt: skip
        above = {key.target for key in self._table.foreign_keys}
        self._found.direct = {
            verb
            for part in self._parts
            for verb in ("select", "insert", "update", "delete")
            if part.serves(verb) and part.alternative.kind == "bond" and part.policy
            and (verb == "select" or part.alternative.condition == "true")
            and "authenticated" in part.policy.roles and (any(oid in above for oid, _ in part.reading.callers)
                 or any((self._table.oid, name) in part.reading.named for name in self._identity))
        }  # fmt: skip
        for_server = all("service_role" in part.alternative.text for part in readable)
        self._found.hidden = for_server and not (self._found.direct & {"update", "delete"} and not readable)

    def _names_caller(self, part: Part) -> bool:
        """Whether those who reach a row that is there are known by a column of it."""
        claimed = (column for claim in part.reading.claims for column in claim.columns)
        return not part.for_new_rows and any(oid == self._table.oid for oid, _ in (*part.reading.callers, *claimed))

    def _cause(self, result: Result, verb: str) -> int:
        """The number of the alternative that let the caller in, -1 for none that is known."""
        asked = [n for n in sorted(result.holds) if self._parts[n].serves("insert" if verb == "insert" else verb)]
        kinds = ("plain", "claims", "bond")
        return min(asked, key=lambda n: kinds.index(self._parts[n].alternative.kind), default=-1)

    def _finding(self, verb: str, number: int, results: Sequence[Result], plain: Iterable[str]) -> Finding:
        first = min(results, key=lambda one: one.effort)
        callers = {each.caller.name for each in results}
        who = "owner" if verb == "give" else "anon" if "anon" in callers else "other"
        claim = first.caller.name.partition(", ")[2]
        row = " and ".join(filter(None, (first.variation.told, claim)))
        allow: Declaration | None
        if verb.startswith("view "):
            label = verb.removeprefix("view ")
            allow = Declaration("public", label, "true")
            what = f"it shows {self._table.label}'s rows to {_WHO[who]}"
            return Finding("leak", label, what, who, row=row, allow=allow,
                           fix=f"alter view {label} set (security_invoker = true);")  # fmt: skip
        part = self._parts[number] if number >= 0 else None
        nobody = not self._mine
        what = ("a row " if nobody else "another user's row ") + _VERBS[verb].format(_WHO[who])
        if verb == "insert":
            what = ("a row " if nobody else "a row in another user's name ") + f"is inserted by {_WHO[who]}"
        crowd = EVERYONE if who == "anon" else SIGNED_IN
        allow = None
        if verb == "select" and part and part.alternative.kind == "plain":
            conditions = dict.fromkeys([*([self._public] if self._public else []), *plain])
            condition = "true" if "true" in conditions else " or ".join(
                f"({each})" if len(conditions) > 1 else each for each in conditions)  # fmt: skip
            if not why_unusable(self._sandbox.connection, condition):
                allow = Declaration("public", self._table.label, condition)
        elif verb == "delete" or (nobody and verb in ("insert", "update")):
            allow = Declaration("shared", self._table.label, f"{verb}: {crowd}")
        elif verb in ("insert", "update", "move", "give"):
            command = "move" if verb == "give" else verb
            allow = Declaration("shared", self._table.label, f"{command}: another user's {', '.join(self._mine)}")
        return Finding("leak", self._table.label, what, who, part.policy.name if part and part.policy else "",
                       part.alternative.text if part else "", row, allow)  # fmt: skip

    def _by_mail(self, mailed: Mapping[int, str]) -> Iterator[str]:
        for number, address in mailed.items():
            policy = self._parts[number].policy if number >= 0 else None
            by = f" by policy {policy.name}: {self._parts[number].alternative.text}" if policy else ""
            yield f"whoever has an e-mail address such as {address} gets in{by}; who gets such an address was not tried"

    def _unsettled(self) -> Iterator[str]:
        for number, part in enumerate(self._parts):
            policy = part.policy
            if policy is None or part.alternative.kind == "bond" or number in self._true:
                continue
            commands = ("SELECT", "INSERT", "UPDATE", "DELETE") if policy.command == "ALL" else (policy.command,)
            if part.for_new_rows or not any(
                self._table.may(r, c) for r in policy.roles & {*CLIENT_ROLES} for c in commands
            ):
                continue
            yield (
                f"no row was found for which policy {policy.name} is true by `{part.alternative.text}`, "
                "so who reaches such a row was not tried"
            )

    def _text(self, statement: sql.Composable) -> str:
        return statement.as_string(self._sandbox.connection)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
