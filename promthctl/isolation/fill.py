"""Make rows that a table accepts, with the rows they refer to, for a given user.

A row starts as what must be given; the database's complaints say what to change, until it is accepted or there is
nothing left to try. Rows are remembered, so that a second one like it costs one statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

import psycopg
from psycopg import errors, sql

from promthctl.isolation.owners import Ownership
from promthctl.isolation.rows import candidates, combinations
from promthctl.isolation.sandbox import Sandbox, email
from promthctl.isolation.tables import Catalog, Check, ForeignKey, Table, Unique

Values = dict[str, str | None]

_TRIES = 80  # inserts per row
_FRESH = 5  # new tokens per unique constraint
_COMBINATIONS = 60  # per check constraint
# What auth.users gets beyond its id; columns it does not have are left out.
_USER: dict[str, str] = {
    "instance_id": "00000000-0000-0000-0000-000000000000",
    "aud": "authenticated",
    "role": "authenticated",
    "raw_app_meta_data": '{"provider": "email", "providers": ["email"]}',
    "email_confirmed_at": "now",
    "created_at": "now",
    "updated_at": "now",
}


class Unfillable(Exception):
    """No row can be made for a table; str() says why, as a person reads it."""


class _Circular(Unfillable):
    """Not from this side: the table is needed for a row that it needs itself."""


@dataclass(frozen=True)
class Row:
    """A row that was accepted.

    given: the columns an insert names, its key among them. values: all of them as text, as they were stored.
    where: finds the row, without an index; keyed: by its primary key, for who may not read the whole table.
    found: it was there already, made by a trigger.
    """

    table: Table
    user: str
    given: Values
    values: Values
    where: sql.Composable
    keyed: sql.Composable
    found: bool = False


@dataclass
class _Draft:
    """A row in the making. fixed: the values of the columns whose content is not free, best first."""

    table: Table
    fixed: Mapping[str, Sequence[str | None]]
    token: str
    chosen: Values = field(default_factory=dict)
    series: dict[str, Iterator[tuple[str | None, ...]]] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    rotation: Iterator[Values] | None = None


def literal(table: Table, column: str, value: str | None) -> sql.Composable:
    """The value as SQL, cast to the column's type."""
    if value is None:
        return sql.SQL("null")
    return sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(table.column[column].sql_type))


def assignments(table: Table, values: Values) -> sql.Composable:
    """`a = 1, b = 2`"""
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), literal(table, name, value)) for name, value in values.items()
    )


def insertion(table: Table, values: Values) -> sql.Composable:
    """The insert statement; values of identity columns are given rather than drawn, because no rollback undoes that."""
    if not values:
        return sql.SQL("insert into {} default values").format(table.identifier)
    return sql.SQL("insert into {} ({}) overriding system value values ({})").format(
        table.identifier,
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(literal(table, name, value) for name, value in values.items()),
    )


class Filler:
    """Makes and remembers rows, one for each table and user.

    present: the rows that are there now; whoever rolls back puts the dictionary back as well. companies: for a table
    whose rows belong to a group of users, the table of the memberships, whose rows are made with it.
    """

    def __init__(self, sandbox: Sandbox, catalog: Catalog, ownerships: Mapping[int, Ownership]) -> None:
        self.sandbox = sandbox
        self.catalog = catalog
        self.ownerships = ownerships
        self.present: dict[tuple[int, str], Row] = {}
        self.companies: dict[int, Table] = {}
        self._recipes: dict[tuple[int, str], Values] = {}
        self._failures: dict[tuple[int, str], str] = {}
        self._planned: dict[tuple[int, str], Values] = {}
        self.third = ""

    def user(self) -> str:
        """A new user's id. Raises Unfillable."""
        table = self.catalog.users
        if table is None:
            raise Unfillable("there is no table auth.users")
        user = str(uuid4())
        names = {"name": "Test", "full_name": "Test User", "user_name": f"u{user[:8]}", "username": f"u{user[:8]}"}
        details = ", ".join(f'"{name}": "{value}"' for name, value in names.items())
        given = {"id": user, "email": email(user), "raw_user_meta_data": "{" + details + "}", **_USER}
        self._search(table, user, {name: [value] for name, value in given.items() if name in table.column})
        return user

    def row(self, table: Table, user: str, making: tuple[int, ...] = ()) -> Row:
        """The user's row of the table, made now unless it is there. Raises Unfillable."""
        key = (table.oid, user)
        if key in self.present:
            return self.present[key]
        if key in self._failures:
            raise Unfillable(self._failures[key])
        try:
            fixed = self.parents(table, user, making)
            made = self._again(table, user, key) or self._search(table, user, fixed)
        except _Circular:
            raise
        except (Unfillable, psycopg.Error) as error:
            self._failures[key] = str(error).partition("\n")[0]
            raise Unfillable(self._failures[key]) from error
        self._recipes[key] = made.given
        self.present[key] = made
        return made

    def parents(self, table: Table, user: str, making: tuple[int, ...] = ()) -> dict[str, list[str | None]]:
        """Make what the user's row of `table` refers to; the values of the referring columns. Raises Unfillable."""
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
            if (company := self.companies.get(key.target)) and company.oid not in making:
                self.row(company, user, making)
        return fixed

    def _reference(self, table: Table, user: str, key: ForeignKey, own: Ownership, making: tuple[int, ...]) -> Values:
        """The values of one foreign key's columns; none where it can stay null."""
        users = self.catalog.users
        if users and key.target == users.oid:
            return {}
        needed = any(table.column[name].not_null for name in key.columns)
        target = self.catalog.tables.get(key.target)
        if target is None:
            raise Unfillable(f"{key.name} refers to a table of the system")
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
        except Unfillable as error:
            if not needed:
                return {}
            if isinstance(error, _Circular):
                raise
            raise Unfillable(f"{target.label}, which it refers to, cannot be filled: {error}") from error
        return {name: parent.values[theirs] for name, theirs in zip(key.columns, key.target_columns, strict=True)}

    def _plan(self, target: Table, user: str, key: ForeignKey) -> Values:
        """Choose now what a row made later will hold in the columns that `key` refers to."""
        plan = self._planned.setdefault((target.oid, user), {})
        for name in key.target_columns:
            if name not in plan:
                plan[name] = candidates(target.column[name], _about(target, name), uuid4().hex, fresh=True)[0]
        return {name: plan[theirs] for name, theirs in zip(key.columns, key.target_columns, strict=True)}

    def _again(self, table: Table, user: str, key: tuple[int, str]) -> Row | None:
        """The row as it was made before, if it was and can be."""
        if key not in self._recipes:
            return None
        try:
            return self.insert(table, user, self._recipes[key])
        except errors.UniqueViolation:  # a trigger has made one since
            return None

    def _search(self, table: Table, user: str, fixed: Mapping[str, Sequence[str | None]]) -> Row:
        """Insert, change what the database complains about, insert again. Raises Unfillable."""
        planned = {name: [value] for name, value in self._planned.get((table.oid, user), {}).items()}
        draft = _Draft(table, {**fixed, **planned}, uuid4().hex)
        draft.chosen = {name: values[0] for name, values in draft.fixed.items()}
        for column in table.columns:
            if (column.required or column.sequence) and column.name not in draft.chosen:
                draft.chosen[column.name] = _options(draft, column.name)[0]
        for _ in range(_TRIES):
            try:
                return self.insert(table, user, draft.chosen)
            except psycopg.Error as error:
                if isinstance(error, errors.UniqueViolation) and (row := self._existing(draft, user, error)):
                    return row
                self._mend(draft, error)
        raise Unfillable(f"no accepted row was found in {_TRIES} tries")

    def _mend(self, draft: _Draft, error: psycopg.Error) -> None:
        """Change the draft in answer to `error`. Raises Unfillable when there is nothing to change."""
        table, diag = draft.table, error.diag
        if isinstance(error, errors.NotNullViolation) and diag.column_name in table.column:
            if draft.chosen.get(diag.column_name) is not None or diag.column_name in draft.fixed:
                raise Unfillable(f"{diag.column_name} becomes null")
            draft.chosen[diag.column_name] = _options(draft, diag.column_name)[0]
        elif isinstance(error, errors.CheckViolation):
            self._next(draft, self._check(table, error))
        elif isinstance(error, (errors.UniqueViolation, errors.ExclusionViolation)):
            unique = self._unique(table, error)
            free = [name for name in unique.columns if name in table.column and name not in draft.fixed]
            count = draft.fresh[unique.name] = draft.fresh.get(unique.name, 0) + 1
            if not free or count > _FRESH:
                raise Unfillable(f"{unique.name} is violated by every value tried")
            draft.token = uuid4().hex
            for name in free:
                draft.chosen[name] = _options(draft, name, fresh=True)[0]
        elif error.sqlstate and error.sqlstate[:2] in ("22", "23", "P0"):
            if draft.rotation is None:
                draft.rotation = _rotations(draft)
            changed = next(draft.rotation, None)
            if changed is None:
                raise Unfillable(_message(error))
            draft.chosen.update(changed)
        else:
            raise Unfillable(_message(error))

    def _next(self, draft: _Draft, check: Check) -> None:
        """The next values for the columns of a violated check."""
        free = [name for name in check.columns if _free(draft, name)]
        if check.name not in draft.series:
            options = [
                [*draft.fixed.get(name, _options(draft, name)), *([] if draft.table.column[name].not_null else [None])]
                for name in free
            ]
            draft.series[check.name] = combinations(options, _COMBINATIONS) if free else iter(())
        values = next(draft.series[check.name], None)
        if values is None:
            name = check.name or "its partitions' bounds"
            raise Unfillable(f"no value tried satisfies {name}: {check.definition}")
        draft.chosen.update(zip(free, values, strict=True))

    def _check(self, table: Table, error: psycopg.Error) -> Check:
        """The check that `error` names: the table's, a domain's, or the bounds of partitions."""
        diag = error.diag
        if diag.datatype_name:
            names = tuple(column.name for column in table.columns if column.type.domain == diag.datatype_name)
            return Check(diag.constraint_name or "", names, f"the domain {diag.datatype_name}")
        for check in table.checks:
            if check.name == (diag.constraint_name or ""):
                return check
        raise Unfillable(_message(error))

    def _unique(self, table: Table, error: psycopg.Error) -> Unique:
        """The index that `error` names; a partition's has the columns of its parent's."""
        for each in (table, *self.catalog.tables.values()):
            for unique in each.uniques:
                if unique.name == error.diag.constraint_name and (each is table or each.name == error.diag.table_name):
                    return unique
        raise Unfillable(_message(error))

    def _existing(self, draft: _Draft, user: str, error: psycopg.Error) -> Row | None:
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

    def insert(self, table: Table, user: str, given: Values) -> Row:
        """Insert and read back what the table has made of it. Raises psycopg.Error, Unfillable."""
        columns = [sql.Identifier(name) for name in table.primary_key] or [sql.Identifier("ctid")]
        returned = self.sandbox.run(
            insertion(table, given)
            + sql.SQL(" returning {}").format(sql.SQL(", ").join(sql.SQL("{}::text").format(c) for c in columns))
        )
        if not returned:
            raise Unfillable("a trigger swallows the row")
        if table.primary_key:
            given = {**given, **{n: v for n, v in zip(table.primary_key, returned[0], strict=True)
                                 if not table.column[n].generated}}  # fmt: skip
            condition = matching(table, dict(zip(table.primary_key, returned[0], strict=True)))
        else:
            condition = sql.SQL("ctid = {}::tid").format(returned[0][0])
        row = self._read(table, user, given, condition)
        if row is None:
            raise Unfillable("the row cannot be found again after its insert")
        return row

    def again(self, row: Row) -> Row:
        """The row as it is now, which a trigger on another table may have changed. Raises Unfillable, psycopg.Error."""
        now = self._read(row.table, row.user, row.given, row.keyed)
        if now is None:
            raise Unfillable("its row is gone after rows of other tables were made")
        return now

    def _read(self, table: Table, user: str, given: Values, condition: sql.Composable) -> Row | None:
        names = [column.name for column in table.columns]
        columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        found = self.sandbox.run(
            sql.SQL("select ctid::text, tableoid::text, {} from {} where {} limit 1").format(
                columns, table.identifier, condition
            )
        )
        if not found:
            return None
        place, part, *texts = found[0]
        where = sql.SQL("ctid = {}::tid").format(place)
        if table.kind == "p":
            where = sql.SQL("tableoid = {}::oid and {}").format(part, where)
        values = dict(zip(names, texts, strict=True))
        keyed = matching(table, {name: values[name] for name in table.primary_key}) if table.primary_key else where
        return Row(table, user, dict(given), values, where, keyed)


def matching(table: Table, values: Values) -> sql.Composable:
    """`a = 1 and b = 2`"""
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), literal(table, name, value)) for name, value in values.items()
    )


def _about(table: Table, column: str) -> list[str]:
    return [check.definition for check in table.checks if column in check.columns]


def _options(draft: _Draft, name: str, fresh: bool = False) -> list[str | None]:
    column = draft.table.column[name]
    unique = column.sequence or any(name in index.columns for index in draft.table.uniques)
    return [*candidates(column, _about(draft.table, name), draft.token, fresh or unique)]


def _free(draft: _Draft, name: str) -> bool:
    """Whether the draft may put another value there."""
    column = draft.table.column[name]
    return not column.generated and len(draft.fixed.get(name, ("", ""))) > 1


def _rotations(draft: _Draft) -> Iterator[Values]:
    """For a complaint that names no column: fill every column, then try other values, one column at a time."""
    free = [column for column in draft.table.columns if column.name not in draft.fixed and not column.generated]
    yield {c.name: _options(draft, c.name)[0] for c in free if c.name not in draft.chosen and c.default is None}
    for column in free:
        for value in _options(draft, column.name)[1:4]:
            yield {column.name: value}


def _message(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).partition("\n")[0]
