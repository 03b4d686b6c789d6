"""What was found as one list, which of it fails a run, and what may be said of the whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from promthctl.isolation import SEVERITIES, Finding, IsolationReport, Severity, TableProof
from promthctl.mr_promth.lifecycle import LifecycleResult
from promthctl.quantities import count
from promthctl.schema import Difference
from promthctl.verify.accepted import NOT_TRIED
from promthctl.verify.advice import Advice

DEFAULT_FAIL_ON: Severity = "difference"
STRICT: Severity = "not proven"


def fails(severity: Severity, least: Severity) -> bool:
    """Whether a finding of `severity` fails a run whose mildest failing severity is `least`."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(least)


def findings_of(
    differences: Iterable[Difference],
    isolation: IsolationReport | None,
    untried: str,
    lifecycles: Iterable[LifecycleResult],
    advice: Iterable[Advice],
    advisors: Iterable[str],
) -> tuple[Finding, ...]:
    """Everything that was found, the worst first."""
    found = [*map(finding_of, differences)]
    if isolation is not None:
        found += [finding for proof in isolation.tables for finding in _of_table(proof)]
        found += isolation.findings
    if untried:
        found.append(Finding("failed", NOT_TRIED, untried))
    found += [Finding("failed", "life cycle", f"{one.name}: {one.detail}") for one in lifecycles if not one.ok]
    found += [Finding("advice", one.object, one.text, fix=one.fix) for one in advice]
    found += [Finding("advice", "advisors", line) for line in advisors]
    return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))


def verdict_of(findings: Sequence[Finding], accepted: int, least: Severity, isolation: IsolationReport | None) -> str:
    """One line on the whole; "Verified" only if nothing but advice was found. findings: without the accepted ones."""
    tables = {proof.table for proof in isolation.tables} if isolation else set()
    numbers = {severity: sum(one.severity == severity for one in findings) for severity in SEVERITIES}
    told = list(_told(numbers, {one.object for one in findings if one.severity == "not proven"} <= tables))
    known = f"; {accepted} accepted" if accepted else ""
    if any(fails(one.severity, least) for one in findings if one.severity != "advice"):
        return f"Not verified: {', '.join(told)}{known}"
    if told:
        return f"{'No leak found; ' if isolation else ''}{', '.join(told)}{known}"
    if accepted:
        return f"Nothing new{known}"
    if numbers["advice"] and least == "advice":
        return f"Everything is proven; this run fails on advice ({numbers['advice']})"
    return "Verified"


def _told(numbers: dict[Severity, int], only_tables: bool) -> Iterator[str]:
    if numbers["leak"]:
        yield count(numbers["leak"], "leak")
    if numbers["failed"]:
        yield f"{numbers['failed']} failed"
    if numbers["difference"]:
        yield count(numbers["difference"], "difference")
    if unproven := numbers["not proven"]:
        yield f"{count(unproven, 'table')} not proven" if only_tables else f"{unproven} not proven"


def finding_of(one: Difference) -> Finding:
    """A difference in the shape of all findings; its row is what either side has."""
    sides = json.dumps([one.expected, one.actual], sort_keys=True, ensure_ascii=False)
    return Finding("difference", f"{one.kind} {one.name}", one.state, row=sides, fix=one.fix)


def _of_table(proof: TableProof) -> Sequence[Finding]:
    if proof.findings or proof.state == "proven":
        return proof.findings
    return (Finding(proof.state, proof.table, proof.reason),)
