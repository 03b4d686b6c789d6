"""What is tried on one table: who does what to whose row, what should happen, and what did.

An attacker's update and delete go through a cursor (`where current of`). Such a statement needs no right to read the
table, so only the policies of its own command are in its way. An update without any condition is like that too, but it
would touch everyone's rows; this one touches only the row that the cursor is on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from psycopg import errors, sql

from promthctl.declarations import NOTHING_DECLARED, Declaration, Declarations
from promthctl.isolation.outcomes import Attempt, Expected, RoleName, Verb, judge
from promthctl.isolation.sample_row import SampleRow, Values, assignments, insertion, matching
from promthctl.isolation.sandbox import Actor, Sandbox, StatementResult
from promthctl.isolation.tables import ProbedTable

_PRIVILEGES: dict[Verb, tuple[str, ...]] = {
    "select": ("SELECT",),
    "insert": ("INSERT",),
    "update": ("UPDATE",),
    "delete": ("DELETE",),
    "move": ("UPDATE",),
    "upsert": ("INSERT", "UPDATE", "SELECT"),
}
_CURSOR = sql.SQL("promthctl_row")


@dataclass(frozen=True)
class OwnerColumns:
    """Columns that together name an owner: user ids, or the key of a parent. mine, theirs: the owner's, the other's.

    parent: the owner's row that they refer to; None for user ids. assigned: users put in by whoever may insert the row,
    such as the members of a team, so that writing another's id is no forgery. handed_on: the same of updates.
    """

    name: str
    mine: Values
    theirs: Values
    parent: SampleRow | None = None
    assigned: bool = False
    handed_on: bool = False


@dataclass(frozen=True)
class Actors:
    """Everyone who tries; iterates in the order in which they try."""

    anon: Actor
    owner: Actor
    other: Actor
    service_role: Actor

    def __iter__(self) -> Iterator[Actor]:
        return iter((self.anon, self.owner, self.other, self.service_role))


class TableTrial:
    """The attempts on one table. a: the owner's row; b: the other user's, of which only the values are used.

    relaxed: what the owner may do beyond reading is not judged, because members of a group have different roles.
    closed: clients are not meant to reach the table, so the owner need not be able to read either.
    declared: what users may put into their own rows on purpose. signed_in: rows are made by signed-in users alone.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        actors: Actors,
        a: SampleRow,
        b: SampleRow,
        owner_columns: Sequence[OwnerColumns],
        relaxed: bool,
        closed: bool,
        declared: Declarations = NOTHING_DECLARED,
        signed_in: bool = False,
    ) -> None:
        self.signed_in = signed_in
        self.sandbox, self.actors, self.a, self.b = sandbox, actors, a, b
        self.table: ProbedTable = a.table
        self.owner_columns = owner_columns
        self.relaxed, self.closed = relaxed or closed, closed
        self.declared = declared
        self._visible: dict[str, bool] = {}
        self.used: set[Declaration] = set()  # what was declared and needed
        self.attempts: list[Attempt] = []
        self.stopped = ""  # why the rest was not tried
        self._mine: Values = {name: value for part in owner_columns for name, value in part.mine.items()}
        self._theirs: Values = {name: value for part in owner_columns for name, value in part.theirs.items()}

    # Each stage expects the sandbox to be marked where the rows are as its docstring says. ----------------------------

    def inserts(self, owned: bool) -> None:
        """Neither a nor b is there."""
        self._insert(self.actors.anon, self.a.given, "a user's row" if owned else "a row", "refused")
        if owned:
            self._insert(self.actors.owner, self.a.given, "their own row", self._right("insert"))
        self._insert(self.actors.other, self.a.given, "another user's row" if owned else "a row", "refused")
        if len(self.owner_columns) > 1:
            for part in self.owner_columns:
                given = {**self.b.given, **part.mine}
                what = f"their own row with another user's {part.name}"
                self._insert(self.actors.other, given, what, self._linking("insert", part))
        self._insert(self.actors.service_role, self.a.given, "a row", "either" if self.signed_in else "reached")

    def reads(self, public: bool, owned: bool, what: str) -> None:
        """Only a is there."""
        for actor in self.actors:
            if actor.name == "owner" and not owned:
                continue
            statement = sql.SQL("select {} from {} where {}").format(
                self._readable(actor), self.table.identifier, self._where(actor)
            )
            expected: Expected = "reached"
            if actor.name == "anon":
                expected = "either" if public else "refused"
            elif actor.name == "other" and not public:
                expected = "refused"
            elif actor.name == "owner" and (self.closed or not self._promised()):
                expected = "either"
            seen = "their own row" if actor.name == "owner" else what
            self._record(actor, "select", self._try(actor, statement, self._key_made_readable(actor)), expected, seen)

    def writes(self, owned: bool, what: str) -> None:
        """Only a is there: update, delete, move and upsert by everyone."""
        for actor in self.actors:
            if actor.name == "owner" and not owned:
                continue
            seen = "their own row" if actor.name == "owner" else what
            self._update(actor, seen)
            self._delete(actor, seen)
            self._upsert(actor, seen)
        self._moves(owned, what)

    def attack(self, what: str) -> None:
        """Only a is there, and readable by everyone: others must not be able to write it."""
        for actor in (self.actors.anon, self.actors.other):
            self._update(actor, what)
            self._delete(actor, what)
            self._upsert(actor, what)
            if self._theirs:
                self._move(actor, self._theirs, f"{what} to the other user", "refused")

    def loops(self) -> None:
        """Only a is there, and is private: the other user refers to it from their own row of the same table."""
        itself = OwnerColumns("", {}, {}, self.a)
        for key in self.table.foreign_keys:
            if key.target != self.table.oid or self._linking("insert", itself, ", ".join(key.columns)) == "either":
                continue
            values = {name: self.a.values[theirs] for name, theirs in zip(key.columns, key.target_columns, strict=True)}
            what = f"their own row with another user's row as {', '.join(values)}"
            given = self._allowed(self.actors.other, "INSERT", {**self.b.given, **values})
            self._record(
                self.actors.other, "insert", self._try(self.actors.other, insertion(self.table, given)), "refused", what
            )
            statement = sql.SQL("update {} set {} where {}").format(
                self.table.identifier, self._set(values), self.b.keyed
            )
            placed = insertion(self.table, self.b.given)
            result = self._try(self.actors.other, statement, [placed, *self._key_made_readable(self.actors.other)])
            self._record(self.actors.other, "move", result, "refused", what)

    # ------------------------------------------------------------------------------------------------------------------

    def _linking(self, verb: Verb, part: OwnerColumns, columns: str = "") -> Expected:
        """Whether a user may refer to what is another's: to a row that they can read, or where that is declared."""
        columns = columns or part.name
        for command in (verb, *(("update",) if verb == "move" else ())):
            if one := self.declared.shared(self.table.label, command, columns):
                self.used.add(one)
                return "either"
        if part.parent is None:
            return "either" if (part.handed_on if verb == "move" else part.assigned) else "refused"
        if columns not in self._visible:
            parent, role = part.parent, self.actors.other.role
            where = parent.where if (role, "SELECT") in parent.table.whole else parent.keyed
            read = sql.SQL("select from {} where {}").format(parent.table.identifier, where)
            self._visible[columns] = self._try(self.actors.other, read).rows > 0
        return "either" if self._visible[columns] else "refused"

    def _promised(self) -> bool:
        """Whether policies say that users reach rows, and not only that they may add some."""
        return any(self.table.may("authenticated", p) for p in ("SELECT", "INSERT", "UPDATE", "DELETE")) and (
            not self.table.rls
            or any(p.permissive and "authenticated" in p.roles and p.command != "INSERT" for p in self.table.policies)
        )

    def _insert(self, actor: Actor, given: Values, what: str, expected: Expected) -> None:
        values = self._allowed(actor, "INSERT", given)
        result = self._try(actor, insertion(self.table, values))
        detail = what
        if result.rows and actor.user and self._mine and self.table.primary_key:
            stored = self._stored(given)
            if actor.name == "other" and stored and not any(stored[name] == self._mine[name] for name in self._mine):
                result, detail = StatementResult(0), f"{what}: a trigger made it the caller's own"
            elif actor.name == "owner" and stored and stored != self._mine:
                self._fail(actor, "insert", f"{what}: a trigger gave it to someone else")
                return
        self._record(actor, "insert", result, expected, detail)

    def _update(self, actor: Actor, what: str) -> None:
        column = self._harmless(actor)
        values = {column: self.a.values[column]} if column else {}
        if not values:
            return
        result = self._change(actor, sql.SQL("update {} set {}").format(self.table.identifier, self._set(values)))
        if result.rows and actor.name == "owner" and self._mine and self.table.primary_key:
            stored = self._stored(self.a.given)
            if stored is not None and stored != self._mine:
                self._fail(actor, "update", f"{what}: a trigger gave it to someone else")
                return
        self._record(actor, "update", result, self._expected(actor, "update"), what)

    def _delete(self, actor: Actor, what: str) -> None:
        result = self._change(actor, sql.SQL("delete from {}").format(self.table.identifier))
        self._record(actor, "delete", result, self._expected(actor, "delete"), what)

    def _moves(self, owned: bool, what: str) -> None:
        if not self._theirs:
            return
        self._move(self.actors.anon, self._theirs, f"{what} to another user", "refused")
        if owned:
            expected: Expected = "either" if all(part.handed_on for part in self.owner_columns) else "refused"
            self._move(self.actors.owner, self._theirs, "their own row to another user", expected)
            for part in self.owner_columns if len(self.owner_columns) > 1 else ():
                what = f"their own row to another user's {part.name}"
                self._move(self.actors.owner, part.theirs, what, self._linking("move", part))
        self._move(self.actors.other, self._theirs, f"{what} to themselves", "refused")
        self._move(self.actors.service_role, self._theirs, "a row to another user", "reached")

    def _move(self, actor: Actor, values: Values, what: str, expected: Expected) -> None:
        statement = sql.SQL("update {} set {}").format(self.table.identifier, self._set(values))
        result = self._change(actor, statement, bare=actor.name != "service_role")
        if result.rows and expected == "refused" and self.table.primary_key:
            stored = self._stored({**self.a.given, **{n: v for n, v in values.items() if n in self.table.primary_key}})
            if stored == self._mine:
                result, what = StatementResult(0), f"{what}: a trigger kept its owner"
        self._record(actor, "move", result, expected, what)

    def _upsert(self, actor: Actor, what: str) -> None:
        unique = next(
            (u for u in self.table.uniques if u.usable and all(self.a.values[name] is not None for name in u.columns)),
            None,
        )
        if unique is None or not unique.columns:
            return
        key = {name: self.a.values[name] for name in unique.columns}
        column = self._harmless(actor) or unique.columns[0]
        self._merge(actor, {**self.a.given, **key}, key, {column: self.a.values[column]}, what)
        if actor.name == "other" and self._theirs and not set(key) & set(self._theirs):
            self._merge(actor, {**self.a.given, **key, **self._theirs}, key, self._theirs, f"{what} to themselves")

    def _merge(self, actor: Actor, given: Values, key: Values, values: Values, what: str) -> None:
        given = {name: value for name, value in given.items() if not self.table.column[name].generated}
        statement = sql.SQL("{} on conflict ({}) do update set {}").format(
            insertion(self.table, self._allowed(actor, "INSERT", given)),
            sql.SQL(", ").join(map(sql.Identifier, key)),
            self._set(values),
        )
        self._record(actor, "upsert", self._try(actor, statement), self._expected(actor, "upsert"), what)

    def _change(self, actor: Actor, statement: sql.Composable, bare: bool | None = None) -> StatementResult:
        """Run an update or delete on row a: through a cursor where `bare` (by default for attackers), else by key."""
        if bare is None:
            bare = actor.name in ("anon", "other")
        keyed = sql.SQL("{} where {}").format(statement, self._where(actor))
        if not bare:
            return self._try(actor, keyed, self._key_made_readable(actor))
        cursor = (
            sql.SQL("declare {} cursor for select * from {} where {}").format(
                _CURSOR, self.table.identifier, self.a.where
            ),
            sql.SQL("fetch {}").format(_CURSOR),
        )
        result = self._try(actor, sql.SQL("{} where current of {}").format(statement, _CURSOR), cursor)
        unsupported = (errors.FeatureNotSupported, errors.InvalidCursorState)
        return self._try(actor, keyed) if isinstance(result.error, unsupported) else result

    def _stored(self, given: Values) -> Values | None:
        """What the last attempt left in the columns that name the owner; None when its row cannot be found."""
        key = {name: given.get(name, self.a.values[name]) for name in self.table.primary_key}
        columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in self._mine)
        found = self.sandbox.inspect(
            sql.SQL("select {} from {} where {}").format(columns, self.table.identifier, matching(self.table, key))
        )
        return dict(zip(self._mine, found[0], strict=True)) if found else None

    def _try(self, actor: Actor, statement: sql.Composable, before: Sequence[sql.Composable] = ()) -> StatementResult:
        """One attempt. After one that took too long nothing more is tried: a slow policy costs seconds, not minutes."""
        if self.stopped:
            return StatementResult(0)
        result = self.sandbox.attempt(actor, statement, before)
        if isinstance(result.error, (errors.QueryCanceled, errors.LockNotAvailable)):
            self.stopped = f"an attempt by {actor.name} took too long: {result.error.diag.message_primary}"
        return result

    def _where(self, actor: Actor) -> sql.Composable:
        return self.a.where if (actor.role, "SELECT") in self.table.whole else self.a.keyed

    def _key_made_readable(self, actor: Actor) -> list[sql.Composable]:
        """Where a role may read only other columns: grant it the key's for the attempt, so that it can find the row."""
        columns = self.table.rights.get((actor.role, "SELECT"), frozenset())
        hidden = [sql.Identifier(name) for name in self.table.primary_key if name not in columns]
        if not columns or not hidden:
            return []
        grant = sql.SQL("grant select ({}) on {} to {}")
        # A role that does not own the table grants nothing and gets a warning; then the attempt must end as an error.
        held = sql.SQL("select 1 / has_column_privilege({}, {}::oid, {}, 'SELECT')::int")
        return [
            grant.format(sql.SQL(", ").join(hidden), self.table.identifier, sql.Identifier(actor.role)),
            held.format(actor.role, self.table.oid, self.table.primary_key[0]),
        ]

    def _readable(self, actor: Actor) -> sql.Composable:
        """What to select: a constant, or a readable column where the role may not read them all."""
        columns = self.table.rights.get((actor.role, "SELECT"), frozenset())
        if (actor.role, "SELECT") in self.table.whole or not columns:
            return sql.SQL("1")
        return sql.Identifier(min(columns))

    def _allowed(self, actor: Actor, privilege: str, given: Values) -> Values:
        """The values without columns that the role may not write and need not, where it may write only some."""
        columns = self.table.rights.get((actor.role, privilege), frozenset())
        if (actor.role, privilege) in self.table.whole or not columns:
            return given
        return {n: v for n, v in given.items() if n in columns or self.table.column[n].required}

    def _harmless(self, actor: Actor) -> str | None:
        """A column whose update does not change whose row it is; None if the role may update none."""
        columns = self.table.rights.get((actor.role, "UPDATE"), frozenset())
        names = [c.name for c in self.table.columns if not c.generated and c.identity != "a"]
        allowed = [name for name in names if name in columns] or names
        keys = {*self._mine, *self.table.primary_key, *(n for key in self.table.foreign_keys for n in key.columns)}
        return next((name for name in allowed if name not in keys), next(iter(allowed), None))

    def _set(self, values: Values) -> sql.Composable:
        return assignments(self.table, values)

    def _right(self, verb: Verb) -> Expected:
        """What should happen to the owner: what grants and policies allow has to work."""
        if self.relaxed:
            return "either"
        lets = all(self.table.lets("authenticated", privilege) for privilege in _PRIVILEGES[verb])
        return "reached" if lets else "either"

    def _expected(self, actor: Actor, verb: Verb) -> Expected:
        if actor.name == "owner":
            return self._right(verb)
        return "reached" if actor.name == "service_role" else "refused"

    def _fail(self, actor: Actor, verb: Verb, detail: str) -> None:
        self.attempts.append(Attempt(self.table.label, _role(actor), verb, "reached", "reached", False, detail))

    def _record(self, actor: Actor, verb: Verb, result: StatementResult, expected: Expected, detail: str) -> None:
        if self.stopped:
            return
        if actor.name == "service_role" and not any(self.table.may(actor.role, one[0]) for one in _PRIVILEGES.values()):
            expected = "either"  # nobody gave it any right on the table
        outcome, why, rule = judge(result)
        rule = rule and verb != "select"  # what a policy raises on reading is no rule about the data
        if rule and actor.name == "service_role" and verb == "insert" and expected == "reached":
            outcome = "error"  # the row is unsuitable for a trial, so the others' refusals prove nothing
        ok = {
            "reached": outcome == "reached" or (rule and outcome == "denied"),
            "refused": outcome in ("denied", "filtered"),
            "either": outcome != "error",
        }[expected]
        text = f"{detail}: {why}" if why else detail
        self.attempts.append(Attempt(self.table.label, _role(actor), verb, outcome, expected, ok, text))


def _role(actor: Actor) -> RoleName:
    return cast(RoleName, actor.name)
