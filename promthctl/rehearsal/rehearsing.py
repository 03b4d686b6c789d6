"""A rehearsal from its beginning to its end: the twin, the run, the questions to the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.redact import redact
from promthctl.rehearsal.asking import Asker
from promthctl.rehearsal.demands import Demand, demands_of
from promthctl.rehearsal.model import Drift, Finding, Rehearsal, RowsAtRisk
from promthctl.rehearsal.observer import Content
from promthctl.rehearsal.replay import Course, Failure, Replay
from promthctl.rehearsal.static import Inside, look_inside
from promthctl.rehearsal.twin import Twin, running_twin
from promthctl.rehearsal.verdict import Suspicion, judge, looked_into
from promthctl.schema import MANAGED_SCHEMAS, snapshot
from promthctl.settings import Settings
from promthctl.shadow import default_privileges_of
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


def rehearse(
    settings: Settings,
    connection: psycopg.Connection[Any],
    applied: Sequence[Migration],
    pending: Sequence[Migration],
    steps: Steps,
    drift: bool = True,
) -> Rehearsal:
    """Try the pending migrations in a twin of the database behind the connection, which is only read from.

    applied: the files of its history, in order. drift: whether to tell how its catalog differs from what they make.
    Raises psycopg.Error where the target's connection is lost, and KeyboardInterrupt; everything else that keeps the
    rehearsal from being made is told in its `unsure`.
    """
    import psycopg

    actual = snapshot(connection)
    privileges = default_privileges_of(connection) or ()
    try:
        with (
            steps.step("Rehearsing the push in a throw-away database"),
            running_twin(settings, applied, actual, privileges, steps) as twin,
        ):
            return _tried(twin, connection, pending, actual.major, drift)
    except PromthctlError as error:
        return Rehearsal(tried=False, unsure=(f"{error.what}: {error.why}".replace("\n", "; "),))
    except psycopg.Error as error:
        if connection.closed:
            raise
        return Rehearsal(tried=False, unsure=(redact(str(error)).strip().splitlines()[0],))


def _tried(
    twin: Twin, connection: psycopg.Connection[Any], pending: Sequence[Migration], major: int, drift: bool
) -> Rehearsal:
    import psycopg

    with (
        psycopg.connect(twin.superuser.url, password=twin.superuser.password, autocommit=True) as reader,
        psycopg.connect(twin.target.url, password=twin.target.password, autocommit=True) as own,
    ):
        replay = Replay(twin, own, reader)
        watch = _Watch(replay, own)
        first = dict(replay.baseline)
        course = replay.run(pending, watch.before)
        watch.last()
        verdict = judge(replay, course, watch.insides)
    asker = Asker(connection)
    findings = [_asked(asker, one) for one in verdict.suspicions]
    findings += _violated(asker, watch, first)
    unsure = list(_unlike(twin, major))
    if course.failure is not None:
        findings.append(_failed(course.failure, bool(twin.facts.unlike)))
    kept = frozenset(place for place in verdict.kept
                     if not any((one.file, one.line) == place and one.destructive for one in findings))  # fmt: skip
    order = {file.filename: number for number, file in enumerate(pending)}
    findings.sort(key=lambda one: (order.get(one.file, len(order)), one.line))
    return Rehearsal(
        tried=True,
        findings=tuple(dict.fromkeys(findings)),
        kept=kept,
        judged=frozenset((step.file, step.line) for step in course.steps),
        unsure=tuple(unsure),
        drift=tuple(Drift(*one) for one in twin.facts.drift) if drift else None,
    )


class _Watch:
    """Looks at each statement's text before it runs, while the twin is as it finds it."""

    def __init__(self, replay: Replay, connection: psycopg.Connection[Any]) -> None:
        self._replay, self._connection = replay, connection
        self.insides: dict[int, Inside] = {}
        self.demands: list[tuple[str, int, Demand, bool]] = []
        self._looked = 0
        self._written: set[int] = set()

    def before(self, statement: Statement, file: str) -> None:
        self._steps_since()
        if type(statement.node).__name__ in ("AlterTableStmt", "IndexStmt"):
            for demand in demands_of(self._connection, statement.node):
                plain = not self._written & {demand.table, *demand.others} and self._as_in_target(demand)
                self.demands.append((file, statement.line, demand, plain))

    def last(self) -> None:
        self._steps_since()

    def _steps_since(self) -> None:
        for place in range(self._looked, len(self._replay.steps)):
            step = self._replay.steps[place]
            self._written |= {oid for oid, modes in step.glance.locks.items() if "RowExclusiveLock" in modes}
            if looked_into(step):
                self.insides[place] = look_inside(self._connection, step.text, step.node)
        self._looked = len(self._replay.steps)

    def _as_in_target(self, demand: Demand) -> bool:
        """Whether the table and the columns have the names and the place that they have on the target."""
        content = self._replay.baseline.get(demand.table)
        named = {column.name: column.number for column in content.columns} if content else {}
        rows = self._connection.execute(
            "select attname::text, attnum from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped",
            (demand.table,),
        ).fetchall()
        now = {str(name): number for name, number in rows}
        return all(name == "*" or now.get(name, -1) == named.get(name, -2) for name in demand.columns)


def _asked(asker: Asker, one: Suspicion) -> Finding:
    """The finding with the number of the target's rows at risk."""
    finding, node = one.finding, one.node
    if one.table is None:
        return finding
    if type(node).__name__ in ("DeleteStmt", "UpdateStmt"):
        count = asker.affected(node, one.table)
        if count is not None:
            rows = RowsAtRisk(count, exact=True)
            kind = "destroys" if finding.kind == "not_rehearsed" else finding.kind
            return replace(finding, kind=kind, rows=rows, safe=count == 0)
        if finding.kind == "not_rehearsed":
            return finding
    if finding.kind == "not_rehearsed":
        return finding
    return replace(finding, rows=asker.rows(one.table, one.columns))


def _violated(asker: Asker, watch: _Watch, tables: dict[int, Content]) -> Iterator[Finding]:
    """What pending statements demand of rows that the target has otherwise."""
    for file, line, demand, plain in watch.demands:
        table = tables.get(demand.table)
        other = tables.get(demand.others[0]) if demand.others else None
        if table is None or not plain or (demand.others and other is None):
            continue
        count = asker.violations(demand, table, other)
        if count:
            label = table.name if table.schema == "public" else table.label
            noun = "row" if count == 1 else "rows"
            what = f"{count:,} {noun} of {label} {demand.what}"
            yield Finding("fails", file, line, table.label, what, RowsAtRisk(count, exact=True))


def _failed(failure: Failure, unlike: bool) -> Finding:
    """A failure in the twin: the target's, too, where nothing but the statement and the schema decide."""
    platform = any(f'"{name}' in failure.message or f"{name}." in failure.message for name in MANAGED_SCHEMAS)
    certain = failure.sqlstate in _CERTAIN and not unlike and not platform and "role " not in failure.message
    if certain:
        return Finding("fails", failure.file, failure.line, "", failure.message)
    what = f"failed in the rehearsal, and what follows was not tried: {failure.message}"
    return Finding("not_rehearsed", failure.file, failure.line, "", what)


def _unlike(twin: Twin, major: int) -> Iterator[str]:
    if twin.facts.major != major:
        yield f"it was rehearsed on PostgreSQL {twin.facts.major}, and the target has {major}"
    for one in twin.facts.unlike:
        yield f"the throw-away database could not be made like the target: {one}"
    for table, why in twin.facts.without:
        yield f"no row could be made for {table}: {why}"
