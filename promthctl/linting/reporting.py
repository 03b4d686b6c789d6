"""Findings as other programs read them.

GitHub's annotations: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions.
SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; GitHub shows it beside the code.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any

from promthctl import __version__
from promthctl.linting.linting import LintFinding, LintResult
from promthctl.linting.rules import LINT_RULES, LintRule, Severity

_GITHUB: Mapping[Severity, str] = {"error": "error", "warning": "warning", "advice": "notice"}
_SARIF: Mapping[Severity, str] = {"error": "error", "warning": "warning", "advice": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github(result: LintResult) -> str:
    """One annotation for each finding, a line each."""
    return "".join(_annotation(result, one) + "\n" for one in result.findings)


def sarif(result: LintResult) -> str:
    """All findings; what comments allow is there, too, as suppressed."""
    rules = list(LINT_RULES.values())
    driver = {"name": "promthctl", "version": __version__, "rules": [_rule(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(result, one, rules) for one in (*result.findings, *result.allowed)],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _annotation(result: LintResult, one: LintFinding) -> str:
    place = f"file={_property(_path(result, one))},line={one.line},title={_property(one.rule)}"
    return f"::{_GITHUB[one.severity]} {place}::{_escaped(one.text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _path(result: LintResult, one: LintFinding) -> str:
    """From the repository's root, as both want it."""
    return posixpath.normpath(posixpath.join(result.prefix.replace("\\", "/"), one.file.replace("\\", "/")))


def _rule(rule: LintRule) -> dict[str, Any]:
    shown = {"id": rule.id, "shortDescription": {"text": rule.meaning}}
    return {**shown, "defaultConfiguration": {"level": _SARIF[rule.severity]}, "properties": {"tags": [rule.source]}}


def _result(result: LintResult, one: LintFinding, rules: list[LintRule]) -> dict[str, Any]:
    from urllib.parse import quote

    place = {"artifactLocation": {"uri": quote(_path(result, one))}, "region": {"startLine": one.line}}
    shown = {
        "ruleId": one.rule,
        "ruleIndex": rules.index(LINT_RULES[one.rule]),
        "level": _SARIF[one.severity],
        "message": {"text": f"{one.text}\nFix: {one.fix}" if one.fix else one.text},
        "locations": [{"physicalLocation": place}],
    }
    if not one.allowed:
        return shown
    return {**shown, "suppressions": [{"kind": "inSource", "justification": one.allowed}]}
