"""What `promthctl test` makes of a test file and of what it prints, without a database."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from promthctl.pgtap import psql
from promthctl.pgtap.files import TestFile, is_isolated
from promthctl.pgtap.junit import junit
from promthctl.pgtap.running import FileResult, TestRun
from promthctl.pgtap.tap import Place, Tap
from promthctl.pgtap.transactions import Guarded, transaction_command

AT = Place("a.sql", 3)


def read(*lines: str) -> Tap:
    tap = Tap()
    for line in lines:
        tap.feed(line, AT)
    tap.end(Place("a.sql", 9))
    return tap


def test_a_failure_has_its_place_and_its_diagnostics() -> None:
    tap = read(
        "1..2", "ok 1 - one", "not ok 2 - two \\# todo", "# Failed test 2", "#   have: 1", "# Looks like you failed 1"
    )
    failed = tap.assertions[1]
    assert (failed.failed, failed.name, failed.place) == (True, "two # todo", AT)
    assert failed.diagnostics == ("Failed test 2", "  have: 1")
    assert tap.problems == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("1..3", "ok 1"), "planned 3 and ran 1"),
        (("ok 1 - a",), "no plan: neither plan() nor no_plan() with finish() was called"),
        (("1..2", "ok 1", "ok 3"), "test 3 came where 2 was expected"),
        (("1..1", "ok 1", "1..1"), "a second plan"),
    ],
)
def test_a_plan_that_is_not_kept(lines: tuple[str, ...], said: str) -> None:
    assert [problem.message for problem in read(*lines).problems] == [said]


def test_todo_skip_and_bail_out() -> None:
    tap = read("1..2", "not ok 1 - later # TODO soon", "ok 2 - SKIP: # SKIP no network")
    assert [(one.failed, one.directive, one.reason) for one in tap.assertions] == [
        (False, "todo", "soon"),
        (False, "skip", "no network"),
    ]
    assert read("1..0 # SKIP not here").skipped == "not here"
    assert read("Bail out! no database").bailed == "no database"
    assert read("okay", "1..0").assertions == []


@pytest.mark.parametrize(
    ("sql", "filled"),
    [
        ("select :'who', :who, :\"who\", :other", "select 'it''s', it's, \"it's\", :other"),
        ("select ':who', a::who -- :who", "select ':who', a::who -- :who"),
        ("select :{?who}, :{?other}", "select TRUE, FALSE"),
    ],
)
def test_variables_of_psql(sql: str, filled: str) -> None:
    assert psql.interpolated(sql, {"who": "it's"}) == filled


def test_commands_of_psql() -> None:
    line = r"\set name 'a ''b''' :x \echo 'one' two"
    ((first, values), (second, words)) = psql.commands(line)
    assert (first, [psql.value(one, {"x": "y"}) for one in values]) == ("set", ["name", "a 'b'", "y"])
    assert (second, words) == ("echo", ["'one'", "two"])
    assert [name for name, _ in psql.commands("\\set x `date`")] == ["`"]


@pytest.mark.parametrize(
    ("text", "isolated"),
    [
        ("begin; select plan(1); rollback;", True),
        ("\\set QUIET 1\nset client_min_messages to warning;\nBEGIN;\nselect 1;\nROLLBACK;", True),
        ("begin; savepoint a; rollback to savepoint a; rollback;", True),
        ("begin; create table a (); commit;", False),
        ("create extension pgtap; begin; rollback;", False),
        ("begin; rollback; create table a ();", False),
        ("select 1;", False),
    ],
)
def test_what_may_run_beside_others(tmp_path: Path, text: str, isolated: bool) -> None:
    file = tmp_path / "a.sql"
    file.write_text(text)
    assert is_isolated(TestFile(file, "a.sql")) is isolated


def test_a_file_cannot_end_the_transaction_around_it() -> None:
    guarded = Guarded()
    sent = [
        guarded._instead(text.encode())
        for text in ("begin", "select 1", "commit", "commit", "/* x */ START transaction", "ROLLBACK", "end")
    ]
    assert sent == [
        (b"savepoint promthctl_file",),
        (b"select 1",),
        (b"release savepoint promthctl_file",),
        (),
        (b"savepoint promthctl_file",),
        (b"rollback to savepoint promthctl_file", b"release savepoint promthctl_file"),
        (),
    ]
    assert transaction_command(b"commit prepared 'x'") == transaction_command(b"prepare transaction 'x'") == "prepare"


def test_junit() -> None:
    tap = read("1..3", "ok 1 - a", "not ok 2 - b <&\x01>", "# have: 1", "ok 3 # SKIP why")
    file = FileResult("a.sql", 0.5, 3, tuple(tap.assertions), tuple(tap.problems))
    root = ElementTree.fromstring(junit(TestRun("here", (file,), 1.0)))
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
    }
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None and failure.text == "a.sql:3\nhave: 1"
