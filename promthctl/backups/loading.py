"""One table of a backup: what conflicts with its rows, and the statements that put them back.

The rows are copied into a temporary table first. Compared with the table as it is now they are then of three kinds:
rows that are missing are inserted; rows whose key is there with other values are conflicts; rows that refer to rows
which are gone are conflicts too. A value that is null, the column's default or what the column got when it was added
was set by nobody: a column that the rollback dropped and a push brought back holds nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from promthctl.backups.manifest import SavedTable
from promthctl.backups.present_tables import ForeignKey, PresentTable

if TYPE_CHECKING:
    import psycopg

_STAGE = sql.Identifier("promthctl_restored")
_EXAMPLES = 3  # keys that a conflict names


@dataclass(frozen=True)
class RowConflict:
    """Why rows of the backup cannot simply be put back, as a sentence about the table."""

    table: str
    rows: int
    why: str

    @property
    def text(self) -> str:
        return f"{self.table}: {self.rows:,} {'row' if self.rows == 1 else 'rows'} {self.why}"


class TableLoading:
    """Loads one table of a backup. connection: in the transaction of the whole restore."""

    def __init__(
        self, connection: psycopg.Connection[Any], saved: SavedTable, now: PresentTable, replace: bool
    ) -> None:
        self._connection = connection
        self._saved = saved
        self._now = now
        self._replace = replace
        self._table = sql.Identifier(saved.schema, saved.name)
        self._columns = [column.name for column in saved.columns]
        self._whole = saved.dropped or saved.changed  # otherwise only columns were lost
        compared = self._columns if self._whole else saved.lost
        # A key that the rollback dropped, or that was added since, does not tell which row is which.
        identifies = set(now.key) <= set(self._columns) and not set(now.key) & set(saved.lost)
        self._key = now.key if identifies else ()
        self._compared = [name for name in compared if name not in self._key and not now.columns[name].fixed]

    def stage(self) -> None:
        """An empty temporary table for the rows."""
        self._run(
            "create temporary table {stage} on commit drop as select {columns} from {table} with no data",
            columns=_names(self._columns),
        )

    def copy(self) -> sql.Composed:
        """The statement that takes the rows from us."""
        return sql.SQL("copy {} ({}) from stdin").format(_STAGE, _names(self._columns))

    def staged(self) -> int:
        self._run("analyze {stage}")
        return self._number("select count(*) from {stage}")

    def vacant(self) -> bool:
        """True when the table has no row."""
        return not self._number("select count(*) from (select from {table} limit 1) t")

    def without_key(self) -> RowConflict | None:
        """Rows that cannot be distinguished from those in the table."""
        if self._key or (self._whole and self.vacant()):
            return None
        why = "cannot be distinguished from its present rows: it has no primary key that was there before"
        return RowConflict(self._saved.label, self._saved.rows, why)

    def orphans(self, foreign_keys: Sequence[ForeignKey]) -> list[RowConflict]:
        """Take out the rows that refer to rows which are gone.

        foreign_keys: those of the table, to tables that are loaded already.
        """
        restored = set(self._columns if self._whole else self._saved.lost)
        checked = [key for key in foreign_keys if set(key.columns) <= restored]
        gone: Counter[str] = Counter()
        found = True
        while found:  # rows that refer to those taken out are the next round's
            found = False
            for foreign_key in checked:
                if rows := self._take_out_orphans(foreign_key):
                    gone[f"{foreign_key.parent_schema}.{foreign_key.parent_name}"] += rows
                    found = True
        return [
            RowConflict(
                self._saved.label, rows, f"{'refers' if rows == 1 else 'refer'} to rows of {parent} that are gone"
            )
            for parent, rows in gone.items()
        ]

    def _take_out_orphans(self, foreign_key: ForeignKey) -> int:
        match = _pairs("p.{1} = s.{0}", foreign_key.columns, foreign_key.parent_columns)
        there = sql.SQL("exists (select from {} p where {})").format(
            sql.Identifier(foreign_key.parent_schema, foreign_key.parent_name), match
        )
        if foreign_key.parent == foreign_key.child:
            there = sql.SQL("({} or exists (select from {} p where {}))").format(there, _STAGE, match)
        return self._run(
            "delete from {stage} s where {filled} and not {there}",
            filled=_joined(" and ", "s.{0} is not null", foreign_key.columns),
            there=there,
        )

    def differing(self) -> RowConflict | None:
        """Rows that are there with other values than the backup's."""
        if not self._key or not self._compared:
            return None
        where = sql.SQL("from {} t join {} s on {} where {}").format(self._table, _STAGE, self._same(), self._taken())
        rows = self._number("select count(*) {where}", where=where)
        if not rows:
            return None
        key = _joined(" || ', ' || ", "t.{0}::text", self._key)
        examples = self._run_rows("select {key} {where} limit {n}", key=key, where=where, n=sql.Literal(_EXAMPLES))
        shown = "; ".join(str(value) for (value,) in examples) + ("; …" if rows > _EXAMPLES else "")
        return RowConflict(
            self._saved.label,
            rows,
            f"{'is' if rows == 1 else 'are'} there with other values ({', '.join(self._key)}: {shown})",
        )

    def update(self) -> int:
        """Set the values that may be set in rows that are there; returns how many rows changed."""
        columns = [name for name in self._compared if self._replace or name in self._saved.lost]
        if not self._key or not columns:
            return 0
        where = sql.SQL("{} and ({})").format(self._same(), _joined(" or ", _DIFFERS, columns))
        if not self._replace:
            where = sql.SQL("{} and not ({})").format(where, self._taken())
        return self._run(
            "update {table} t set {values} from {stage} s where {where}",
            values=_joined(", ", "{0} = s.{0}", columns),
            where=where,
        )

    def insert(self, *, leave: bool) -> int:
        """Insert the rows that are missing. leave: skip those that another unique key keeps out."""
        if not self._whole:
            return 0
        missing: sql.Composable = sql.SQL("")
        if self._key:
            missing = sql.SQL("where not exists (select from {} t where {})").format(self._table, self._same())
        return self._run(
            "insert into {table} ({columns}) overriding system value select {columns} from {stage} s {missing} {leave}",
            columns=_names(self._columns),
            missing=missing,
            leave=sql.SQL("on conflict do nothing" if leave else ""),
        )

    def absent(self) -> int:
        """How many rows are still missing."""
        if not self._whole or not self._key:
            return 0
        return self._number(
            "select count(*) from {stage} s where not exists (select from {table} t where {same})", same=self._same()
        )

    def unstage(self) -> None:
        self._run("drop table {stage}")

    def _same(self) -> sql.Composed:
        return _pairs("t.{0} = s.{1}", self._key, self._key)

    def _taken(self) -> sql.Composed:
        """True for a row that has a value which somebody set, and which is not the backup's."""
        return sql.SQL("({})").format(sql.SQL(" or ").join(map(self._taken_by, self._compared)))

    def _taken_by(self, name: str) -> sql.Composed:
        column, now = sql.Identifier(name), self._now.columns[name]
        unset: list[sql.Composable] = []
        if name in self._saved.lost:
            unset.append(sql.SQL("null"))
            unset += [sql.SQL("({})::text").format(sql.SQL(now.default))] if now.default is not None else []
            unset += [sql.Literal(now.filled)] if now.filled is not None else []
        others = [sql.SQL("t.{}::text is distinct from {}").format(column, value) for value in unset]
        return sql.SQL("({})").format(sql.SQL(" and ").join([sql.SQL(_DIFFERS).format(column), *others]))

    def _number(self, text: str, **parts: sql.Composable) -> int:
        ((number,),) = self._run_rows(text, **parts)
        return int(number)

    def _run_rows(self, text: str, **parts: sql.Composable) -> list[tuple[Any, ...]]:
        return self._connection.execute(self._text(text, parts)).fetchall()

    def _run(self, text: str, **parts: sql.Composable) -> int:
        return self._connection.execute(self._text(text, parts)).rowcount

    def _text(self, text: Any, parts: Mapping[str, sql.Composable]) -> sql.Composed:
        return sql.SQL(text).format(**{"table": self._table, "stage": _STAGE, **parts})


_DIFFERS = "t.{0}::text is distinct from s.{0}::text"  # as text: json, xml and point have no equality operator


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _joined(between: Any, text: Any, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(between).join(sql.SQL(text).format(sql.Identifier(name)) for name in names)


def _pairs(text: Any, left: Sequence[str], right: Sequence[str]) -> sql.Composed:
    pairs = zip(left, right, strict=True)
    return sql.SQL(" and ").join(sql.SQL(text).format(sql.Identifier(a), sql.Identifier(b)) for a, b in pairs)
