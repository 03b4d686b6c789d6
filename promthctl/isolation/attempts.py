"""What is tried on one table: who does what to whose row, what should happen, and what did.

An attacker's update and delete go through a cursor (`where current of`). Such a statement needs no right to read the
table, so only the policies of its own command are in its way. An update without any condition is like that too, but it
would touch everyone's rows; this one touches only the row that the cursor is on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from psycopg import sql

from promthctl.declarations import NOTHING_DECLARED, Declaration, Declarations
from promthctl.isolation.outcomes import Attempt, Expected, RoleName, Verb, judge
from promthctl.isolation.sample_row import SampleRow, Values, assignments, insertion, matching
from promthctl.isolation.sandbox import Actor, Sandbox, settings_of
from promthctl.isolation.scene_writer import SceneWriter
from promthctl.isolation.scenes import Tried

_PRIVILEGES: dict[Verb, tuple[str, ...]] = {
    "select": ("SELECT",),
    "insert": ("INSERT",),
    "update": ("UPDATE",),
    "delete": ("DELETE",),
    "move": ("UPDATE",),
    "upsert": ("INSERT", "UPDATE", "SELECT"),
}
_CURSOR = sql.SQL("promthctl_made")


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

    @property
    def becoming(self) -> dict[str, dict[str, str]]:
        """By name, the settings that say who calls."""
        return {actor.name: dict(settings_of(actor)) for actor in self}


class TableTrial(SceneWriter):
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
        super().__init__(sandbox, a, {name: value for part in owner_columns for name, value in part.mine.items()})
        self.signed_in, self.actors, self.b, self.owner_columns = signed_in, actors, b, owner_columns
        self.relaxed, self.closed = relaxed or closed, closed
        self.declared = declared
        self._visible: dict[str, bool] = {}
        self.used: set[Declaration] = set()  # what was declared and needed
        self.attempts: list[Attempt] = []
        self._theirs: Values = {name: value for part in owner_columns for name, value in part.theirs.items()}

    # What a scene is filled with. -----------------------------------------------------------------------------------

    def inserts(self, owned: bool, group: bool) -> None:
        """Neither a nor b is there. group: a new row is nobody's until it has members, so any user may make one."""
        anon, owner, other, _ = self.actors
        self._insert(anon, self.a.given, "a user's row" if owned else "a row", self._expected(anon, "insert"))
        if owned:
            self._insert(owner, self.a.given, "their own row", self._right("insert"))
        if group:
            self._insert(other, self.a.given, "a new row", "either")
        else:
            what = "another user's row" if owned else "a row"
            self._insert(other, self.a.given, what, self._expected(other, "insert"))
        if len(self.owner_columns) > 1:
            for part in self.owner_columns:
                given = {**self.b.given, **part.mine}
                what = f"their own row with another user's {part.name}"
                self._see_parent(part)
                self._insert(self.actors.other, given, what, part)
        self._insert(self.actors.service_role, self.a.given, "a row", "either" if self.signed_in else "reached")

    def reads(self, public: bool, owned: bool, what: str) -> None:
        """Only a is there: everyone looks for it."""
        for actor in self.actors:
            if actor.name == "owner" and not owned:
                continue
            statement = sql.SQL("select {} from {} where {}").format(
                self._readable(actor), self.table.identifier, self._where(actor)
            )
            expected: Expected = "reached"
            if actor.name == "anon":
                expected = "either" if public else self._expected(actor, "select")
            elif actor.name == "other" and not public:
                expected = self._expected(actor, "select")
            elif actor.name == "owner" and (self.closed or not self._promised()):
                expected = "either"
            seen = "their own row" if actor.name == "owner" else what
            then = partial(self._record, actor, "select", expected, seen)
            self._ask(actor, statement, then, self._key_made_readable(actor))

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
            if key.target != self.table.oid:
                continue
            columns = ", ".join(key.columns)
            self._see_parent(itself, columns)
            values = {name: self.a.values[theirs] for name, theirs in zip(key.columns, key.target_columns, strict=True)}
            what = f"their own row with another user's row as {', '.join(values)}"
            given = self._allowed(self.actors.other, "INSERT", {**self.b.given, **values})
            self._ask(
                self.actors.other, insertion(self.table, given), partial(self._loop, "insert", itself, columns, what)
            )
            statement = sql.SQL("update {} set {} where {}").format(
                self.table.identifier, self._set(values), self.b.keyed
            )
            placed = insertion(self.table, self.b.given)
            then = partial(self._loop, "move", itself, columns, what)
            self._ask(self.actors.other, statement, then, [placed, *self._key_made_readable(self.actors.other)])

    def _loop(self, verb: Verb, itself: OwnerColumns, columns: str, what: str, tried: Tried) -> None:
        if self._linking("insert", itself, columns) != "either":
            self._record(self.actors.other, verb, "refused", what, tried)

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
        return "either" if self._visible.get(columns) else "refused"

    def _see_parent(self, part: OwnerColumns, columns: str = "") -> None:
        """Let the other user look at what they would refer to."""
        columns, parent, role = columns or part.name, part.parent, self.actors.other.role
        if parent is None or columns in self._visible:
            return
        self._visible[columns] = False
        table = parent.table
        where = parent.where if (role, "SELECT") in table.whole else parent.keyed
        if table is self.table:
            where = self.a.where if (role, "SELECT") in table.whole else self.a.keyed
        read = sql.SQL("select from {} where {}").format(table.identifier, where)
        self._ask(self.actors.other, read, partial(self._seen, columns))

    def _seen(self, columns: str, tried: Tried) -> None:
        self._visible[columns] = tried.rows > 0

    def _promised(self) -> bool:
        """Whether policies say that users reach rows, and not only that they may add some."""
        return any(self.table.may("authenticated", p) for p in ("SELECT", "INSERT", "UPDATE", "DELETE")) and (
            not self.table.rls
            or any(p.permissive and "authenticated" in p.roles and p.command != "INSERT" for p in self.table.policies)
        )

    def _insert(self, actor: Actor, given: Values, what: str, expected: Expected | OwnerColumns) -> None:
        values = self._allowed(actor, "INSERT", given)
        stored = self._stored(given) if actor.user and self._mine and self.table.primary_key else None
        self._ask(actor, insertion(self.table, values), partial(self._inserted, actor, what, expected), seen=stored)

    def _inserted(self, actor: Actor, what: str, expected: Expected | OwnerColumns, tried: Tried) -> None:
        if stored := self._owner_in(tried):
            if actor.name == "other" and not any(stored[name] == self._mine[name] for name in self._mine):
                tried, what = Tried(0), f"{what}: a trigger made it the caller's own"
            elif actor.name == "owner" and stored != self._mine:
                self._fail(actor, "insert", f"{what}: a trigger gave it to someone else")
                return
        expected = self._linking("insert", expected) if isinstance(expected, OwnerColumns) else expected
        self._record(actor, "insert", expected, what, tried)

    def _update(self, actor: Actor, what: str) -> None:
        column = self._harmless(actor)
        values = {column: self.a.values[column]} if column else {}
        if not values:
            return
        own = actor.name == "owner" and self._mine and self.table.primary_key
        stored = self._stored(self.a.given) if own else None
        statement = sql.SQL("update {} set {}").format(self.table.identifier, self._set(values))
        self._change(actor, statement, partial(self._updated, actor, what), seen=stored)

    def _updated(self, actor: Actor, what: str, tried: Tried) -> None:
        stored = self._owner_in(tried)
        if stored is not None and stored != self._mine:
            self._fail(actor, "update", f"{what}: a trigger gave it to someone else")
            return
        self._record(actor, "update", self._expected(actor, "update"), what, tried)

    def _delete(self, actor: Actor, what: str) -> None:
        statement = sql.SQL("delete from {}").format(self.table.identifier)
        self._change(actor, statement, partial(self._record, actor, "delete", self._expected(actor, "delete"), what))

    def _moves(self, owned: bool, what: str) -> None:
        if not self._theirs:
            return
        self._move(self.actors.anon, self._theirs, f"{what} to another user", "refused")
        if owned:
            expected: Expected = "either" if all(part.handed_on for part in self.owner_columns) else "refused"
            self._move(self.actors.owner, self._theirs, "their own row to another user", expected)
            for part in self.owner_columns if len(self.owner_columns) > 1 else ():
                self._see_parent(part)
                self._move(self.actors.owner, part.theirs, f"their own row to another user's {part.name}", part)
        self._move(self.actors.other, self._theirs, f"{what} to themselves", "refused")
        self._move(self.actors.service_role, self._theirs, "a row to another user", "reached")

    def _move(self, actor: Actor, values: Values, what: str, expected: Expected | OwnerColumns) -> None:
        statement = sql.SQL("update {} set {}").format(self.table.identifier, self._set(values))
        key = {**self.a.given, **{n: v for n, v in values.items() if n in self.table.primary_key}}
        stored = self._stored(key) if self.table.primary_key else None
        then = partial(self._moved, actor, what, expected)
        self._change(actor, statement, then, bare=actor.name != "service_role", seen=stored)

    def _moved(self, actor: Actor, what: str, expected: Expected | OwnerColumns, tried: Tried) -> None:
        expected = self._linking("move", expected) if isinstance(expected, OwnerColumns) else expected
        if expected == "refused" and self._owner_in(tried) == self._mine:
            tried, what = Tried(0), f"{what}: a trigger kept its owner"
        self._record(actor, "move", expected, what, tried)

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
        self._ask(actor, statement, partial(self._record, actor, "upsert", self._expected(actor, "upsert"), what))

    def _change(
        self,
        actor: Actor,
        statement: sql.Composable,
        then: Callable[[Tried], None],
        bare: bool | None = None,
        seen: sql.Composable | None = None,
    ) -> None:
        """An update or delete on row a: through a cursor where `bare` (by default for attackers), else by key."""
        if bare is None:
            bare = actor.name in ("anon", "other")
        keyed = sql.SQL("{} where {}").format(statement, self._where(actor))
        if bare:
            through = sql.SQL("{} where current of {}").format(statement, _CURSOR)
            self._ask(actor, keyed, then, seen=seen, through=through)
        else:
            self._ask(actor, keyed, then, self._key_made_readable(actor), seen)

    def _stored(self, given: Values) -> sql.Composable:
        """A query for what an attempt leaves in the columns that name the owner."""
        key = {name: given.get(name, self.a.values[name]) for name in self.table.primary_key}
        return self._found(self._texts(self._mine), matching(self.table, key))

    def _owner_in(self, tried: Tried) -> Values | None:
        """What the attempt left in the columns that name the owner; None where that was not asked, or it is gone."""
        return dict(zip(self._mine, tried.seen, strict=True)) if tried.seen is not None else None

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
        if actor.name == "service_role":
            return "reached"
        return "either" if self._opened(actor, verb) else "refused"

    def _opened(self, actor: Actor, verb: Verb) -> list[Declaration]:
        """What declares that a stranger does this with every row; nothing where it takes more."""
        needed = ("insert", "update") if verb == "upsert" else (verb,)
        found = [self.declared.opened_to(self.table.label, one, actor.name == "anon") for one in needed]
        return [one for one in found if one] if all(found) else []

    def _served(self, verb: Verb) -> bool:
        """Whether service_role is meant to do it, as its grants say."""
        return all(self.table.may("service_role", privilege) for privilege in _PRIVILEGES[verb])

    def _fail(self, actor: Actor, verb: Verb, detail: str) -> None:
        self.attempts.append(Attempt(self.table.label, _role(actor), verb, "reached", "reached", False, detail))

    def _record(self, actor: Actor, verb: Verb, expected: Expected, detail: str, tried: Tried) -> None:
        if self.stopped:
            return
        if actor.name == "service_role" and not self._served(verb):
            expected = "either"
        outcome, why, rule = judge(tried)
        if outcome == "reached" and actor.name in ("anon", "other"):
            self.used.update(self._opened(actor, verb))
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
