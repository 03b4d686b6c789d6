"""Rows of the owner whose values are found again wherever they turn up: in what a function returns, in a view.

A marker is a value that no other row has, and long enough not to be there by chance. A row gets as many as its table
takes; numbers lie between those of the two other users, so that no minimum, maximum or sum of all rows is one of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

import psycopg
from psycopg import sql

from promthctl.isolation.batch import GUARDS, Trial, try_all
from promthctl.isolation.row_maker import RowMaker, RowNotMade
from promthctl.isolation.sample_row import SampleRow, Values, assignments
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.tables import ProbedColumn, ProbedTable

# By table what its columns are, and who may do what with it.
_GUARDS = """
select jsonb_object_agg(c.oid, md5(concat(c.relrowsecurity, c.relforcerowsecurity, c.relowner, c.relacl,
    (select string_agg(concat(attname, attacl), ',' order by attnum) from pg_catalog.pg_attribute
      where attrelid = c.oid and attnum > 0 and not attisdropped),
    (select string_agg(concat(polname, polcmd, polpermissive, polroles, polqual, polwithcheck), ',' order by polname)
       from pg_catalog.pg_policy where polrelid = c.oid))))
  from pg_catalog.pg_class c where c.oid = any({tables}::oid[])"""
_SHORTEST = 8  # characters of a marker
_TEXTS = {"text", "varchar", "bpchar", "citext"}
_ROOM = 12  # of a text column that a marker fits into
_OF_USERS = {"encrypted_password", "phone", "raw_user_meta_data", "confirmation_token", "recovery_token"}
_CHANCE = {"timestamp", "timestamptz", "time", "timetz", "interval", "bool", "inet", "cidr"}  # not unique enough
_BY_CHANCE = re.compile(r"[0-9a-f]{12}")  # in a uuid, and in what _marker makes


@dataclass
class Witness:
    """One row of the owner's. owned: somebody owns the table's rows. markers: by column. state: JSON, as last read."""

    row: SampleRow
    owned: bool
    markers: dict[str, str] = field(default_factory=dict)
    state: str = ""

    @property
    def table(self) -> ProbedTable:
        return self.row.table


class Witnesses:
    """The owner's rows in the tables given, with another user's beside them. users: owner, other, a third.

    secrets: markers in the vault, by their text what they are. missing: by a table's label, why it has no row.
    """

    def __init__(self, sandbox: Sandbox, maker: RowMaker, users: Sequence[str]) -> None:
        self._sandbox, self._maker, self.users = sandbox, maker, tuple(users)
        self.rows: list[Witness] = []
        self.secrets: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self._shown: list[dict[int, set[str]]] = []  # for each actor, by a table's oid, the markers that it showed

    def make(self, tables: Iterable[ProbedTable], fixed: Mapping[int, Collection[str]]) -> None:
        """Make the rows. fixed: by a table's oid, the columns whose value decides something and stays as it is.

        Raises psycopg.Error when the connection is lost.
        """
        for table in tables:
            own = self._maker.ownerships[table.oid]
            owned = own.known or table.oid in self._maker.membership_tables or table is self._maker.catalog.users
            made = []
            for user in self.users:
                try:
                    made.append(self._maker.row(table, user))
                except RowNotMade as error:
                    if not made:
                        self.missing[table.label] = str(error)
                        break
            if made:
                marked = [self._marked(row, place, fixed.get(table.oid, ())) for place, row in enumerate(made)]
                self.rows.append(Witness(marked[0], owned))
        self.read_again()
        for witness in self.rows:
            others = [
                row.values.values() for (oid, user), row in self._maker.present.items()
                if oid == witness.table.oid and user != self.users[0]
            ]  # fmt: skip
            theirs = {value.lower() for values in (*others, self.users[1:]) for value in values if value}
            witness.markers = _markers(witness.row, theirs, len(others) == len(self.users) - 1)

    def keep_secrets(self, names: Iterable[str]) -> None:
        """Put secrets of these names into the vault, where there is one and it has none of that name."""
        for name in names:
            token = f"w{uuid4().hex[:16]}"
            with suppress(psycopg.Error):
                self._sandbox.run(sql.SQL("select vault.create_secret({}, {})").format(token, name))
                self.secrets[token] = "vault.decrypted_secrets"

    @property
    def markers(self) -> list[str]:
        """All of them, in an order that stays."""
        return sorted({*self.secrets, *(marker for witness in self.rows for marker in witness.markers.values())})

    def _marked(self, row: SampleRow, place: int, fixed: Collection[str]) -> SampleRow:
        """The row with a marker in every column that takes one. place: of its user, the owner being the first."""
        wanted: Values = {
            column.name: value
            for column in row.table.columns
            if column.name not in fixed and _changeable(row, column) and (value := _marker(column, place)) is not None
        }
        for part in (wanted, *({name: value} for name, value in wanted.items())):
            if part and self._update(row, part) and part is wanted:
                break
        with suppress(RowNotMade, psycopg.Error):
            row = self._maker.reread(row)
        self._maker.present[row.table.oid, row.user] = row
        return row

    def _update(self, row: SampleRow, values: Values) -> bool:
        statement = sql.SQL("update {} set {} where {}").format(
            row.table.identifier, assignments(row.table, values), row.keyed
        )
        try:
            self._sandbox.run(statement + sql.SQL(" returning 1"))
        except psycopg.Error:
            if self._sandbox.connection.broken:
                raise
            return False
        return True

    def change(self, values: Mapping[int, Values]) -> bool:
        """Set columns of the owner's rows, by the table's oid; False where the database refuses."""
        done = all(self._update(each.row, values[each.table.oid]) for each in self.rows if each.table.oid in values)
        self.read_again()
        return done

    def read_again(self) -> None:
        """Read the rows as they are now; those that triggers have removed are left out."""
        found = []
        for witness, state in zip(self.rows, self._states(), strict=True):
            if state is None:
                continue
            row = witness.row
            if state != witness.state:
                with suppress(RowNotMade):
                    row = self._maker.reread(row)
            self._maker.present[row.table.oid, row.user] = row
            found.append(replace(witness, row=row, state=state))
        self.rows = found

    def _states(self) -> list[str | None]:
        """Each row as it is now, None for one that is gone: all of them by one query."""
        if not self.rows:
            return []
        parts = (
            sql.SQL("select {} as place, ({})::text as now").format(sql.Literal(place), _as_json(witness))
            for place, witness in enumerate(self.rows)
        )
        query = sql.SQL("select now from ({}) each order by place").format(sql.SQL(" union all ").join(parts))
        return [state for (state,) in self._sandbox.run(query)]

    def labels(self, marker: str) -> list[str]:
        """The columns that hold it, e.g. notes.body."""
        if marker in self.secrets:
            return [self.secrets[marker]]
        return [f"{w.table.label}.{name}" for w in self.rows for name, text in w.markers.items() if text == marker]

    def owned_by_somebody(self, marker: str) -> bool:
        return marker in self.secrets or any(marker in each.markers.values() for each in self.rows if each.owned)

    def identity(self, table: ProbedTable) -> tuple[str, ...]:
        """The columns that say whose a row is."""
        own = self._maker.ownerships[table.oid]
        return (*own.identity, *(name for key in own.links for name in key.columns))

    def hidden_from(self, actors: Sequence[Actor], tables: Collection[int] | None = None) -> list[set[str]]:
        """For each actor, the markers that they do not see by reading the tables themselves.

        tables: oids of those whose rows are read, and whose markers count, with all secrets; of the others it is known
        what they showed at first, when every table was read. None for every table.
        """
        rows = [one for one in self.rows if tables is None or one.table.oid in tables]
        everything = {*self.secrets, *(marker for witness in rows for marker in witness.markers.values())}
        first = not self._shown
        if first:
            self._shown = [{} for _ in actors]
        read, trials = [], []
        for place, actor in enumerate(actors):
            for witness in rows:
                if statement := self._reading(witness, actor):
                    read.append((place, witness.table.oid))
                    trials.append(Trial(actor, statement, {}))
        hidden = [everything.copy() for _ in actors]
        for (place, oid), result in zip(read, try_all(self._sandbox, trials), strict=True):
            if result.found:
                seen = {marker for marker in everything if marker in result.found.lower()}
                hidden[place] -= seen
                if first:
                    self._shown[place].setdefault(oid, set()).update(seen)
        if tables is not None:
            for place, shown in enumerate(self._shown):
                hidden[place] -= {marker for oid, seen in shown.items() if oid not in tables for marker in seen}
        return hidden

    def _reading(self, witness: Witness, actor: Actor) -> str:
        """A query for the row with all columns that the actor may read; empty where they may read none."""
        table = witness.table
        whole = (actor.role, "SELECT") in table.whole
        columns = set(table.column) if whole else table.rights.get((actor.role, "SELECT"), frozenset())
        if not columns:
            return ""
        names = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in sorted(columns)]
        text = sql.SQL("concat_ws(' ', {})").format(sql.SQL(", ").join(names))
        where = witness.row.keyed
        if not whole and not (table.primary_key and set(table.primary_key) <= columns):  # it is told by its markers
            looked_for = [f"%{marker}%" for marker in witness.markers.values()]
            where = sql.SQL("{} ilike any({}::text[])").format(text, sql.Literal(looked_for))
        query = sql.SQL("select string_agg({}, ' ') from {} where {}").format(text, table.identifier, where)
        return query.as_string(self._sandbox.connection)

    def of_tables(self, tables: Collection[int] | None) -> list[int]:
        """The oids of the tables with rows, among these; None for all."""
        return sorted({one.table.oid for one in self.rows if tables is None or one.table.oid in tables})

    def change_query(self, tables: Collection[int] | None = None) -> str:
        """A query for what differs in the owner's rows from how they were read: JSON, {place: [before, now or null]}.

        Under the place GUARDS stands what differs in what guards the tables. tables: oids of those that are looked at;
        None for all.
        """
        parts = [
            sql.SQL("select {} as place, ({}) as now, {}::jsonb as before").format(
                sql.Literal(place), _as_json(witness), sql.Literal(witness.state)
            )
            for place, witness in enumerate(self.rows)
            if tables is None or witness.table.oid in tables
        ]
        if not parts:
            return ""
        guards = sql.SQL(_GUARDS).format(tables=sql.Literal(self.of_tables(tables)))
        before = self._sandbox.run(sql.SQL("select ({})::text").format(guards))[0][0]
        part = sql.SQL("select {} as place, ({}) as now, {}::jsonb as before")
        parts.append(part.format(sql.Literal(GUARDS), guards, sql.Literal(before)))
        query = sql.SQL(
            "select jsonb_object_agg(place, jsonb_build_array(before, now))::text from ({}) each"
            " where now is distinct from before"
        ).format(sql.SQL(" union all ").join(parts))
        return query.as_string(self._sandbox.connection)


def _as_json(witness: Witness) -> sql.Composed:
    return sql.SQL("select to_jsonb(t) from {} t where {} limit 1").format(witness.table.identifier, witness.row.keyed)


def _changeable(row: SampleRow, column: ProbedColumn) -> bool:
    table = row.table
    bound = {name for key in table.foreign_keys for name in key.columns} | {*table.primary_key}
    decisive = {name for policy in table.policies for name in policy.columns}
    if column.name in bound | decisive or column.generated or column.identity or column.sequence or column.type.labels:
        return False
    if (table.schema, table.name) == ("auth", "users") and column.name not in _OF_USERS:
        return False  # what Auth decides by
    if column.default and column.type.name in _TEXTS:  # a status, a role: what such a column starts with is a state
        return column.default.partition("::")[0] == "''"
    value = row.values.get(column.name)
    if value and "@" in value:  # copied from auth.users, perhaps
        return False
    return value is None or len(value) < _SHORTEST or column.type.name in _TEXTS or "{" in value


def _marker(column: ProbedColumn, place: int) -> str | None:
    """A new value for the column; None where its type has no room for one."""
    type_, token = column.type, uuid4().hex
    low = (1_000_000_000, 1_600_000_000, 100_000_000)[place] + int(token[:6], 16)  # the owner's is in the middle
    if type_.name in _TEXTS:
        room = type_.modifier - 4 if type_.modifier > 4 else 80
        text = f"{token[:12]}@example.com" if "mail" in column.name.lower() else f"w{token[:16]}"
        return text if len(text) <= room else f"w{token}"[:room] if room >= _ROOM else None
    if type_.name in ("int4", "int8") or (type_.name == "numeric" and type_.modifier < 0):
        return str(low)
    if type_.name == "numeric" and (type_.modifier - 4 >> 16) - (type_.modifier - 4 & 0x7FF) >= _SHORTEST:
        return str(low // 100)
    if type_.name == "date":
        return f"{(1871, 1881, 1861)[place]}-{1 + int(token[0], 16) % 12:02}-{1 + int(token[1:3], 16) % 28:02}"
    if type_.name in ("json", "jsonb"):
        return json.dumps({"w": f"w{token[:16]}"})
    if type_.element is not None and type_.element.name in _TEXTS and type_.element.kind == "b":
        return "{" + f"w{token[:16]}" + "}"
    return f"\\x{token}" if type_.name == "bytea" else None


def _markers(row: SampleRow, theirs: Collection[str], comparable: bool) -> dict[str, str]:
    """What is found again of the row, in lower case: by column, values that it shares with no other user's row.

    theirs: all values of the others' rows, and the others' ids: a pair of users names them in either order. comparable:
    there is a row of each of the others; if not, a value may be what every row has, and only those that chance has made
    count.
    """
    found: dict[str, str] = {}
    for column in row.table.columns:
        value = (row.values.get(column.name) or "").lower()
        if not comparable and not _BY_CHANCE.search(value):
            continue
        if column.type.name in _CHANCE or column.type.labels or value in theirs:
            continue
        if value.startswith(("{", "[")):  # of JSON or an array, the marker in it
            value = next(iter(_tokens(value)), "")
        if len(value.removesuffix(".00").lstrip("-")) >= _SHORTEST:
            found[column.name] = value.removesuffix(".00")
    return found


def _tokens(text: str) -> Iterator[str]:
    for part in text.replace('"', " ").replace("{", " ").replace("}", " ").replace(",", " ").split():
        if part.startswith("w") and len(part) == 17:
            yield part
