"""What attempts on one table are made of: scenes, the SQL in them, and what is made of each result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from psycopg import sql

from promthctl.isolation.sample_row import HERE, SampleRow, Values, insertion, returning
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.scenes import Played, Scene, SceneAttempt, Tried
from promthctl.isolation.tables import ProbedTable

_HERE = sql.SQL(HERE)


class SceneWriter:
    """Writes the scenes of one table: each is begun, filled, and played, and then `settle` judges what became of it.

    a: the owner's row. mine: the values that make it theirs. stopped: why the rest was not tried.
    """

    def __init__(self, sandbox: Sandbox, a: SampleRow, mine: Values) -> None:
        self.sandbox, self.a, self._mine = sandbox, a, mine
        self.table: ProbedTable = a.table
        self.scenes: list[Scene] = []
        self.stopped = ""
        self._then: list[list[Callable[[Tried], None]]] = []
        self._rows: list[SampleRow] = []

    def begin(self, a: SampleRow, made: bool) -> None:
        """A scene with the owner's row: made by the scene, or there already, and then in the place that it says."""
        self._rows.append(a)
        self.a = replace(a, where=_HERE, keyed=a.keyed if self.table.primary_key else _HERE) if made else a
        self._scene = Scene(self.table.label, row=self._text(self._found(sql.SQL("*"), self.a.where)))
        if made:
            found, self._scene.find = returning(self.table)
            self._scene.make = self._text(insertion(self.table, a.given) + found)
            self._scene.stored = self._text(self._found(self._texts(self.steady(a)), _HERE))
        self.scenes.append(self._scene)
        self._then.append([])

    def steady(self, a: SampleRow) -> Values:
        """The values that must not be others when the row is made again: what attempts name it by."""
        names = {*self.table.primary_key, *self._mine, *(n for key in self.table.foreign_keys for n in key.columns)}
        names |= {name for unique in self.table.uniques if unique.usable for name in unique.columns}
        return {name: value for name, value in a.values.items() if name in names}

    def faithful(self, scene: int, played: Played) -> bool:
        """Whether the scene's row was made, and as it was the first time."""
        if not self.scenes[scene].make:
            return True
        return bool(played.tried or not self.scenes[scene].attempts) and played.stored == [
            *self.steady(self._rows[scene]).values()
        ]

    def settle(self, scene: int, played: Played) -> None:
        """Judge the attempts of a scene that was played."""
        for attempt, tried, then in zip(self.scenes[scene].attempts, played.tried, self._then[scene], strict=True):
            if self.stopped:
                return
            if tried.slow:
                self.stopped = f"an attempt by {attempt.actor} took too long: {tried.message}"
            then(tried)

    def _ask(
        self,
        actor: Actor,
        statement: sql.Composable,
        then: Callable[[Tried], None],
        before: Sequence[sql.Composable] = (),
        seen: sql.Composable | None = None,
        through: sql.Composable | None = None,
    ) -> None:
        """One attempt of the scene, and what is made of its result."""
        self._scene.attempts.append(
            SceneAttempt(
                actor.name,
                self._text(statement),
                [self._text(each) for each in before],
                self._text(through) if through else None,
                self._text(seen) if seen else None,
            )
        )
        self._then[-1].append(then)

    def _found(self, what: sql.Composable, where: sql.Composable) -> sql.Composed:
        return sql.SQL("select {} from {} where {}").format(what, self.table.identifier, where)

    def _texts(self, names: Iterable[str]) -> sql.Composable:
        """The columns as one JSON array of texts."""
        return sql.SQL("jsonb_build_array({})").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        )

    def _text(self, statement: sql.Composable) -> str:
        return statement.as_string(self.sandbox.connection)

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
