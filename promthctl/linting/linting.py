"""All rules on the migration files → the findings, without those that are allowed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promthctl.linting import rules, squawk
from promthctl.linting.allows import Allow, find_allows
from promthctl.linting.files import chosen_files
from promthctl.linting.replaying import Replayed, replay
from promthctl.linting.rules import LINT_RULES, SEVERITIES, LintRule, Severity
from promthctl.migration_files import git
from promthctl.migration_set import Migration
from promthctl.migration_set.creating import is_unwritten
from promthctl.settings import Settings
from promthctl.sql.transaction_commands import find_transaction_fault
from promthctl.steps import Steps


@dataclass(frozen=True)
class LintFinding:
    """rule: its id. file: relative to the project. line: from 1, of the statement; 1 for the file as a whole.

    fix: SQL, where there is any. allowed: the reason of the comment that allows it; empty where none does.
    """

    rule: str
    severity: Severity
    file: str
    line: int
    text: str
    fix: str = ""
    allowed: str = ""


@dataclass(frozen=True)
class LintResult:
    """findings: what counts, by file and line. allowed: what comments allow. files: how many were linted, of `total`.

    squawk: the version that was asked; None where it is not installed, and `unasked` says how to have it. prefix: what
    leads from the repository's root to the project, to which the paths of the findings are relative. fail_on: the
    mildest severity that ends with exit code 1.
    """

    findings: tuple[LintFinding, ...]
    allowed: tuple[LintFinding, ...]
    files: int
    total: int
    squawk: str | None
    unasked: str = ""
    prefix: str = ""
    fail_on: Severity = "error"

    @property
    def fails(self) -> bool:
        return any(SEVERITIES.index(one.severity) <= SEVERITIES.index(self.fail_on) for one in self.findings)


def lint(
    settings: Settings, named: Sequence[Path], since: str | None, steps: Steps, fail_on: Severity = "error"
) -> LintResult:
    """Lint the migrations. named, since: see chosen_files, whose errors these are; nothing is changed.

    All files are run in a throw-away database, whichever are asked for: a flaw of the schema counts where it is made.
    """
    files, wanted = chosen_files(settings, named, since)
    asked = [file for file in files if file.filename in wanted]
    program = squawk.program()
    found = list(_of_files(asked))
    if asked:
        found += _of_database(replay(settings, files, wanted, steps), wanted)
    if program is not None:
        found += [
            _finding(LINT_RULES[one.rule], one.file, one.line, one.text) for one in squawk.run(settings, program, asked)
        ]
    judged = list(_judged(settings, asked, found, program is not None))
    top = git.top(settings.project_dir)
    return LintResult(
        findings=tuple(one for one in judged if not one.allowed),
        allowed=tuple(one for one in judged if one.allowed),
        files=len(asked),
        total=len(files),
        squawk=None if program is None else squawk.version(),
        unasked=squawk.install_hint() if program is None else "",
        fail_on=fail_on,
        prefix="" if top is None else _relative(settings.project_dir.resolve(), top.resolve()),
    )


def _finding(
    rule: LintRule, file: str, line: int, text: str, fix: str = "", severity: Severity | None = None
) -> LintFinding:
    return LintFinding(rule.id, severity or rule.severity, file, line, text, fix)


def _of_files(files: Sequence[Migration]) -> Iterator[LintFinding]:
    for file in files:
        if fault := find_transaction_fault(file.sql):
            text = f"{fault.why}: {fault.fix}"
            yield _finding(rules.UNFINISHED_TRANSACTION, file.filename, fault.line, text)
        if _undone_by_nothing(file):
            text = f"it has no down script: promthctl migrations down {file.version} writes one"
            yield _finding(rules.NO_DOWN_SCRIPT, file.filename, 1, text)


def _undone_by_nothing(file: Migration) -> bool:
    return file.down is None or is_unwritten(_down_sql(file), f"{file.version}_{file.name}")


def _down_sql(file: Migration) -> str:
    return "" if file.down is None else file.down.read_text(encoding="utf-8-sig", errors="replace")


def _of_database(done: Replayed, wanted: frozenset[str]) -> Iterator[LintFinding]:
    for statement in done.planned:
        for risk in statement.risks:
            if risk.id in LINT_RULES and not risk.brief:
                yield _finding(LINT_RULES[risk.id], statement.file, statement.line, risk.what)
    if done.failed is not None and done.failed.file in wanted:
        text = f"it fails on a fresh Supabase, so nothing after it was tried: {done.failed.why}"
        yield _finding(rules.DOES_NOT_APPLY, done.failed.file, done.failed.line, text)
    for flaw in done.flaws:
        if flaw.place.file in wanted:
            yield _finding(flaw.rule, flaw.place.file, flaw.place.line, flaw.text, flaw.fix, flaw.severity)


def _judged(
    settings: Settings, files: Sequence[Migration], found: Sequence[LintFinding], squawked: bool
) -> Iterator[LintFinding]:
    """The findings by file and line, each with the reason that allows it, and what is wrong with the allows."""
    failed = [one.file for one in found if one.rule == rules.DOES_NOT_APPLY.id]
    for file in files:
        allows = (*find_allows(file.sql), *find_allows(_down_sql(file), down=True))
        used = set[Allow]()
        mine = list[LintFinding]()
        for one in dict.fromkeys(each for each in found if each.file == file.filename):
            reasons = [allow for allow in allows if _allows(allow, one)]
            used |= {*reasons}
            mine.append(replace(one, allowed=next((allow.reason for allow in reasons if allow.reason), "")))
        mine.sort(key=lambda one: (one.line, one.rule, one.text))
        untried = bool(failed) and file.filename >= failed[0]
        mine += [one for allow in allows for one in _of_allow(file, allow, allow in used, squawked, untried)]
        for one in mine:
            path = file.path if one.file == file.filename else file.down
            yield replace(one, file=_relative(path or file.path, settings.project_dir))


def _allows(allow: Allow, one: LintFinding) -> bool:
    of_file = one.line == 1 and LINT_RULES[one.rule].source == "file"
    return allow.covers(one.rule, one.line) or (of_file and allow.rule == one.rule)


def _of_allow(file: Migration, allow: Allow, used: bool, squawked: bool, untried: bool) -> Iterator[LintFinding]:
    """What is wrong with an allow. untried: not all of what could be found in the file was looked for."""
    rule = LINT_RULES.get(allow.rule)
    place = file.down.name if allow.down and file.down else file.filename
    if rule is None:
        text = f"there is no rule {allow.rule!r}" if allow.rule else "it names no rule"
        yield _finding(rules.UNNEEDED_ALLOW, place, allow.line, text)
    elif not allow.reason:
        text = f"it allows {allow.rule} and says nothing of why, so it does not count"
        yield _finding(rules.ALLOW_WITHOUT_REASON, place, allow.line, text)
    elif not used and not (rule.source == "squawk" and not squawked) and not untried:
        text = f"{allow.rule} is not found here: take the comment out"
        yield _finding(rules.UNNEEDED_ALLOW, place, allow.line, text)


def _relative(path: Path, start: Path) -> str:
    return os.path.relpath(path, start)
