"""What fails a run of verify, what is said of the whole, and what a team has accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.declarations import Declaration
from promthctl.errors import UsageError
from promthctl.isolation import Finding, IsolationReport, Severity, TableProof
from promthctl.mr_promth.public import is_the_app
from promthctl.schema import Catalog, Difference
from promthctl.verify.accepted import FILE, accept, read_accepted, write_accepted
from promthctl.verify.advice import Advice
from promthctl.verify.checks import VerifyResult, _unexposed, judged
from promthctl.verify.report import report_page
from promthctl.views import verify as views

LEAK = TableProof("notes", "leak", "another user reads it")
UNCLEAR = TableProof("logs", "not proven", "no row can be made")
RIGHT = TableProof("tags", "proven", "")
SLOW = Advice("warning", "auth_called_per_row", "public.notes", "it is slow", "")
DIFFERENCE = Difference("indexes", "public.i", "missing", {"on": "a"}, None, "create index i;")


def result(*proofs: TableProof, **given: object) -> VerifyResult:
    return replace(VerifyResult("a target", False, 1, (), IsolationReport(proofs, ()), advisors=()), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "least", "ok", "said"),
    [
        (result(RIGHT), "difference", True, "Verified"),
        (result(RIGHT, advice=(SLOW,), advisors=("slow, too",)), "difference", True, "Verified"),
        (result(RIGHT, advice=(SLOW,)), "advice", False, "Everything is proven; this run fails on advice (1)"),
        (result(RIGHT, UNCLEAR), "difference", True, "No leak found; 1 table not proven"),
        (result(RIGHT, UNCLEAR), "not proven", False, "Not verified: 1 table not proven"),
        (result(LEAK, UNCLEAR), "leak", False, "Not verified: 1 leak, 1 table not proven"),
        (result(TableProof("a", "failed", "x")), "difference", False, "Not verified: 1 failed"),
        (result(RIGHT, differences=(DIFFERENCE,)), "difference", False, "Not verified: 1 difference"),
        (result(RIGHT, differences=(DIFFERENCE,)), "leak", True, "No leak found; 1 difference"),
        (result(isolation=None, differences=(DIFFERENCE,)), "leak", True, "1 difference"),
        (result(isolation=None, untried="no right"), "difference", False, "Not verified: 1 failed"),
    ],
)  # fmt: skip
def test_the_severity_decides_and_verified_means_proven(
    found: VerifyResult, least: Severity, ok: bool, said: str
) -> None:
    seen = judged(found, (), least)
    assert (seen.ok, seen.verdict) == (ok, said)


def test_what_is_accepted_does_not_fail_until_it_changes(tmp_path: Path) -> None:
    found = judged(result(LEAK, differences=(DIFFERENCE,)), (), "difference")
    write_accepted(tmp_path, [accept(one, "known since May") for one in found.failing])
    known = read_accepted(tmp_path)
    assert [(one.object, one.reason) for one in known] == [
        ("notes", "known since May"), ("indexes public.i", "known since May")
    ]  # fmt: skip
    again = judged(found, known, "difference")
    assert again.ok and again.verdict == "Nothing new; 2 accepted" and again.accepted == known and not again.gone
    assert not judged(result(replace(LEAK, reason="anon reads it")), known, "difference").ok
    other = replace(DIFFERENCE, expected={"on": "b"})
    assert not judged(result(LEAK, differences=(other,)), known, "difference").ok


def test_what_was_accepted_and_is_no_longer_there_is_told_if_it_was_tried() -> None:
    known = tuple(accept(one, "known") for one in judged(result(LEAK), (), "difference").failing)
    assert judged(result(replace(LEAK, state="proven")), known, "difference").gone == known
    assert not judged(result(replace(LEAK, state="not proven")), known, "difference").gone
    assert not judged(result(isolation=None, untried="no right"), known, "difference").gone
    assert not judged(result(isolation=None), known, "difference").gone  # with --only


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"accepted": [{"id": "a"}]}', '{"accepted": [1]}'])
def test_a_damaged_file_is_no_acceptance(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UsageError, match=re.escape(FILE)):
        read_accepted(tmp_path)
    whole = {"id": "a", "severity": "leak", "object": "o", "what": "w", "reason": "r"}
    for name, value in (("reason", " "), ("id", ""), ("severity", "small"), ("what", 1)):
        (tmp_path / FILE).write_text(json.dumps({"accepted": [whole | {name: value}]}))
        with pytest.raises(UsageError, match=re.escape(FILE)):
            read_accepted(tmp_path)


def told(found: VerifyResult, every: bool = False) -> Sequence[str]:
    return [part for part in views.verify(judged(found, (), "difference"), every) if isinstance(part, str)]


def test_many_proven_tables_are_counted_and_listed_only_if_asked() -> None:
    many = result(*(TableProof(f"t{number}", "proven", "") for number in range(30)), UNCLEAR)
    tables = [[*views.verify(judged(many, (), "difference"), every)] for every in (False, True)]
    rows = [next(part.row_count for part in parts if not isinstance(part, str)) for parts in tables]  # type: ignore[union-attr]
    assert rows == [1, 31] and any("30 tables proven (--all lists them)" in line for line in told(many))


def test_schemas_that_the_api_does_not_expose_are_said(tmp_path: Path) -> None:
    tables = IsolationReport((TableProof("notes", "proven", ""), TableProof("app.diary", "proven", "")), ())
    catalog = Catalog(17, {"schemas": {"app": {}, "other": {}}})
    (tmp_path / "supabase").mkdir()
    seen = []
    for text in ("", '[api]\nschemas = ["public", "app"]\n'):
        (tmp_path / "supabase" / "config.toml").write_text(text)
        seen.append(_unexposed(settings.load(tmp_path), catalog, tables))
    assert seen == [("app",), ()]
    line = "Not exposed by \\[api] schemas, reached by SQL alone: app"
    assert any(line in one for one in told(result(RIGHT, unexposed=("app",))))


def test_another_project_with_prompts_is_not_the_app() -> None:
    names = {"public.user_profiles", "public.api_keys", "public.chat_sessions", "public.messages", "public.prompts"}
    assert is_the_app({*names, "public.projects"})
    assert not is_the_app({"public.prompts"}) and not is_the_app(names - {"public.messages"})


def test_a_finding_says_what_opens_it_and_the_lines_that_allow_it() -> None:
    one = Finding("leak", "notes", "another user reads it", "other", "own", "or deleted", "deleted = true",
                  Declaration("public", "notes", "deleted"))  # fmt: skip
    found = result(replace(LEAK, findings=(one,)))
    text, page = "\n".join(told(found)), report_page(judged(found, (), "difference"))
    for said in ("notes: leak. Another user reads it", "own by or deleted", "deleted = true", 'notes = "deleted"'):
        assert said in text
    assert "own" in page and "notes = &quot;deleted&quot;" in page and "Not verified: 1 leak" in page


def test_a_way_into_many_tables_is_told_once() -> None:
    way = "they set users.role to admin themselves"

    def leaking(name: str, row: str) -> TableProof:
        allow = Declaration("public", name, "true")
        one = Finding("leak", name, "another user's row is read", "other", "admins", "is_admin()", row, allow)
        return TableProof(name, "leak", "", (), (one,))

    def shown(*names: str) -> str:
        found = judged(result(*(leaking(name, way) for name in names), leaking("notes", "shown")), (), "difference")
        return "\n".join(line for line in views.verify(found) if isinstance(line, str))

    four = shown("a", "b", "c", "d")
    assert "4 tables: leak. Another signed-in user gets in: they set users.role to admin themselves" in four
    assert four.count(way) == 1 and "a, b, c, d" in four and "by is_admin()" in four
    assert "notes: leak." in four and 'notes = "true"' in four and 'a = "true"' not in four
    assert shown("a", "b", "c").count(way) == 3
