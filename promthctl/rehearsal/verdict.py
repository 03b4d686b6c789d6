"""From what the twin showed to findings: what was lost, in which statement, and what could not be decided."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from promthctl.rehearsal.losses import TableLoss, found_again, table_loss
from promthctl.rehearsal.model import Finding, FindingKind
from promthctl.rehearsal.observer import Content, Counter
from promthctl.rehearsal.replay import Course, Replay, Step
from promthctl.rehearsal.static import Inside, carries_all, fills_only, has_subquery, names_of
from promthctl.sql.quoting import identifier

_Culprit = tuple[int, Step] | None  # a step and its place
# Statements after which every name means what it meant.
_NAMES_KEPT = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "IndexStmt", "CommentStmt", "GrantStmt")


@dataclass(frozen=True)
class Suspicion:
    """A finding before the target was asked. table: of the twin. columns: names of it whose values count.

    node: the DELETE, UPDATE, INSERT or MERGE whose rows it counts on the target itself. triggered: an UPDATE changes
    more than it says. condition: which rows of the target are affected.
    """

    finding: Finding
    table: Content | None = None
    columns: tuple[str, ...] = ()
    node: object = None
    triggered: bool = False
    condition: str = ""


@dataclass
class Verdict:
    """suspicions: in the order of the statements. kept: statements whose data was found again elsewhere."""

    suspicions: list[Suspicion] = field(default_factory=list)
    kept: set[tuple[str, int]] = field(default_factory=set)


@dataclass
class Context:
    """What was around the steps, each by its place. insides: what its text shows. written: tables written to before it.

    triggered: tables whose own triggers run at an UPDATE.
    """

    insides: dict[int, Inside] = field(default_factory=dict)
    written: dict[int, frozenset[int]] = field(default_factory=dict)
    triggered: set[int] = field(default_factory=set)


def judge(replay: Replay, course: Course, context: Context) -> Verdict:
    """What was lost, and what could not be decided."""
    return _Judge(replay, course, context).verdict()


class _Judge:
    def __init__(self, replay: Replay, course: Course, context: Context) -> None:
        self._replay, self._course, self._context = replay, course, context
        self._renamed = replay.renamed_labels()
        self._result = Verdict()

    def verdict(self) -> Verdict:
        blamed: set[tuple[int, int]] = set()  # (step, table) of a loss
        for oid, before in self._replay.baseline.items():
            loss = self._loss(before, self._course.end.get(oid))
            if not loss.nothing:
                blamed |= self._lost(before, loss)
        self._counters()
        for place, step in enumerate(self._course.steps):
            self._undecided(place, step, {oid for at, oid in blamed if at == place})
        self._result.suspicions.sort(key=lambda one: (one.finding.file, one.finding.line))
        return self._result

    def _same(self, oid: int, number: int, old: str, new: str) -> bool:
        return old in self._replay.alike.get((oid, number, new), ()) or self._renamed.get(old) == new

    def _loss(self, before: Content, now: Content | None) -> TableLoss:
        return table_loss(before, now, lambda number, old, new: self._same(before.oid, number, old, new))

    def _lost(self, before: Content, loss: TableLoss) -> set[tuple[int, int]]:
        """Blame each part of a table's loss on the statement after which it stayed lost; (step, table) of each."""
        looks = [
            (place, step, self._loss(before, step.seen[before.oid]))
            for place, step in enumerate(self._course.steps)
            if before.oid in step.seen
        ]

        def first(part: TableLoss) -> _Culprit:
            """The first statement from which on this part of the loss is there at every look."""
            found = None
            for place, step, so_far in reversed(looks):
                if not so_far.covers(part):
                    break
                found = (place, step)
            return found

        culprits = [self._rows_lost(before, loss, first)] if loss.gone or loss.rows else []
        for number in loss.columns:
            culprit = first(TableLoss(columns=frozenset((number,))))
            culprits.append(self._values_lost("destroys", before, number, range(len(before.rows)), culprit))
        for number, rows in loss.changed.items():
            culprit = first(TableLoss(changed={number: rows}))
            culprits.append(self._values_lost("changes", before, number, rows, culprit))
        return {(culprit[0], before.oid) for culprit in culprits if culprit}

    def _rows_lost(self, before: Content, loss: TableLoss, first: Callable[[TableLoss], _Culprit]) -> _Culprit:
        emptied, dropped = first(TableLoss(rows=loss.rows)), first(TableLoss(gone=True)) if loss.gone else None
        culprit = emptied or dropped
        if before.rows and self._moved(before, loss.rows, [column.number for column in before.columns], None):
            self._keep(culprit)
            return culprit
        whole = len(loss.rows) == len(before.rows)
        if loss.gone and culprit == dropped:
            what = f"drops table {before.label} with all its rows"
        elif whole:
            what = f"deletes the rows of {before.label}"
        else:
            what = f"deletes rows of {before.label} ({len(loss.rows)} of the {len(before.rows)} made for it)"
        self._add("destroys", culprit, before, what, counted=not whole)
        return culprit

    def _values_lost(
        self, kind: FindingKind, before: Content, number: int, rows: Iterable[int], culprit: _Culprit
    ) -> _Culprit:
        place = before.place(number)
        held = [index for index in rows if place is not None and before.rows[index][place] is not None]
        if self._moved(before, held, [number], before.oid):
            self._keep(culprit)
            return culprit
        name = next(column.name for column in before.columns if column.number == number)
        verb = "drops" if kind == "destroys" else "changes"
        what = f"{verb} the values of {before.label}.{name}"
        self._add(kind, culprit, before, what, (name,), counted=kind == "changes")
        return culprit

    def _keep(self, culprit: _Culprit) -> None:
        if culprit:
            self._result.kept.add((culprit[1].file, culprit[1].line))

    def _moved(self, before: Content, rows: Collection[int], numbers: Collection[int], but: int | None) -> bool:
        """Whether everything was found again, brought there by statements that leave no row out."""
        if not rows:
            return False
        homes = found_again(before, rows, numbers, self._course.end, but)
        if not homes:
            return False
        # A single column is carried as a whole by what leaves out its nulls, too.
        filled = {column.name for column in before.columns if [*numbers] == [column.number]}
        steps = self._course.steps
        return all(any(carries_all(step.node, filled) for step in steps if step.target == home) for home in homes)

    def _counters(self) -> None:
        """Sequences that were set back or dropped."""
        now = self._course.sequences
        for oid, before in self._replay.sequences.items():
            after = now.get(oid)
            if after is None:
                if before.owner is None:
                    self._counter(before, f"drops sequence {before.name} with the number it has reached")
                continue
            top = self._top(after)
            behind = after.reached < before.reached if before.up else after.reached > before.reached
            if behind and (top is None or after.reached < top):
                self._counter(after, f"sets sequence {before.name} back, so that its next numbers are used already")
        for oid, after in now.items():
            if oid not in self._replay.sequences and after.owner in self._replay.baseline:
                top = self._top(after)
                if top is not None and after.up and after.reached < top:
                    self._counter(after, f"numbers from the new sequence {after.name} are used already")

    def _top(self, counter: Counter) -> int | None:
        """The highest number in the column that the sequence is for; None where there is none."""
        content = self._course.end.get(counter.owner or 0)
        if content is None or counter.column is None or (place := content.place(counter.column)) is None:
            return None
        numbers = [int(text) for row in content.rows if (text := row[place]) is not None and _is_number(text)]
        return max(numbers, default=None)

    def _counter(self, counter: Counter, what: str) -> None:
        culprit = next(
            (
                step for step in self._course.steps
                if counter.name.rpartition(".")[2].strip('"') in step.text or (counter.owner in step.glance.locks)
                or type(step.node).__name__ in ("DoStmt", "SelectStmt", "CallStmt")
            ),
            None,
        )  # fmt: skip
        file, line = (culprit.file, culprit.line) if culprit else ("", 0)
        table = self._replay.baseline.get(counter.owner or 0)
        column = next((one.name for one in table.columns if one.number == counter.column), None) if table else None
        condition = f"{identifier(column)} {'>' if counter.up else '<'} {counter.reached}" if column else ""
        finding = Finding("destroys", file, line, counter.name, what)
        self._result.suspicions.append(Suspicion(finding, table if condition else None, condition=condition))

    def _undecided(self, place: int, step: Step, blamed: set[int]) -> None:
        """Writes that met no witness row, and code whose course depends on rows that only the target has."""
        inside = self._context.insides.get(place)
        baseline = self._replay.baseline
        for oid, operations in step.glance.writes.items():
            before = baseline.get(oid)
            if before is None or oid in blamed:
                continue
            for operation in sorted(operations):
                self._write(place, step, before, operation, inside)
        if inside is None or not inside.runs_code:
            return
        reads = [oid for oid in step.reads if oid in baseline] or [
            oid for oid, content in baseline.items() if oid in step.glance.locks and content.name in inside.text
        ]
        if (inside.hidden or inside.destroys) and inside.branches and (reads or inside.settings) and not blamed:
            on = baseline[reads[0]].label if reads else "settings of the target"
            what = f"runs code whose course depends on {'the rows of ' if reads else ''}{on}"
            self._add("not_rehearsed", (place, step), None, what)

    def _write(self, place: int, step: Step, before: Content, operation: str, inside: Inside | None) -> None:
        now = step.seen.get(before.oid) or before
        numbers = {column.name: column.number for column in now.columns}
        old = frozenset(column.number for column in before.columns)
        names = {before.name, now.name}
        related = [node for node in (inside.writes if inside else ()) if names & set(names_of(node))]
        seen = related and inside is not None and not inside.hidden and before.oid not in self._context.triggered
        if operation == "UPDATE" and seen and all(fills_only(node, numbers, old) for node in related):
            return
        verb = {"DELETE": "deletes", "UPDATE": "overwrites", "TRUNCATE": "empties"}[operation]
        if operation == "TRUNCATE":
            self._add("destroys", (place, step), before, f"empties {before.label}")
        elif self._countable(place, step, before):
            what = f"{verb} the rows of {before.label} that meet its condition"
            self._add("not_rehearsed", (place, step), before, what, counted=True)
        else:
            what = f"{verb} rows of {before.label}; which ones depends on the target's"
            self._add("not_rehearsed", (place, step), before, what)

    def _countable(self, place: int, step: Step, before: Content) -> bool:
        """Whether the target can be asked which rows the statement meets: nothing pending changes that before."""
        written = self._context.written.get(place, frozenset())
        kind = type(step.node).__name__
        if kind in ("InsertStmt", "MergeStmt"):  # they may read any table, and a trigger may give a row another key
            return not (written or before.oid in self._context.triggered or self._renamed_before(place))
        if kind not in ("DeleteStmt", "UpdateStmt") or names_of(step.node) != (before.name,):
            return False
        return before.oid not in written and not (written and has_subquery(step.node))

    def _renamed_before(self, place: int) -> bool:
        """Whether a name may mean something else than on the target by then."""
        return any(type(step.node).__name__ not in _NAMES_KEPT for step in self._course.steps[:place])

    def _add(
        self,
        kind: FindingKind,
        culprit: _Culprit,
        before: Content | None,
        what: str,
        columns: tuple[str, ...] = (),
        counted: bool = False,
    ) -> None:
        """counted: the statement's own condition says which rows."""
        file, line = (culprit[1].file, culprit[1].line) if culprit else ("", 0)
        node = None
        if counted and culprit and before and self._countable(*culprit, before):
            node = culprit[1].node
            named = {target.name for target in getattr(node, "targetList", None) or ()}
            if kind == "changes" and not named.issuperset(columns):
                node = None  # something else than the statement itself has changed them
        finding = Finding(kind, file, line, before.label if before else "", what)
        triggered = before is not None and before.oid in self._context.triggered
        self._result.suspicions.append(Suspicion(finding, before, columns, node, triggered))


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def looked_into(step: Step) -> bool:
    """Whether the text of the step says something about what it wrote or ran."""
    return bool(step.glance.writes) or type(step.node).__name__ in ("DoStmt", "CallStmt", "SelectStmt", "NoneType")
