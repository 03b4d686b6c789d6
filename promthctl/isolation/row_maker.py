"""Makes rows that a table accepts, with the rows they refer to, for a given user.

A row starts with the values that an insert must name; the database's errors say what to change, until the row is
accepted or there is nothing left to try. Rows are remembered, so that making one again costs one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import psycopg
from psycopg import errors, sql

from promthctl.isolation.column_values import (
    candidate_values,
    narrowed,
    nearest_combinations,
    ordered_numbers,
    same_choices,
)
from promthctl.isolation.drafts import Draft, about, is_free, options_of, rotations
from promthctl.isolation.ownership import Ownership
from promthctl.isolation.rows_ahead import insert_all
from promthctl.isolation.sample_row import SampleRow, Values, insertion, literal, matching, reading, stored_row
from promthctl.isolation.sandbox import Sandbox
from promthctl.isolation.side_effects import SideEffects, not_tried
from promthctl.isolation.sign_ups import new_user, sign_ups
from promthctl.isolation.tables import CheckConstraint, ForeignKey, ProbedCatalog, ProbedTable, UniqueIndex

_TRIES = 80  # inserts per row
_FRESH = 5  # new tokens per unique constraint
_COMBINATIONS = 60  # per check constraint
_NEAREST = 20  # of them, before what satisfies many columns at once


class RowNotMade(Exception):
    """No row can be made for a table; str() says why, for people to read."""


class _Circular(RowNotMade):
    """Two tables refer to each other: this one is already needed for the row that it needs."""


class RowMaker:
    """Makes and remembers rows, one for each table and user.

    present: the rows that are there now; whoever rolls back restores the dictionary too. membership_tables: by the oid
    of a table whose rows belong to groups of users, the table of the memberships, whose rows are made with it.
    effects: rows that set off what no rollback undoes are not made; None to make them all. signed_in: tables, by oid,
    whose rows are made as if their user called, because a trigger or a default asks who does.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        catalog: ProbedCatalog,
        ownerships: Mapping[int, Ownership],
        effects: SideEffects | None = None,
    ) -> None:
        self._effects = effects
        self.sandbox = sandbox
        self.catalog = catalog
        self.ownerships = ownerships
        self.present: dict[tuple[int, str], SampleRow] = {}
        self.membership_tables: dict[int, ProbedTable] = {}
        self._recipes: dict[tuple[int, str], Values] = {}
        self._failures: dict[tuple[int, str], str] = {}
        self._planned: dict[tuple[int, str], Values] = {}
        self.third = ""
        self.signed_in: set[int] = set()
        self._narrow = narrowed(catalog)
        self.made_ahead: dict[tuple[int, str], SampleRow] = {}  # by make_ahead, and not there any more

    def user(self) -> str:
        """A new user's id. Raises RowNotMade."""
        table = self.catalog.users
        if table is None:
            raise RowNotMade("there is no table auth.users")
        user = str(uuid4())
        given = new_user(user)
        fixed = {name: [value] for name, value in given.items() if name in table.column}
        try:
            self.present[table.oid, user] = self._search(table, user, fixed)
        except RowNotMade:
            for details in sign_ups(table, self.catalog):
                fixed["raw_user_meta_data"] = [details]
                with suppress(RowNotMade):
                    self.present[table.oid, user] = self._search(table, user, fixed)
                    return user
            raise
        return user

    def row(self, table: ProbedTable, user: str, making: tuple[int, ...] = ()) -> SampleRow:
        """The user's row of the table, made now unless it is there already. Raises RowNotMade."""
        key = (table.oid, user)
        if made := self.made_ahead.pop(key, None):
            self.present[key] = made
        if key in self.present:
            return self.present[key]
        if key in self._failures:
            raise RowNotMade(self._failures[key])
        try:
            fixed = self.parents(table, user, making)
            made = self._again(table, user, key) or self._search(table, user, fixed)
        except _Circular:
            raise
        except (RowNotMade, psycopg.Error) as error:
            self._failures[key] = str(error).partition("\n")[0]
            raise RowNotMade(self._failures[key]) from error
        self._recipes[key] = made.given
        self.present[key] = made
        return made

    def make_ahead(self, tables: Sequence[ProbedTable], users: Sequence[str], keep: bool) -> None:
        """Insert the users' rows of all tables in one message, those that are accepted at once.

        keep: as `row` would. Otherwise nothing stays, and `row` takes the row for made the next time, which is right
        only where it will not stay either. What needs more than this, `row` finds out.
        """
        wanted = [(table, user) for table in tables for user in users if self._at_once(table, user)]
        given: list[tuple[ProbedTable, str, Values]] = []
        for table, user in wanted:
            with suppress(RowNotMade):
                values = self._recipes.get((table.oid, user)) or self._draft(table, user).chosen
                if (table.oid, user) not in self.present:
                    given.append((table, user, values))
        made = insert_all(self.sandbox, given, keep)
        for row in made:
            self._recipes[row.table.oid, row.user] = row.given
            (self.present if keep else self.made_ahead)[row.table.oid, row.user] = row

    def _at_once(self, table: ProbedTable, user: str) -> bool:
        """Whether the first insert may be tried without a look at what is there."""
        known = self.present.keys() | self._failures.keys()
        spared = self._effects and not_tried(self._effects.of_insert(table))
        return not ((table.oid, user) in known or spared or table.oid in self.signed_in or table.kind == "f")

    def sign_in(self, table: ProbedTable) -> None:
        """Make the rows of the table as if their user called; what was found out without is forgotten."""
        self.signed_in.add(table.oid)
        for known in (self._recipes, self._failures):
            for key in [key for key in known if key[0] == table.oid]:
                known.pop(key)

    def plan(self, table: ProbedTable, user: str, values: Mapping[str, str]) -> None:
        """Decide what the user's row of the table, not made yet, will hold in some columns."""
        self._planned.setdefault((table.oid, user), {}).update(values)

    def parents(self, table: ProbedTable, user: str, making: tuple[int, ...] = ()) -> dict[str, list[str | None]]:
        """Make what the user's row of `table` refers to; the values of the referring columns. Raises RowNotMade."""
        own = self.ownerships[table.oid]
        fixed: dict[str, list[str | None]] = {}
        making = (*making, table.oid)
        for name in own.identity:
            fixed[name] = [user, self.third] if len(own.identity) > 1 else [user]
        for name in own.others:
            if table.column[name].not_null:
                fixed[name] = [self.third, user]
        for key in table.foreign_keys:
            for name, value in self._reference(table, user, key, own, making).items():
                fixed.setdefault(name, [value])
            if (membership_table := self.membership_tables.get(key.target)) and membership_table.oid not in making:
                self.row(membership_table, user, making)
        return fixed

    def _reference(
        self, table: ProbedTable, user: str, key: ForeignKey, own: Ownership, making: tuple[int, ...]
    ) -> Values:
        """The values of a foreign key's columns; none where they can stay null."""
        users = self.catalog.users
        if users and key.target == users.oid:
            return {}
        needed = any(table.column[name].not_null for name in key.columns)
        target = self.catalog.tables.get(key.target)
        if target is None:
            raise RowNotMade(f"{key.name} refers to a system table")
        if not (needed or key in own.links or set(key.columns) & {*own.identity}):
            return {}
        try:
            if key.target == table.oid:
                return self._plan(target, user, key) if needed else {}
            if key.target in making:
                if not needed:
                    return {}
                if not key.deferrable:
                    raise _Circular(f"{table.label} and {target.label} refer to each other")
                self.sandbox.run(sql.SQL("set constraints {} deferred").format(sql.Identifier(table.schema, key.name)))
                return self._plan(target, user, key)
            mention = set(key.columns) <= {*own.others}
            parent = self.row(target, self.third if mention else user, making)
        except RowNotMade as error:
            if not needed:
                return {}
            if isinstance(error, _Circular):
                raise
            raise RowNotMade(f"{target.label}, which it refers to, accepts no row: {error}") from error
        return {name: parent.values[theirs] for name, theirs in zip(key.columns, key.target_columns, strict=True)}

    def _plan(self, target: ProbedTable, user: str, key: ForeignKey) -> Values:
        """Choose now what a row made later will hold in the columns that `key` refers to."""
        plan = self._planned.setdefault((target.oid, user), {})
        for name in key.target_columns:
            if name not in plan:
                plan[name] = candidate_values(target.column[name], about(target, name), uuid4().hex, fresh=True)[0]
        return {name: plan[theirs] for name, theirs in zip(key.columns, key.target_columns, strict=True)}

    def _again(self, table: ProbedTable, user: str, key: tuple[int, str]) -> SampleRow | None:
        """The row as it was made before, if it was and can be."""
        if key not in self._recipes:
            return None
        try:
            return self.insert(table, user, self._recipes[key])
        except (
            errors.UniqueViolation,
            errors.ForeignKeyViolation,
        ):  # a trigger has made it, or what it refers to, since
            return None

    def _search(self, table: ProbedTable, user: str, fixed: Mapping[str, Sequence[str | None]]) -> SampleRow:
        """A row that is accepted, from nobody in particular or else from its user. Raises RowNotMade."""
        try:
            return self._searched(table, user, fixed)
        except RowNotMade:
            if table.oid in self.signed_in:
                raise
            self.signed_in.add(table.oid)
            with suppress(RowNotMade):
                return self._searched(table, user, fixed)
            self.signed_in.discard(table.oid)
            if row := self._anybodys(table, user):
                return row
            raise

    def _anybodys(self, table: ProbedTable, user: str) -> SampleRow | None:
        """A row that is there, of a table whose rows nobody owns: one of settings takes no second row."""
        if self.ownerships[table.oid].known or table is self.catalog.users or not table.primary_key:
            return None
        grouped = table.oid in self.membership_tables
        if grouped and not any({*check.columns} & {*table.primary_key} for check in table.checks):
            return None  # it is no list of roles, whose keys are given
        taken = [row.keyed for (oid, _), row in self.present.items() if grouped and oid == table.oid]
        others = [sql.SQL("not ({})").format(keyed) for keyed in taken]
        row = self._read(table, user, {}, sql.SQL(" and ").join([sql.SQL("true"), *others]))
        if row is None:
            return None
        given = {name: value for name, value in row.values.items() if not table.column[name].generated}
        return replace(row, given=given, found=True)

    def _searched(self, table: ProbedTable, user: str, fixed: Mapping[str, Sequence[str | None]]) -> SampleRow:
        """Insert, change what the database's error points at, insert again. Raises RowNotMade."""
        draft = self._draft(table, user, fixed)
        for _ in range(_TRIES):
            try:
                return self.insert(table, user, draft.chosen)
            except psycopg.Error as error:
                if isinstance(error, errors.UniqueViolation) and (row := self._existing(draft, user, error)):
                    return row
                self._adjust(draft, error)
        raise RowNotMade(f"no row was accepted in {_TRIES} tries")

    def _draft(self, table: ProbedTable, user: str, fixed: Mapping[str, Sequence[str | None]] | None = None) -> Draft:
        """fixed: None for what its parents, which are there, say."""
        fixed = self.parents(table, user) if fixed is None else fixed
        planned = {name: [value] for name, value in self._planned.get((table.oid, user), {}).items()}
        draft = Draft(table, {**fixed, **planned}, uuid4().hex, narrow=self._narrow[table.oid])
        draft.chosen = {name: values[0] for name, values in draft.fixed.items()}
        for column in table.columns:
            if (column.required or column.sequence) and column.name not in draft.chosen:
                draft.chosen[column.name] = options_of(draft, column.name)[0]
        return draft

    def _adjust(self, draft: Draft, error: psycopg.Error) -> None:
        """Change the draft in answer to `error`. Raises RowNotMade when there is nothing to change."""
        table, diag = draft.table, error.diag
        if isinstance(error, errors.NotNullViolation) and diag.column_name in table.column:
            if draft.chosen.get(diag.column_name) is not None or diag.column_name in draft.fixed:
                raise RowNotMade(f"{diag.column_name} becomes null")
            draft.chosen[diag.column_name] = options_of(draft, diag.column_name)[0]
        elif isinstance(error, errors.CheckViolation):
            draft.violated = self._check(table, error)
            self._next(draft, draft.violated)
        elif isinstance(error, (errors.UniqueViolation, errors.ExclusionViolation)):
            unique = self._unique(table, error)
            free = [name for name in unique.columns if name in table.column and name not in draft.fixed]
            count = draft.fresh[unique.name] = draft.fresh.get(unique.name, 0) + 1
            if not free or count > _FRESH:
                raise RowNotMade(f"{unique.name} is violated by every value that was tried")
            draft.token = uuid4().hex
            for name in free:
                draft.chosen[name] = options_of(draft, name, fresh=True)[0]
        elif (
            isinstance(error, (errors.InvalidTextRepresentation, errors.InvalidDatetimeFormat))
            and draft.violated
            and len(draft.violated.columns) > 1
        ):
            self._next(draft, draft.violated)  # the value that was tried for it is none of its column's type
        elif error.sqlstate and error.sqlstate[:2] in ("22", "23", "P0"):
            if draft.rotation is None:
                draft.rotation = rotations(draft)
            changed = next(draft.rotation, None)
            if changed is None:
                raise RowNotMade(_message(error))
            draft.chosen.update(changed)
        else:
            raise RowNotMade(_message(error))

    def _next(self, draft: Draft, check: CheckConstraint) -> None:
        """The next values for the columns of a violated check."""
        free = [name for name in check.columns if is_free(draft, name)]
        if check.name not in draft.series:
            options = [[*draft.fixed.get(name, options_of(draft, name))] for name in free]
            for name, values_of in zip(free, options, strict=True):  # a check may want one of several columns filled
                column = draft.table.column[name]
                if not (column.not_null or column.type.not_null):
                    values_of.insert(1 if len(free) > 1 else len(values_of), None)
            types = [draft.table.column[name].type for name in free]
            many = (*same_choices(options), *ordered_numbers(types)) if len(free) > 1 else ()
            near = [*nearest_combinations(options, _COMBINATIONS)] if free else []
            draft.series[check.name] = iter([*dict.fromkeys((*near[:_NEAREST], *many, *near[_NEAREST:]))])
        values = next(draft.series[check.name], None)
        if values is None:
            name = check.name or "its partitions' bounds"
            raise RowNotMade(f"no value that was tried satisfies {name}: {check.definition}")
        draft.chosen.update(zip(free, values, strict=True))

    def _check(self, table: ProbedTable, error: psycopg.Error) -> CheckConstraint:
        """The check that `error` names: the table's, a domain's, or the bounds of partitions."""
        diag = error.diag
        if diag.datatype_name:
            names = tuple(column.name for column in table.columns if column.type.domain == diag.datatype_name)
            return CheckConstraint(diag.constraint_name or "", names, f"the domain {diag.datatype_name}")
        for check in table.checks:
            if check.name == (diag.constraint_name or ""):
                return check
        raise RowNotMade(_message(error))

    def _unique(self, table: ProbedTable, error: psycopg.Error) -> UniqueIndex:
        """The index that `error` names; a partition's has the columns of its parent's."""
        for each in (table, *self.catalog.tables.values()):
            for unique in each.uniques:
                if unique.name == error.diag.constraint_name and (each is table or each.name == error.diag.table_name):
                    return unique
        raise RowNotMade(_message(error))

    def _existing(self, draft: Draft, user: str, error: psycopg.Error) -> SampleRow | None:
        """The user's row that a trigger has made already and that the draft collides with."""
        unique = self._unique(draft.table, error)
        if not unique.columns or not set(unique.columns) <= draft.fixed.keys():
            return None
        condition = sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), literal(draft.table, name, draft.chosen[name]))
            for name in unique.columns
        )
        row = self._read(draft.table, user, draft.chosen, condition)
        return replace(row, found=True) if row else None

    def insert(self, table: ProbedTable, user: str, given: Values) -> SampleRow:
        """Insert the row and read it back as the table stored it. Raises psycopg.Error, RowNotMade."""
        if self._effects and (reason := not_tried(self._effects.of_insert(table))):
            raise RowNotMade(reason)
        columns = [sql.Identifier(name) for name in table.primary_key] or [sql.Identifier("ctid")]
        statement = insertion(table, given) + sql.SQL(" returning {}").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(c) for c in columns)
        )
        signed_in = table.oid in self.signed_in
        returned = self.sandbox.run_signed_in(user, statement) if signed_in else self.sandbox.run(statement)
        if not returned:
            raise RowNotMade("a trigger discards the row")
        condition: sql.Composable
        if table.primary_key:
            given = {**given, **{n: v for n, v in zip(table.primary_key, returned[0], strict=True)
                                 if not table.column[n].generated}}  # fmt: skip
            condition = matching(table, dict(zip(table.primary_key, returned[0], strict=True)))
        else:
            condition = sql.SQL("ctid = {}::tid").format(returned[0][0])
        row = self._read(table, user, given, condition)
        if row is None:
            raise RowNotMade("the row cannot be found again after its insert")
        return row

    def reread(self, row: SampleRow) -> SampleRow:
        """The row as it is now, which a trigger on another table may have changed. Raises RowNotMade, psycopg.Error."""
        now = self._read(row.table, row.user, row.given, row.keyed)
        if now is None:
            raise RowNotMade("its row is gone after rows of other tables were made")
        return now

    def _read(self, table: ProbedTable, user: str, given: Values, condition: sql.Composable) -> SampleRow | None:
        found = self.sandbox.run(reading(table, condition))
        if not found:
            return None
        return stored_row(table, user, given, found[0])


def _message(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).partition("\n")[0]
