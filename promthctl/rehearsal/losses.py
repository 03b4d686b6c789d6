"""What became of the witness rows: which are gone, which values are no longer what they were, what was moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from promthctl.rehearsal.observer import Content

Row = tuple[str | None, ...]
Same = Callable[[int, str, str], bool]  # attnum, the text before, the text now


@dataclass(frozen=True)
class TableLoss:
    """What one table lost of its witness rows.

    gone: it does not exist any more. rows: the indexes of rows that vanished. columns: attnums that are gone with
    values. changed: attnum → the indexes of rows with another value there. filled: attnums where nulls got a value.
    """

    gone: bool = False
    rows: frozenset[int] = frozenset()
    columns: frozenset[int] = frozenset()
    changed: Mapping[int, frozenset[int]] = field(default_factory=dict)
    filled: frozenset[int] = frozenset()

    @property
    def nothing(self) -> bool:
        return not (self.gone or self.rows or self.columns or self.changed)

    def covers(self, other: TableLoss) -> bool:
        """True where everything that `other` lost is lost here too."""
        if self.gone:
            return True
        return (
            not other.gone
            and self.rows >= other.rows
            and self.columns >= other.columns
            and all(
                number in self.columns or self.changed.get(number, frozenset()) | self.rows >= rows
                for number, rows in other.changed.items()
            )
        )


def table_loss(before: Content, now: Content | None, same: Same) -> TableLoss:
    """Compare one table with what it was; columns go by their number, which a rename leaves."""
    if now is None:
        return TableLoss(gone=True, rows=frozenset(range(len(before.rows))))
    pairs = {column.number: (place, now.place(column.number)) for place, column in enumerate(before.columns)}
    columns = frozenset(
        number for number, (place, other) in pairs.items()
        if other is None and any(row[place] is not None for row in before.rows)
    )  # fmt: skip
    common = [(number, place, other) for number, (place, other) in pairs.items() if other is not None]
    matched, left = _exact(before, now, common, same)
    missing = [index for index in range(len(before.rows)) if index not in matched]
    changed: dict[int, set[int]] = {}
    filled: set[int] = set()
    gone: set[int] = set()
    for index in missing:
        found = _nearest(before.rows[index], [(other, now.rows[other]) for other in left], common, same)
        if found is None:
            gone.add(index)
            continue
        left.remove(found)
        for number, place, other in common:
            old, new = before.rows[index][place], now.rows[found][other]
            if old is None and new is not None:
                filled.add(number)
            elif old is not None and (new is None or not (old == new or same(number, old, new))):
                changed.setdefault(number, set()).add(index)
    return TableLoss(
        rows=frozenset(gone),
        columns=columns,
        changed={number: frozenset(rows) for number, rows in changed.items()},
        filled=frozenset(filled),
    )


def _exact(
    before: Content, now: Content, common: Iterable[tuple[int, int, int]], same: Same
) -> tuple[dict[int, int], list[int]]:
    """Rows that are there as they were: index before → index now; and the rows now that are left over."""
    left = list(range(len(now.rows)))
    matched: dict[int, int] = {}
    for index, row in enumerate(before.rows):
        for other in left:
            if all(_equal(number, row[a], now.rows[other][b], same) for number, a, b in common):
                matched[index] = other
                left.remove(other)
                break
    return matched, left


def _equal(number: int, old: str | None, new: str | None, same: Same) -> bool:
    return old == new or (old is not None and new is not None and same(number, old, new))


def _nearest(
    row: Row, candidates: Iterable[tuple[int, Row]], common: Iterable[tuple[int, int, int]], same: Same
) -> int | None:
    """The row that this one has become: most values in common, one of them telling, or half of all."""
    best, best_score = None, 0.0
    pairs = list(common)
    filled = sum(row[a] is not None for _, a, _ in pairs) or 1
    for index, other in candidates:
        equal = [row[a] for number, a, b in pairs if row[a] is not None and _equal(number, row[a], other[b], same)]
        score = len(equal) + 0.5 * sum(_telling(value) for value in equal)
        if score > best_score and (any(_telling(value) for value in equal) or len(equal) * 2 >= filled):
            best, best_score = index, score
    return best


def _telling(text: str | None) -> bool:
    """True for a text that no other row has by chance."""
    return text is not None and len(text) >= 6


def found_again(
    before: Content, row_indexes: Iterable[int], numbers: Iterable[int], end: Mapping[int, Content], but: int | None
) -> set[int] | None:
    """The tables in which all values of these columns are, each beside its row's key; None where some are not.

    A partitioned table is one, whatever partitions its rows are in.
    but: a table in which the columns themselves do not count, since they are what was lost there.
    """
    indexes, places = list(row_indexes), {}
    for number in numbers:
        place = before.place(number)
        if place is not None and any(before.rows[index][place] is not None for index in indexes):
            places[number] = place
    wide: dict[int, list[dict[str, str]]] = {}
    for content in end.values():
        if not content.label.startswith("auth.") or content.oid == but:
            spread = [_spread(content, row, before if content.oid == but else None) for row in content.rows]
            wide.setdefault(content.root or content.oid, []).extend(spread)
    keys = {index: _key(before, index) for index in indexes}
    used: set[int] = set()
    for place in places.values():
        found = next(_homes(before, indexes, place, keys, wide.items()), None)
        if found is None:
            return None
        used.add(found)
    return used


def _homes(
    before: Content,
    indexes: Iterable[int],
    place: int,
    keys: Mapping[int, frozenset[str]],
    wide: Iterable[tuple[int, list[dict[str, str]]]],
) -> Iterator[int]:
    """Tables with a column that has the value of every row beside the row's key."""
    wanted = [(before.rows[index][place], keys[index]) for index in indexes]
    wanted = [(value, key) for value, key in wanted if value is not None]
    texts = {value for value, _ in wanted}
    if len(texts) < 2 and not any(_telling(value) for value in texts):
        return
    for oid, rows in wide:
        names = {name for row in rows for name in row if not name.startswith("was ")}
        for name in names:
            if all(any(_alike(row.get(name), str(value)) and _has(row, key) for row in rows) for value, key in wanted):
                yield oid
                break


def _has(row: Mapping[str, str], key: frozenset[str]) -> bool:
    values = {_plain(value) for value in row.values()}
    return key <= values


def _key(before: Content, index: int) -> frozenset[str]:
    """What tells the row from others: its first telling values."""
    telling = [value for value in before.rows[index] if value is not None and _telling(value)]
    return frozenset(_plain(value) for value in telling[:1])


def _spread(content: Content, row: Row, but: Content | None) -> dict[str, str]:
    """A row's values by column, those in a JSON object too. but: without the columns that it had before."""
    old = {column.number for column in but.columns} if but else set()
    found: dict[str, str] = {}
    for column, value in zip(content.columns, row, strict=True):
        if value is None:
            continue
        own = column.name if content.root else str(column.number)  # partitions number their columns each for itself
        found[own if column.number not in old else f"was {column.number}"] = value
        if column.type in ("json", "jsonb"):
            found.update(_leaves(own, value))
    return found


def _leaves(prefix: str, text: str) -> dict[str, str]:
    try:
        data = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return {}
    if not isinstance(data, dict):
        return {}
    spelled = {True: "t", False: "f"}
    return {
        f"{prefix} {key}": spelled.get(value, str(value)) if isinstance(value, bool) else str(value)
        for key, value in data.items()
        if isinstance(value, (str, bool))
    }


def _alike(one: str | None, other: str) -> bool:
    return one is not None and (one == other or _plain(one) == _plain(other))


def _plain(text: str) -> str:
    """One spelling for what types write differently: 1.50 and 1.5, a time with and without its zone UTC, t and true."""
    if text in ("true", "false"):
        return text[0]
    if len(text) > 10 and text.endswith("+00") and ":" in text:
        return text.removesuffix("+00")
    if len(text) > 10 and text.endswith("+00:00") and ":" in text:
        return text.removesuffix("+00:00").replace("T", " ")
    if text[:1] in "-0123456789" and text[-1:].isdigit():
        try:
            number = Decimal(text)
            return str(number.normalize()) if str(number) == text else text
        except InvalidOperation:
            return text
    return text
