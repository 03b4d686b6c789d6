"""From what the twin showed to findings: what was lost, in which statement, and what could not be decided."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from promthctl.rehearsal.losses import TableLoss, found_again, table_loss
from promthctl.rehearsal.model import Finding
from promthctl.rehearsal.observer import Content, Counter
from promthctl.rehearsal.replay import Course, Replay, Step
from promthctl.rehearsal.static import Inside, carries_all, fills_only, names_of


@dataclass(frozen=True)
class Suspicion:
    """A finding before the target was asked. table: of the twin. columns: names of it whose values count.

    node: the DELETE or UPDATE whose rows can be counted on the target by its own condition; then `decided` says that
    no such row means no loss.
    """

    finding: Finding
    table: Content | None = None
    columns: tuple[str, ...] = ()
    node: object = None


@dataclass
class Verdict:
    """suspicions: in the order of the statements. kept: statements whose data was found again elsewhere."""

    suspicions: list[Suspicion] = field(default_factory=list)
    kept: set[tuple[str, int]] = field(default_factory=set)


def judge(replay: Replay, course: Course, insides: Mapping[int, Inside]) -> Verdict:
    """insides: what the text of a step shows, by its place among the steps."""
    return _Judge(replay, course, insides).verdict()


class _Judge:
    def __init__(self, replay: Replay, course: Course, insides: Mapping[int, Inside]) -> None:
        self._replay, self._course, self._insides = replay, course, insides
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
        order = {id(step): place for place, step in enumerate(self._course.steps)}
        del order
        self._result.suspicions.sort(key=lambda one: (one.finding.file, one.finding.line))
        return self._result

    def _same(self, oid: int, number: int, old: str, new: str) -> bool:
        return old in self._replay.alike.get((oid, number, new), ()) or self._renamed.get(old) == new

    def _loss(self, before: Content, now: Content | None) -> TableLoss:
        return table_loss(before, now, lambda number, old, new: self._same(before.oid, number, old, new))

    def _lost(self, before: Content, loss: TableLoss) -> set[tuple[int, int]]:
        """Blame each part of a table's loss on the statement after which it stayed lost."""
        blamed: set[tuple[int, int]] = set()
        seen = [(place, step) for place, step in enumerate(self._course.steps) if before.oid in step.seen]
        parts = [(place, step, self._loss(before, step.seen[before.oid])) for place, step in seen]

        def first(holds: object) -> tuple[int, Step] | None:
            """The first statement from which on the loss is there at every look."""
            found = None
            for place, step, part in reversed(parts):
                if not holds(part):  # type: ignore[operator]
                    break
                found = (place, step)
            return found

        rows = loss.rows
        if loss.gone or rows:
            by = first(lambda part: part.gone) if loss.gone else first(lambda part: part.gone or part.rows >= rows)
            emptied = first(lambda part: part.gone or part.rows >= rows) if before.rows else None
            culprit = emptied or by
            if before.rows and self._moved(before, rows, [column.number for column in before.columns], None):
                self._keep(culprit)
                if culprit:
                    blamed.add((culprit[0], before.oid))
            else:
                if loss.gone and (not before.rows or emptied is None or by == emptied or emptied is by):
                    what = f"drops table {before.label} with all its rows"
                elif loss.gone:
                    what = f"the rows of {before.label} are gone, and then the table"
                else:
                    share = "all" if len(rows) == len(before.rows) else f"{len(rows)} of {len(before.rows)}"
                    what = f"deletes rows of {before.label} ({share} of the rehearsal's)"
                    if share == "all":
                        what = f"deletes the rows of {before.label}"
                node = culprit[1].node if culprit and not loss.gone and len(rows) < len(before.rows) else None
                self._add("destroys", culprit, before, what, (), node)
                if culprit:
                    blamed.add((culprit[0], before.oid))
        names = {column.number: column.name for column in before.columns}
        for number in sorted(loss.columns):
            culprit = first(lambda part, number=number: part.gone or number in part.columns)
            place = before.place(number)
            held = [index for index, row in enumerate(before.rows) if place is not None and row[place] is not None]
            if culprit:
                blamed.add((culprit[0], before.oid))
            if self._moved(before, held, [number], before.oid):
                self._keep(culprit)
                continue
            what = f"drops the values of {before.label}.{names[number]}"
            self._add("destroys", culprit, before, what, (names[number],))
        for number, indexes in sorted(loss.changed.items()):
            culprit = first(
                lambda part, number=number, indexes=indexes: part.gone
                or part.changed.get(number, frozenset()) | part.rows >= indexes
                or number in part.columns
            )
            if culprit:
                blamed.add((culprit[0], before.oid))
            if self._moved(before, indexes, [number], before.oid):
                self._keep(culprit)
                continue
            node = culprit[1].node if culprit else None
            what = f"changes the values of {before.label}.{names[number]}"
            self._add("changes", culprit, before, what, (names[number],), node)
        return blamed

    def _keep(self, culprit: tuple[int, Step] | None) -> None:
        if culprit:
            self._result.kept.add((culprit[1].file, culprit[1].line))

    def _moved(self, before: Content, rows: Collection[int], numbers: Collection[int], but: int | None) -> bool:
        """Whether everything was found again, brought there by statements that leave no row out."""
        if not rows:
            return False
        homes = found_again(before, rows, numbers, self._course.end, but)
        if not homes:
            return False
        return all(
            any(carries_all(step.node) for step in self._course.steps if step.target == home) for home in homes
        )

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
                self._counter(before, f"sets sequence {before.name} back, so that its next numbers are used already")
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
        self._result.suspicions.append(Suspicion(Finding("destroys", file, line, counter.name, what)))

    def _undecided(self, place: int, step: Step, blamed: set[int]) -> None:
        """Writes that met no witness row, and code whose course depends on rows that only the target has."""
        inside = self._insides.get(place)
        baseline = self._replay.baseline
        for oid, operations in step.glance.writes.items():
            before = baseline.get(oid)
            if before is None or oid in blamed:
                continue
            for operation in sorted(operations):
                self._write(step, before, operation, inside)
        if inside is None or not inside.runs_code:
            return
        reads = [oid for oid in step.reads if oid in baseline] or [
            oid for oid, content in baseline.items() if oid in step.glance.locks and content.name in inside.text
        ]
        if (inside.hidden or inside.destroys) and inside.branches and (reads or inside.settings) and not blamed:
            on = baseline[reads[0]].label if reads else "settings of the target"
            what = f"runs code whose course depends on {'the rows of ' if reads else ''}{on}"
            self._add("not_rehearsed", (place, step), None, what)

    def _write(self, step: Step, before: Content, operation: str, inside: Inside | None) -> None:
        now = step.seen.get(before.oid) or before
        numbers = {column.name: column.number for column in now.columns}
        old = frozenset(column.number for column in before.columns)
        names = {before.name, now.name}
        related = [node for node in (inside.writes if inside else ()) if names & set(names_of(node))]
        sure = bool(related) and inside is not None and not (inside.hidden and not inside.branches)
        if operation == "UPDATE" and sure and inside and not inside.hidden:
            if all(fills_only(node, numbers, old) for node in related if type(node).__name__ != "InsertStmt") and not any(
                type(node).__name__ in ("InsertStmt", "MergeStmt") for node in related
            ):
                return
        top = step.node if type(step.node).__name__ in ("DeleteStmt", "UpdateStmt") else None
        own = top is not None and names_of(top)[0] in names and now.name == before.name
        verb = {"DELETE": "deletes", "UPDATE": "overwrites", "TRUNCATE": "empties"}[operation]
        if operation == "TRUNCATE":
            self._add("destroys", (0, step), before, f"empties {before.label}")
        elif own:
            what = f"{verb} the rows of {before.label} that meet its condition"
            self._add("not_rehearsed", (0, step), before, what, (), top)
        else:
            self._add("not_rehearsed", (0, step), before, f"{verb} rows of {before.label}; which ones depends on the target's")

    def _add(
        self,
        kind: str,
        culprit: tuple[int, Step] | None,
        before: Content | None,
        what: str,
        columns: tuple[str, ...] = (),
        node: object = None,
    ) -> None:
        file, line = (culprit[1].file, culprit[1].line) if culprit else ("", 0)
        label = before.label if before else ""
        finding = Finding(kind, file, line, label, what)  # type: ignore[arg-type]
        self._result.suspicions.append(Suspicion(finding, before, columns, node))


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def looked_into(step: Step) -> bool:
    """Whether the text of the step says something about what it wrote or ran."""
    return bool(step.glance.writes) or type(step.node).__name__ in ("DoStmt", "CallStmt", "SelectStmt", "NoneType")


def losses_of(steps: Collection[Step]) -> Iterator[Step]:
    """The steps after which some table was looked at."""
    return (step for step in steps if step.seen)
