"""What lint's rules, comments and reports are; the rules at work are in tests/embedded/test_lint.py."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.cli.lint import FailOn
from promthctl.errors import PromthctlError
from promthctl.linting import squawk
from promthctl.linting.allows import find_allows
from promthctl.linting.linting import LintFinding, LintResult
from promthctl.linting.reporting import github, sarif
from promthctl.linting.rules import LINT_RULES, SEVERITIES, Severity
from promthctl.migration_set import Migration
from tests.hints import Place, Row, Say, follow, told
from tests.promthctl_runner import REPOSITORY, Project

PAGE = (REPOSITORY / "docs" / "lint.md").read_text(encoding="utf-8")


def test_the_page_has_an_entry_for_each_rule_with_the_same_meaning_and_severity() -> None:
    entries = re.findall(
        r"^### (\S+)\n\n(.+) \*(Error|Warning|Advice)\.\*\n\nWhy it matters: \S.*\n[^#]*\nSafe way: \S", PAGE, re.M
    )
    planned = re.findall(r"^- `([a-z-]+)` \((error|warning|advice)\)$", PAGE, re.M)
    ours = [rule for rule in LINT_RULES.values() if rule.source != "plan"]
    assert entries == [(rule.id, rule.meaning, rule.severity.capitalize()) for rule in ours]
    assert planned == [(rule.id, rule.severity) for rule in LINT_RULES.values() if rule.source == "plan"]


def reach(sql: str) -> list[tuple[str, str, object]]:
    """rule, reason, and the lines that an allow counts for."""
    return [(one.rule, one.reason, "all" if one.whole else (one.first, one.last)) for one in find_allows(sql)]


ALLOW = "-- promthctl: allow drops-table it is old"
ALLOWS = {
    "before the first statement": (f"{ALLOW}\ndrop table a;\ndrop table b;", (1, 2)),
    "for the file": (f"-- what it does\n{ALLOW}\n-- more\n\ndrop table a;\ndrop table b;", "all"),
    "before another statement": (f"select 1;\n\n{ALLOW}\n\ndrop table\n a;\nselect 2;", (3, 6)),
    "behind it": (f"select 1;\ndrop table\n a; {ALLOW}\nselect 2;", (2, 3)),
    "in it": (f"select 1; drop table {ALLOW}\n a;", (1, 2)),
    "behind the last, on a line of its own": (f"drop table a;\n{ALLOW}\n", (2, 2)),
    "CRLF": (f"{ALLOW}\r\n\r\ndrop table a;\r\n", "all"),
    "upper case, with a colon": ("drop table a; --promthctl: allow Drops-Table: it is old", (1, 1)),
}


@pytest.mark.parametrize("name", ALLOWS)
def test_an_allow_counts_for_its_statement_or_for_the_file(name: str) -> None:
    sql, lines = ALLOWS[name]
    assert reach(sql) == [("drops-table", "it is old", lines)]


def test_what_is_no_allow_is_none() -> None:
    assert reach(f"select '{ALLOW}'; -- promthctl allows nothing\n-- promthctl: squashed 001_a.sql") == []
    assert reach("select 1; -- promthctl: allow\n") == [("", "", (1, 1))]
    assert [one.whole for one in find_allows(f"select 1; {ALLOW}", down=True)] == [True]


FOUND = LintFinding("missing-rls", "error", "supabase/migrations/001_a,b.sql", 3, "50% of\nit", "alter …;")
RESULT = LintResult(
    (FOUND,), (LintFinding("drops-table", "error", "x.sql", 1, "drops", allowed="old"),), 2, 2, None, "", "app"
)


def test_github_gets_a_line_for_each_finding() -> None:
    place = "file=app/supabase/migrations/001_a%2Cb.sql,line=3,title=missing-rls"
    assert github(RESULT) == f"::error {place}::50%25 of%0Ait\n"


ADVICE = LintFinding("no-down-script", "advice", "x.sql", 1, "nothing undoes it")
SLOW = LintFinding("rewrites-table", "warning", "x.sql", 1, "rewrites")


def test_each_severity_has_its_level_and_fails_where_it_is_asked_for() -> None:
    def result(fail_on: Severity, *found: LintFinding) -> LintResult:
        return replace(RESULT, findings=found, fail_on=fail_on)

    assert github(result("error", ADVICE, SLOW)).splitlines() == [
        "::notice file=app/x.sql,line=1,title=no-down-script::nothing undoes it",
        "::warning file=app/x.sql,line=1,title=rewrites-table::rewrites",
    ]
    (run,) = json.loads(sarif(result("error", ADVICE, SLOW, FOUND)))["runs"]
    assert [one["level"] for one in run["results"]] == ["note", "warning", "error", "error"]
    levels = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in run["tool"]["driver"]["rules"]}
    assert levels["no-down-script"] == "note" and {*levels.values()} == {"error", "warning", "note"}
    fails = {at: [result(at, one).fails for one in (FOUND, SLOW, ADVICE)] for at in SEVERITIES}
    assert fails == {"error": [True, False, False], "warning": [True, True, False], "advice": [True, True, True]}
    assert not result("advice").fails
    assert [one.value for one in FailOn] == [*SEVERITIES]


def test_sarif_has_the_findings_and_what_is_allowed() -> None:
    log = json.loads(sarif(RESULT))
    (run,) = log["runs"]
    assert (log["version"], run["tool"]["driver"]["name"]) == ("2.1.0", "promthctl")
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[one["ruleIndex"]] for one in run["results"]] == ["missing-rls", "drops-table"]
    first, second = run["results"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "app/supabase/migrations/001_a%2Cb.sql"},
        "region": {"startLine": 3},
    }
    assert "suppressions" not in first and second["suppressions"] == [{"kind": "inSource", "justification": "old"}]


COMMITTED = "git init -q && git add -A && git -c user.name=a -c user.email=b@c.d -c commit.gpgsign=false commit -qm a"
SQL = (("supabase/migrations/001_a.sql", "select 1;\n"),)
ROWS = (
    Row(
        "linting/files.py · _named",
        "promthctl migrations lint nope.sql --changed-since HEAD",
        Say("nope.sql", "001_a.sql", "promthctl migrations list shows them"),
        files=SQL,
        before=COMMITTED,
    ),
    Row(
        "linting/files.py · _changed",
        "promthctl migrations lint --changed-since v9",
        Say("v9", "HEAD", "give a commit"),
        files=SQL,
        before=COMMITTED,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, tmp_path: Path) -> None:
    follow(row, Place(Project(tmp_path)))


def test_a_squawk_that_answers_otherwise_is_told(tmp_path: Path) -> None:
    other = tmp_path / "squawk"
    other.write_text("#!/bin/sh\necho usage: squawk\n")
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    file = Migration("001", "a", tmp_path / "001_a.sql", b"create table a (t char(2));\n")
    with pytest.raises(PromthctlError) as raised:
        squawk.run(settings.load(tmp_path), other, [file])
    assert "squawk-cli" in told("linting/squawk.py · run", raised.value).hint
    if (program := squawk.program()) is None:
        pytest.skip("squawk-cli is not installed")
    (found,) = squawk.run(settings.load(tmp_path), program, [file])
    assert (found.file, found.line, found.rule) == ("001_a.sql", 1, "ban-char-field")
