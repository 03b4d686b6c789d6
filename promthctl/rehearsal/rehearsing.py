"""A rehearsal from its beginning to its end: the twin, the run, the questions to the target."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.redact import redact
from promthctl.rehearsal.as_it_is import AsItIs
from promthctl.rehearsal.asking import Asker
from promthctl.rehearsal.constraint_demands import constraint_demands_of
from promthctl.rehearsal.demands import Demand, TypeChange, demands_of, type_changes
from promthctl.rehearsal.model import Drift, Finding, FindingKind, Rehearsal, RowsAtRisk, SeenLock
from promthctl.rehearsal.observer import Content
from promthctl.rehearsal.openings import find_openings, may_open
from promthctl.rehearsal.replay import Failure, Replay, Step, about_rows, without_values
from promthctl.rehearsal.rights import read_rights
from promthctl.rehearsal.static import look_inside, proven_harmless
from promthctl.rehearsal.twin import Twin, TwinFacts, running_twin
from promthctl.rehearsal.verdict import Context, Suspicion, Verdict, judge, looked_into
from promthctl.schema import MANAGED_SCHEMAS, Catalog
from promthctl.settings import Settings
from promthctl.steps import Steps

if TYPE_CHECKING:
    import psycopg

    from promthctl.sql.statements import Statement

# Errors that come from the statement and the schema, never from rows, settings or rights.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CERTAIN = {
    *("42601", "42P01", "42703", "42P07", "42710", "42701", "42P06", "42723", "42P16", "2BP01", "42830", "42804"),
    *("42846", "42P10", "42611", "42702", "42712"),
}


# Tables with a rule, or with a trigger for each updated or inserted row: 1 is ROW, 4 INSERT, 16 UPDATE in tgtype.
_INSERTED, _UPDATED = 4, 16
_TRIGGERED = """
select tgrelid::bigint from pg_trigger where not tgisinternal and tgtype & 1 = 1 and tgtype & %s <> 0
 union
select w.ev_class::bigint from pg_rewrite w join pg_class c on c.oid = w.ev_class where c.relkind in ('r', 'p')"""


@dataclass(frozen=True)
class Outcome:
    """What a twin showed, before its target is asked. demands: (file, line, demand, whether it holds for the target).

    tables: the twin's, under the names that they have on the target. judged: the statements that ran. opened: what is
    open afterwards. changes: (file, line, change of a type, whether it can be asked of the target, whether witness rows
    had to go for it).
    """

    facts: TwinFacts
    verdict: Verdict
    demands: Sequence[tuple[str, int, Demand, bool]]
    tables: Mapping[int, Content]
    failure: Failure | None
    judged: frozenset[tuple[str, int]]
    opened: tuple[Finding, ...]
    changes: Sequence[tuple[str, int, TypeChange, bool, bool]]
    locks: tuple[SeenLock, ...]
    watched: frozenset[tuple[str, int]]
    touched: frozenset[str] | None


_outcomes: dict[str, Outcome] = {}  # of twins in this process: in a batch many targets are alike
_one_at_a_time = Lock()


def rehearse(
    settings: Settings,
    connection: psycopg.Connection[Any],
    applied: Sequence[Migration],
    pending: Sequence[Migration],
    found: AsItIs,
    steps: Steps,
    meanwhile: Callable[[], object] = lambda: None,
) -> Rehearsal:
    """Try the pending migrations in a twin of the database behind the connection, which is only read from.

    connection: in autocommit. applied: the files of its history, in order. found: what was read there just before.
    meanwhile: called where a server starts.
    Raises psycopg.Error where the target's connection is lost; everything else that keeps the rehearsal from being
    made is told in its `unsure`.
    """
    import psycopg

    actual, privileges = found
    try:
        with _one_at_a_time:
            key = _key(actual, privileges, applied, pending)
            if key not in _outcomes:
                with (
                    steps.step("Rehearsing the push in a throw-away database"),
                    running_twin(settings, applied, actual, privileges, steps, meanwhile=meanwhile) as twin,
                ):
                    _outcomes[key] = outcome_in(twin, pending)
        return told_of(connection, _outcomes[key], pending, actual.major)
    except PromthctlError as error:
        return _untried(f"{error.what}: {error.why}".replace("\n", "; "), pending)
    except psycopg.Error as error:
        if connection.closed:
            raise
        return _untried(redact(str(error)).strip().splitlines()[0], pending)


def _key(actual: Catalog, privileges: Sequence[str], applied: Sequence[Migration], pending: Sequence[Migration]) -> str:
    digest = hashlib.sha256(repr((actual.to_json(), tuple(privileges))).encode())
    for file in (*applied, *pending):
        digest.update(f"{file.filename} {file.sha256}\n".encode())
    return digest.hexdigest()


def _untried(why: str, pending: Sequence[Migration]) -> Rehearsal:
    """Without a rehearsal only the parser can clear a file."""
    findings = tuple(
        Finding("not_rehearsed", file.filename, 0, "", "was not rehearsed, and its effects are not known from its text")
        for file in pending
        if not proven_harmless(file.sql)
    )
    return Rehearsal(tried=False, findings=findings, unsure=(why,))


def outcome_in(twin: Twin, pending: Sequence[Migration]) -> Outcome:
    """Run the files in the twin, which is used up by it. Raises psycopg.Error where the twin is lost."""
    import psycopg

    with (
        psycopg.connect(twin.superuser.url, password=twin.superuser.password, autocommit=True) as reader,
        psycopg.connect(twin.target.url, password=twin.target.password, autocommit=True) as own,
    ):
        user, probed = next(iter(twin.facts.users), ""), may_open(pending)
        before = read_rights(reader, user, probed)
        replay = Replay(own, reader)
        watch = _Watch(replay, own)
        first = dict(replay.baseline)
        course = replay.run(pending, watch.before)
        watch.last()
        verdict = judge(replay, course, watch.context)
        opened = find_openings(before, read_rights(reader, user, probed), course.steps, course.end)
        purged = [(file, line, change, plain, change.table in course.steps[place].purged)
                  for place, file, line, change, plain in watch.changes if place < len(course.steps)]  # fmt: skip
        watched = frozenset((step.file, step.line) for step in course.steps if not step.purged)
        judged = frozenset((step.file, step.line) for step in course.steps)
        return Outcome(
            twin.facts,
            verdict,
            watch.demands,
            first,
            course.failure,
            judged,
            tuple(opened),
            purged,
            tuple(_locks(course.steps, first)),
            watched,
            None if course.failure else _touched(course.steps, first),
        )


def _locks(steps: Sequence[Step], tables: Mapping[int, Content]) -> Iterator[SeenLock]:
    """What each statement held on tables that were there before, and whether it gave them another file."""
    files = {oid: table.filenode for oid, table in tables.items()}
    held: dict[int, str | None] = {}
    file = ""
    for step in steps:
        if step.purged:  # the locks are those of taking rows out, too
            continue
        held, file = ({}, step.file) if step.file != file else (held, file)
        for oid, table in tables.items():
            lock = step.glance.heaviest(oid)
            now = step.seen.get(oid)
            rewritten = now is not None and now.filenode != files[oid]
            if now is not None:
                files[oid] = now.filenode
            if lock is not None and (held.get(oid) != lock or rewritten):
                yield SeenLock(step.file, step.line, table.label, lock, held.get(oid) != lock, rewritten)
                held[oid] = lock


def _touched(steps: Sequence[Step], tables: Mapping[int, Content]) -> frozenset[str]:
    """The tables that were there before and that a statement read, wrote or changed."""
    oids = {oid for step in steps for oid in (*step.glance.locks, *step.glance.writes, *step.purged, step.target or 0)}
    return frozenset(table.label for oid, table in tables.items() if oid in oids)


def told_of(
    connection: psycopg.Connection[Any], outcome: Outcome, pending: Sequence[Migration], major: int
) -> Rehearsal:
    """The outcome with the rows of this target."""
    asker = Asker(connection)
    findings = [_asked(asker, one) for one in outcome.verdict.suspicions]
    doubted = not outcome.facts.unlike and any(one.kind == "not_rehearsed" for one in findings)
    if doubted and asker.nothing_in(outcome.tables.values()):  # the twin has every table of the target
        findings = [one for one in findings if one.kind != "not_rehearsed"]  # there is nothing to lose
    findings, proven = _types_asked(asker, outcome, findings)
    findings += _violated(asker, outcome)
    if outcome.failure is not None:
        findings.append(_failed(outcome.failure, bool(outcome.facts.unlike)))
    proven |= {(one.file, one.line) for one in findings if one.safe}
    worse = {(one.file, one.line) for one in findings if one.destructive}
    order = {file.filename: number for number, file in enumerate(pending)}
    findings.sort(key=lambda one: (order.get(one.file, len(order)), one.line))
    return Rehearsal(
        tried=True,
        findings=(*outcome.opened, *dict.fromkeys(findings)),
        kept=frozenset((outcome.verdict.kept | proven) - worse),
        judged=outcome.judged,
        unsure=tuple(_unlike(outcome.facts, major)),
        drift=tuple(Drift(*one) for one in outcome.facts.drift),
        locks=outcome.locks,
        watched=outcome.watched,
        tables=frozenset(table.label for table in outcome.tables.values()),
        touched=outcome.touched,
    )


class _Watch:
    """Looks at each statement's text before it runs, while the twin is as it finds it."""

    def __init__(self, replay: Replay, connection: psycopg.Connection[Any]) -> None:
        self._replay, self._connection = replay, connection
        self.context = Context()
        self.demands: list[tuple[str, int, Demand, bool]] = []
        self.changes: list[tuple[int, str, int, TypeChange, bool]] = []
        self._looked = 0
        self._written: set[int] = set()

    def before(self, statement: Statement, file: str) -> None:
        self._steps_since()
        self.context.written[self._looked] = frozenset(self._written)
        kind = type(statement.node).__name__
        if kind in ("UpdateStmt", "DeleteStmt", "DoStmt", "SelectStmt", "CallStmt", "InsertStmt", "MergeStmt"):
            events = _INSERTED | _UPDATED if kind in ("InsertStmt", "MergeStmt") else _UPDATED
            found = self._connection.execute(_TRIGGERED.encode(), (events,)).fetchall()
            self.context.triggered |= {oid for (oid,) in found}
        if kind in ("AlterTableStmt", "IndexStmt", "AlterDomainStmt"):
            for change in type_changes(self._connection, statement.node):
                plain = not self._written & {change.table} and self._as_in_target(change.table, (change.column,))
                self.changes.append((self._looked, file, statement.line, change, plain))
            node = statement.node
            for demand in (*demands_of(self._connection, node), *constraint_demands_of(self._connection, node)):
                plain = not self._written & {demand.table, *demand.others} and self._as_in_target(
                    demand.table, demand.columns
                )
                self.demands.append((file, statement.line, demand, plain))

    def last(self) -> None:
        self._steps_since()

    def _steps_since(self) -> None:
        for place in range(self._looked, len(self._replay.steps)):
            step = self._replay.steps[place]
            self._written |= {oid for oid, modes in step.glance.locks.items() if "RowExclusiveLock" in modes}
            self._written |= {oid for oid, content in step.seen.items() if self._changed(oid, content)}
            if looked_into(step):
                self.context.insides[place] = look_inside(self._connection, step.text, step.node)
        self._looked = len(self._replay.steps)

    def _changed(self, oid: int, content: Content | None) -> bool:
        """Whether a column is of another type than on the target."""
        before = {column.number: column for column in self._replay.baseline[oid].columns}
        return content is not None and any(
            before[column.number] != column for column in content.columns if column.number in before
        )

    def _as_in_target(self, table: int, columns: Sequence[str]) -> bool:
        """Whether the table and the columns have the names and the place that they have on the target."""
        content = self._replay.baseline.get(table)
        named = {column.name: column.number for column in content.columns} if content else {}
        rows = self._connection.execute(
            "select attname::text, attnum from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped",
            (table,),
        ).fetchall()
        now = {str(name): number for name, number in rows}
        return all(name == "*" or now.get(name, -1) == named.get(name, -2) for name in columns)


def _asked(asker: Asker, one: Suspicion) -> Finding:
    """The finding with the number of the target's rows at risk."""
    finding, node = one.finding, one.node
    if one.table is None:
        return finding
    if one.condition:
        count = asker.count(one.table, one.condition)
        return finding if count is None else replace(finding, rows=RowsAtRisk(count, exact=True), safe=count == 0)
    kind = type(node).__name__
    if kind in ("DeleteStmt", "UpdateStmt", "InsertStmt", "MergeStmt"):
        met = kind in ("InsertStmt", "MergeStmt")
        count = asker.met(node, one.table) if met else asker.affected(node, one.table, one.triggered)
        if count is not None:
            rows = RowsAtRisk(count, exact=True)
            shown: FindingKind = "destroys" if finding.kind == "not_rehearsed" else finding.kind
            return replace(finding, kind=shown, rows=rows, safe=count == 0)
        if finding.kind == "not_rehearsed":
            return finding
    if finding.kind == "not_rehearsed":
        return finding
    return replace(finding, rows=asker.rows(one.table, one.columns))


def _types_asked(asker: Asker, outcome: Outcome, findings: list[Finding]) -> tuple[list[Finding], set[tuple[str, int]]]:
    """Ask the target which of its values a change of type would not keep; the statements of which none is lost.

    Asked where the rehearsal's rows were changed or could not be converted, and where a USING decides.
    """
    proven: set[tuple[str, int]] = set()
    for file, line, change, plain, purged in outcome.changes:
        table = outcome.tables.get(change.table)
        if table is None:
            continue
        subject = f"{table.label}.{change.column}"
        shown = [one for one in findings if (one.file, one.line) == (file, line) and one.what.endswith(f" {subject}")]
        if not (shown or purged or change.expression is not None):
            continue
        askable = plain and (change.expression is None or asker.harmless(change.expression))
        count = asker.count(table, change.lossy) if askable else None
        if count is not None:
            rows = RowsAtRisk(count, exact=True)
            findings = [replace(one, rows=rows, safe=count == 0) if one in shown else one for one in findings]
            if count and not shown:
                findings.append(Finding("changes", file, line, table.label, f"changes the values of {subject}", rows))
            elif not count:
                proven.add((file, line))
        elif askable and about_rows(asker.refused):
            noun = f"rows of {table.name if table.schema == 'public' else table.label}"
            what = f"{noun} have a {change.column} that the new type does not take"
            findings.append(Finding("fails", file, line, table.label, what))
        elif purged and not shown:
            what = f"changes the type of {subject}; what becomes of the target's values was not seen"
            findings.append(Finding("not_rehearsed", file, line, table.label, what))
    return findings, proven


def _violated(asker: Asker, outcome: Outcome) -> Iterator[Finding]:
    """What pending statements demand of rows that the target has otherwise."""
    for file, line, demand, plain in outcome.demands:
        table = outcome.tables.get(demand.table)
        other = outcome.tables.get(demand.others[0]) if demand.others else None
        if table is None or not plain or (demand.others and other is None):
            continue
        count = asker.violations(demand, table, other)
        label = table.name if table.schema == "public" else table.label
        if count is None and demand.fails and about_rows(asker.refused):
            yield Finding("fails", file, line, table.label, f"rows of {label} {demand.what}")
        elif count:
            noun = "row" if count == 1 else "rows"
            verb, _, rest = demand.what.partition(" ")
            verb = {"have": "has", "violate": "violates"}.get(verb, verb) if count == 1 else verb
            what = f"{count:,} {noun} of {label} {verb} {rest}{asker.examples(demand, table, other)}"
            yield Finding("fails", file, line, table.label, what, RowsAtRisk(count, exact=True))


def _failed(failure: Failure, unlike: bool) -> Finding:
    """A failure in the twin: the target's, too, where nothing but the statement and the schema decide."""
    platform = any(f'"{name}' in failure.message or f"{name}." in failure.message for name in MANAGED_SCHEMAS)
    certain = failure.sqlstate in _CERTAIN and not unlike and not platform and "role " not in failure.message
    if certain:
        return Finding("fails", failure.file, failure.line, "", failure.message)
    message = without_values(failure.message) if failure.rows else failure.message  # it quotes values
    what = f"failed in the rehearsal, and what follows was not tried: {message}"
    return Finding("not_rehearsed", failure.file, failure.line, "", what)


def _unlike(facts: TwinFacts, major: int) -> Iterator[str]:
    if facts.major != major:
        yield f"it was rehearsed on PostgreSQL {facts.major}, and the target has {major}"
    for one in facts.unlike:
        yield f"the throw-away database could not be made like the target: {one}"
    for table, why in facts.without:
        yield f"no row could be made for {table}: {why}"
