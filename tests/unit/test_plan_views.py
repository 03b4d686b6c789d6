"""The plan as people read it."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from promthctl.push import PushPreview
from promthctl.push.disagreements import Disagreement
from promthctl.push.lock_checks import check_locks
from promthctl.push.risks import PlannedStatement, Rows, rules
from promthctl.push.risks.model import total
from promthctl.push.waits import Wait
from promthctl.rehearsal.model import DataRehearsal, Drift, Finding, Rehearsal, RowsAtRisk, SeenLock, TriedFile
from promthctl.views import push as views

EMPTY = PushPreview("database x", False, 3, (), False, False, (), ())
LOCK = rules.BUILDS_INDEX.risk(
    "public.a", "locks public.a against writes: builds an index", Rows(1_200_000, False), lock="SHARE"
)
BRIEF = rules.LOCKS_BRIEFLY.risk("public.a", "locks public.a for an instant", lock="ACCESS EXCLUSIVE", brief=True)
DROP = rules.DROPS_TABLE.risk("public.b", "drops table public.b", Rows(1, True), cascades=("view public.[v]",))


def shown(plan: PushPreview, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in views.preview(plan):
        console.print(part, highlight=False, soft_wrap=isinstance(part, str))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def plan(*statements: PlannedStatement, **more: object) -> PushPreview:
    files = tuple(dict.fromkeys(statement.file for statement in statements))
    destructive = any(statement.destructive for statement in statements)
    made = replace(EMPTY, pending=files, total=len(files) + 1, destructive=destructive, statements=statements)
    return replace(made, **more)  # type: ignore[arg-type]


def test_nothing_pending() -> None:
    assert shown(EMPTY) == "Nothing to do: all 3 migrations are applied to database x"


def test_what_is_worth_knowing_has_its_line_and_the_rest_is_counted() -> None:
    made = plan(
        PlannedStatement("002_a.sql", 1, "creates", "table c"),
        PlannedStatement("002_a.sql", 4, "drops", "table b", (DROP,)),
        PlannedStatement("002_a.sql", 15, "creates", "index", (LOCK,)),
        PlannedStatement("002_a.sql", 16, "alters", "table a", (BRIEF,)),
        PlannedStatement("002_a.sql", 17, "sets", "search_path"),
        PlannedStatement("003_b.sql", 1, "alters", "table e", (replace(LOCK, rows=Rows(0, exact=True)),)),
    )
    assert shown(made).splitlines() == [
        "Pending on database x: 2 of 3 migrations",
        "  002_a.sql  creates 2, drops 1, alters 1, 1 brief lock",
        "     line 4  data  drops table public.b (1 row) [drops-table]",
        "                   and with it: view public.[v]",
        "    line 15  lock  locks public.a against writes: builds an index (about 1,200,000 rows) [builds-index]",
        "  003_b.sql  alters 1, 1 brief lock",
        "A lock is held until the end of its file.",
        "A push needs --allow-destructive",
    ]
    assert max(map(len, shown(made, 80).splitlines())) <= 80


def test_the_local_stack_needs_no_flag() -> None:
    assert "--allow" not in shown(plan(PlannedStatement("002_a.sql", 1, "drops", "table b", (DROP,)), local=True))


def test_of_many_migrations_those_without_risks_are_counted() -> None:
    many = [PlannedStatement(f"{number:03}_x.sql", 1, "creates", "table") for number in range(1, 1001)]
    many[499] = replace(many[499], risks=(DROP,))
    lines = shown(plan(*many)).splitlines()
    assert len(lines) == 6
    assert lines[1:3] == ["  500_x.sql  creates 1", "    line 1  data  drops table public.b (1 row) [drops-table]"]
    assert lines[4] == "  999 more with nothing to note: creates 999"


def test_many_cascades_are_cut() -> None:
    risk = replace(DROP, cascades=tuple(f"view v{number}" for number in range(20)))
    assert "view v5 and 14 more" in shown(plan(PlannedStatement("002_a.sql", 1, "drops", "table b", (risk,))))


def test_a_history_that_refuses_comes_with_its_fix_and_one_that_does_not_as_a_note() -> None:
    refusing = Disagreement("missing", ("009",), "no file [here]", "git log\nor that", refuses=True)
    noted = Disagreement("unknown", ("001",), "nobody knows", "", refuses=False)
    lines = shown(replace(EMPTY, refused=True, disagreements=(refusing, noted))).splitlines()
    assert lines[0] == "note: nobody knows"
    assert lines[2:] == ["A push is refused: no file [here]", "  git log", "  or that"]


def test_a_sum_is_exact_only_when_all_of_it_is() -> None:
    assert total([Rows(1, True), Rows(2, True)]) == Rows(3, True)
    assert total([Rows(1, True), Rows(2, False)]) == Rows(3, False)
    assert total([Rows(1, True), None]) == Rows(1, False)
    assert total([None]) is None


def test_what_opens_and_what_fails_comes_first_and_a_rehearsal_tells_what_it_lacks() -> None:
    found = Rehearsal(
        tried=True,
        findings=(
            Finding("destroys", "002_a.sql", 4, "public.b", "deletes the rows of public.b", RowsAtRisk(3, exact=True)),
            Finding("changes", "002_a.sql", 5, "public.b", "changes the values of public.b.x", safe=True),
            Finding("opens", "002_a.sql", 6, "public.b", "anon can read every row of public.b"),
        ),
        unsure=("no row could be made for public.c: x is violated",),
        drift=(Drift("columns", "public.b.y", "extra"),),
    )
    made = plan(PlannedStatement("002_a.sql", 4, "writes", "delete b"), rehearsal=found)
    assert shown(made).splitlines()[1:6] == [
        "Rehearsed in a throw-away database",
        "    002_a.sql line 6  opens  anon can read every row of public.b",
        "    002_a.sql line 4  data   deletes the rows of public.b (3 rows)",
        "    002_a.sql line 5  data   changes the values of public.b.x",
        "note: the rehearsal: no row could be made for public.c: x is violated",
    ]
    assert "extra: columns public.b.y" in shown(made)


def test_a_lock_says_whether_the_rehearsal_has_seen_it() -> None:
    statement = PlannedStatement("002_a.sql", 15, "creates", "index", (LOCK,))
    place = ("002_a.sql", 15)
    held = SeenLock(*place, "public.a", "SHARE", fresh=True)
    other = SeenLock(*place, "public.z", "ACCESS EXCLUSIVE", fresh=True)
    ran = Rehearsal(tried=True, watched=frozenset((place,)), tables=frozenset(("public.a", "public.z")))
    assert [one.state for one in check_locks([statement], replace(ran, locks=(held,)))] == ["confirmed"]
    assert [one.state for one in check_locks([statement], ran)] == ["predicted"]
    assert [one.state for one in check_locks([statement], replace(ran, locks=(held, other)))] == ["confirmed", "seen"]
    assert "only predicted" in shown(plan(statement, locks=check_locks([statement], ran)))


def test_what_waits_is_said_as_an_estimate() -> None:
    statement = PlannedStatement("002_a.sql", 1, "creates", "index", (LOCK,))
    made = shown(plan(statement, waits=(Wait("public.a", "SHARE", 4_000_000_000, 80.0, 250.0),)), 300)
    assert (
        "note: estimated for the lock on public.a (SHARE): its 4.0 GB take about 1 min 20 s at 50 MB a second; "
        "a transaction that uses it is open for 4 min 10 s, and the lock waits for its end"
    ) in made


def test_a_try_on_the_targets_rows_tells_durations_and_the_failure() -> None:
    failure = Finding("fails", "003_b.sql", 12, "", "too many")
    tried = DataRehearsal(2, 1200, 100, (TriedFile("002_a.sql", 1.26),), failure, ("public.x: permission denied",))
    assert shown(plan(PlannedStatement("002_a.sql", 1, "creates", "index"), tried=tried), 300).splitlines()[-4:] == [
        "Tried on a copy of 1,200 rows of 2 tables, 100 rows of each table and what they refer to:",
        "  002_a.sql  1.3 s",
        "  fails 003_b.sql line 12: too many",
        "note: not copied: public.x: permission denied",
    ]
