"""Who tries the made rows, with what claims, and with which statements."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import sql

from promthctl.isolation import patterns
from promthctl.isolation.policy_reading import Claim
from promthctl.isolation.sample_row import HERE, SampleRow, Values, assignments, literal, matching
from promthctl.isolation.sandbox import Actor, Sandbox, settings_of
from promthctl.isolation.tables import ProbedTable, ProbedView
from promthctl.isolation.trial_matrix import Caller, Probe
from promthctl.isolation.variations import Part

_MOST = 8  # ways to fill in claims
# Claims that people decide themselves, or get by signing up: https://supabase.com/docs/guides/auth/jwt-fields
_SELF_SET = {"user_metadata", "aal", "is_anonymous", "email", "phone"}
CLAIMS = "request.jwt.claims"
_HERE = sql.SQL(HERE)


def with_claims(actor: Actor, claims: Iterable[Claim], row: SampleRow, trusted: bool) -> Iterator[tuple[str, Actor]]:
    """The actor with what policies ask of claims filled in, and in words how; each claim alone, then all together.

    trusted: also the claims that only the project can set. A claim compared with a column gets the row's value of it.
    """
    choices: list[list[tuple[Claim, Any]]] = []
    for claim in dict.fromkeys(claims):
        if not claim.path or (claim.path[0] in ("sub", "role", "aud") and claim.setting == CLAIMS):
            continue
        own_words = claim.setting != CLAIMS or claim.path[0] in _SELF_SET
        if not (trusted or own_words):
            continue
        texts = claim.values
        if claim.path[0] == "email" and not trusted:  # an address is confirmed: nobody has another's, but one like it
            texts = tuple(text if "@" in text else f"%@{text}" for text in texts if "%" in text or "@" not in text)
            if not texts:
                continue
        values: list[Any] = [patterns.text_like(text.replace("%", "somebody")) for text in texts]
        if claim.setting == CLAIMS:
            values += [row.values[name] for oid, name in claim.columns if oid == row.table.oid and row.values.get(name)]
        values += [] if claim.values else [True]
        choices.append([(claim, value) for value in dict.fromkeys(map(_typed, values))])
    single = [(choice,) for each in choices for choice in each]
    together = list(itertools.islice(itertools.product(*choices), 3)) if len(choices) > 1 else []
    for chosen in (single + together)[:_MOST]:
        yield _told(chosen), _saying(actor, chosen)


def _typed(value: Any) -> Any:
    return True if value == "true" else value


def _told(chosen: Sequence[tuple[Claim, Any]]) -> str:
    names = {CLAIMS: "their token's"}
    return " and ".join(f"{names.get(c.setting, c.setting)} {'.'.join(c.path)} is {value}" for c, value in chosen)


def _saying(actor: Actor, chosen: Sequence[tuple[Claim, Any]]) -> Actor:
    import json

    said: dict[str, Any] = {"app_metadata": {"provider": "email"}, "user_metadata": {}}
    settings: dict[str, dict[str, Any]] = {}
    for claim, value in chosen:
        inner = said if claim.setting == CLAIMS else settings.setdefault(claim.setting, {})
        for key in claim.path[:-1]:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        inner[claim.path[-1]] = value
    return replace(actor, said=said, settings={name: json.dumps(value) for name, value in settings.items()})


class CallerMaker:
    """Makes the callers for one table. mine, theirs: the values that make a row the owner's, or the other user's."""

    def __init__(
        self,
        sandbox: Sandbox,
        a: SampleRow,
        parts: Sequence[Part],
        mine: Values,
        theirs: Values,
        views: Mapping[ProbedView, str | None],
        untouched: Sequence[str],
    ) -> None:
        self._sandbox, self._a, self._parts, self._views = sandbox, a, parts, views
        self._table: ProbedTable = a.table
        self._mine, self._theirs, self._untouched = mine, theirs, untouched

    def caller(self, actor: Actor, attacks: bool) -> Caller:
        """attacks: tries everything; otherwise only reading."""
        row_type = self._table.identifier
        questions = {
            number: self._text(
                sql.SQL("select {} from jsonb_populate_record(null::{}, $1) as {}").format(
                    sql.SQL("({})").format(sql.SQL(part.alternative.text)), row_type, sql.Identifier(self._table.name)
                )
            )
            for number, part in enumerate(self._parts)
            if part.policy and actor.role in part.policy.roles
        }
        probes = [*self._select(actor.role), *(self._attacks(actor.role) if attacks else ())]
        before = self._key_made_readable(actor.role)
        return Caller(actor.name, actor.role, dict(settings_of(actor)), probes, questions, before)

    def _select(self, role: str) -> Iterator[Probe]:
        table, columns = self._table, self._table.rights.get((role, "SELECT"), frozenset())
        if (role, "SELECT") in table.whole:
            yield Probe("select", self._text(sql.SQL("select 1 from {} where {}").format(table.identifier, _HERE)))
        elif columns and table.primary_key:
            yield Probe("select", self._text(
                sql.SQL("select {} from {} where {}").format(
                    sql.Identifier(min(columns)), table.identifier, self._keyed)))  # fmt: skip
        witnesses = [value for value in self._witnesses() if value]
        for view, condition in self._views.items():
            if role not in view.roles or not witnesses:
                continue
            shows = sql.SQL(" or ").join(
                sql.SQL("position({} in shown::text) > 0").format(value) for value in witnesses
            )
            beyond = sql.SQL(" and ({}) is not true").format(sql.SQL(condition)) if condition else sql.SQL("")
            yield Probe(f"view {view.label}", self._text(
                sql.SQL("select 1 from {} shown where ({}){} limit 1").format(
                    sql.Identifier(view.schema, view.name), shows, beyond)))  # fmt: skip

    def _witnesses(self) -> Iterator[str]:
        """Values by which the row is known wherever it is shown."""
        for name, value in self._a.values.items():
            if (
                value
                and len(value) >= 12
                and (name in self._table.primary_key or name in self._mine or "promthctl" in value)
            ):
                yield value
        yield self._a.user

    def _attacks(self, role: str) -> Iterator[Probe]:
        table = self._table
        if table.may(role, "UPDATE"):
            allowed = table.rights.get((role, "UPDATE"), frozenset())
            name = next((name for name in self._untouched if name in allowed), None)
            if name:
                yield self._write("update", sql.SQL("update {} set {}").format(
                    table.identifier, assignments(table, {name: self._a.values[name]})))  # fmt: skip
            if self._theirs and set(self._theirs) <= allowed:
                keyed = not set(self._theirs) & {*table.primary_key} and bool(table.primary_key)
                seen = sql.SQL("select 1 from {} where {}").format(
                    table.identifier, sql.SQL(" and ").join([self._keyed, matching(table, self._theirs)])
                )  # fmt: skip
                move = sql.SQL("update {} set {}").format(table.identifier, assignments(table, self._theirs))
                yield self._write("move", move, self._text(seen) if keyed else None)
        if table.may(role, "DELETE"):
            yield self._write("delete", sql.SQL("delete from {}").format(table.identifier))

    def _write(self, verb: str, statement: sql.Composed, seen: str | None = None) -> Probe:
        return Probe(
            verb,
            self._text(sql.SQL("{} where {}").format(statement, _HERE)),
            self._text(sql.SQL("{} where current of promthctl_made").format(statement)),
            seen,
        )

    @property
    def _keyed(self) -> sql.Composable:
        return matching(self._table, {name: self._a.values[name] for name in self._table.primary_key})

    def _key_made_readable(self, role: str) -> list[str]:
        columns = self._table.rights.get((role, "SELECT"), frozenset())
        hidden = [sql.Identifier(name) for name in self._table.primary_key if name not in columns]
        if not columns or not hidden:
            return []
        grant = sql.SQL("grant select ({}) on {} to {}")
        return [self._text(grant.format(sql.SQL(", ").join(hidden), self._table.identifier, sql.Identifier(role)))]

    def _text(self, statement: sql.Composable) -> str:
        return statement.as_string(self._sandbox.connection)


def row_condition(table: ProbedTable, values: Values) -> sql.Composable:
    """As `matching`, for values that may be null."""
    return sql.SQL(" and ").join(
        sql.SQL("{} is not distinct from {}").format(sql.Identifier(name), literal(table, name, value))
        for name, value in values.items()
    )
