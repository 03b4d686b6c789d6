"""Where a target's history and the files here disagree, and what can be done about each; nothing is repaired here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from promthctl.errors import RefusedError
from promthctl.migration_set import HistoryEntry, Migration, is_as_applied
from promthctl.migration_set.numbering import free_version
from promthctl.migration_set.problems import shell_quote
from promthctl.targets import Target, command_line_options

_SHOWN_LINES = 20  # of a difference
_LISTED = 10  # files or versions


@dataclass(frozen=True)
class Disagreement:
    """One way in which a target's history and the files here differ.

    kind: missing (applied, and no file here has the version), early (pending, and older than what is applied),
    edited (since it was applied), taken (another migration was applied under the version), unknown (the history has
    no statements to compare with), foreign (pending, and only in supabase/migrations), stale (copies in
    supabase/migrations whose source is gone, which a push removes), squashed (files for which one stands now).
    versions: the ones concerned. why: what disagrees. fix: what can be done, as commands where possible; empty when
    nothing has to be done. refuses: nothing is pushed while it lasts.
    """

    kind: Literal["missing", "early", "edited", "taken", "unknown", "foreign", "stale", "squashed"]
    versions: tuple[str, ...]
    why: str
    fix: str
    refuses: bool


def find_disagreements(
    target: Target,
    files: Sequence[Migration],
    history: Mapping[str, HistoryEntry],
    pending: Sequence[Migration],
    include_all: bool,
    foreign: Collection[str] = (),
    stale: Sequence[str] = (),
) -> tuple[Disagreement, ...]:
    """Every disagreement between the history and the files.

    files: all of them, in order. pending: those the target is missing. include_all: early ones may be pushed.
    foreign: the names of files in supabase/migrations that the source of the migrations does not have. stale: those of
    copies there that a push removes.
    """
    found = [*find_version_gaps(target, files, history, pending, include_all)]
    unknown = [file.version for file in files if file.version in history and not history[file.version].statements]
    last = max((*history, *(file.version for file in files)), default="")
    for file in files:
        entry = history.get(file.version)
        if entry and entry.statements and not is_as_applied(file.sql, entry.statements):
            found.append(_changed(target, file, entry, last))
    if alone := [file for file in pending if file.filename in foreign]:
        names = _some([file.filename for file in alone])
        why = f"only in supabase/migrations, not in the source of the migrations: {names}"
        found.append(Disagreement("foreign", tuple(file.version for file in alone), why, "", refuses=False))
    if stale:
        why = f"copies in supabase/migrations whose source is gone, which a push removes: {_some(stale)}"
        found.append(Disagreement("stale", tuple(name.partition("_")[0] for name in stale), why, "", refuses=False))
    if unknown:
        why = f"recorded without statements, so an edit since then cannot be detected: {_some(unknown)}"
        found.append(Disagreement("unknown", tuple(unknown), why, "", refuses=False))
    return tuple(found)


def find_version_gaps(
    target: Target,
    files: Sequence[Migration],
    applied: Collection[str],
    pending: Sequence[Migration],
    include_all: bool = False,
) -> Iterator[Disagreement]:
    """What the versions alone show: those without a file here, and pending ones older than what is applied."""
    versions = [file.version for file in files]
    if missing := sorted(set(applied).difference(versions)):
        why = f"its history has versions that have no file here: {_some(missing)}"
        yield Disagreement("missing", tuple(missing), why, _recover_missing(target, missing), refuses=bool(pending))
    last = max(applied, default="")
    if early := [file for file in pending if file.version < last]:
        why = f"{_some([file.filename for file in early])} would come before version {last}, which is applied"
        anyway = f"or push them out of order: promthctl push --include-all{command_line_options(target)}"
        renames = [*_renames(early[:_LISTED], versions, last), *(["and so on"] if len(early) > _LISTED else [])]
        fix = "" if include_all else "\n".join([*renames, anyway])
        yield Disagreement("early", tuple(file.version for file in early), why, fix, refuses=not include_all)


def refusal_of(label: str, found: Sequence[Disagreement]) -> RefusedError | None:
    """The error for the disagreements that refuse a push; None if none does. label: the target's."""
    refusing = [one for one in found if one.refuses]
    if not refusing:
        return None
    why, hint = "\n".join(one.why for one in refusing), "\n".join(one.fix for one in refusing)
    return RefusedError(f"Nothing was pushed to {label}", why, hint, code="refused.history")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown


def _renames(early: Sequence[Migration], versions: Sequence[str], last: str) -> Iterator[str]:
    taken = [*versions]
    for file in early:
        after = free_version(taken, last)
        if after is None:
            yield f"rename {shell_quote(str(file.path))} to a later version"
            continue
        taken.append(after)
        yield _rename(file, after)


def _rename(file: Migration, version: str) -> str:
    commands = [f"mv {shell_quote(str(file.path), str(file.path.with_name(f'{version}_{file.name}.sql')))}"]
    if file.down is not None:
        commands.append(
            f"mv {shell_quote(str(file.down), str(file.down.with_name(f'{version}_{file.name}.down.sql')))}"
        )
    return " && ".join(commands)


def _recover_missing(target: Target, missing: Sequence[str]) -> str:
    if target.local:
        shown = "promthctl migrations fetch writes them as they are recorded"
        return f"{shown}; or drop all rows and replay: promthctl local reset"
    commits = f"git log --all --oneline -- {shell_quote(*(f'*{version}_*.sql' for version in missing))}"
    return (
        f"promthctl migrations fetch{command_line_options(target)} writes them as they are recorded; or add them:\n"
        f"{commits}\nor remove them from the target's history, if what they created is gone:\n"
        f"{_repair(target, 'reverted', missing)}"
    )


def _repair(target: Target, status: str, versions: Sequence[str]) -> str:
    """The Supabase CLI's command. The password of a URL is read from PGPASSWORD."""
    remote = shell_quote(f"--remote={target.ref or target.url}")
    return f"npx supabase@3 migration repair --status {status} {' '.join(versions)} {remote}"


def _changed(target: Target, file: Migration, entry: HistoryEntry, last: str) -> Disagreement:
    """A file that differs from what was applied under its version."""
    versions = (file.version,)
    if _same_sql(file.sql, entry.statements):
        why = f"{file.filename} was edited after it was applied: comments and spacing only"
        return Disagreement("edited", versions, why, "", refuses=False)
    if entry.name and entry.name != file.name:
        why = f"its history has {entry.name} under version {file.version}, so {file.filename} would never be applied"
        free = free_version([last], last)
        fix = f"give it a version of its own: {_rename(file, free)}" if free else "give it a version of its own"
        return Disagreement("taken", versions, f"{why}\n{_diff(file, entry)}", fix, refuses=True)
    why = f"{file.filename} was edited after it was applied; what was applied, and what the file says now:"
    if target.local:
        fix = "promthctl local reset drops all rows and replays everything as it is now"
    else:
        fix = (
            f"undo the edit in {file.path}, and put it into a new migration: promthctl migrations new NAME\n"
            "or, if the target is already as the file says, record that in its history:\n"
            f"promthctl migrations sync --force && {_repair(target, 'applied', versions)}"
        )
    return Disagreement("edited", versions, f"{why}\n{_diff(file, entry)}", fix, refuses=True)


def _same_sql(sql: str, statements: Sequence[str]) -> bool:
    """True if PostgreSQL's parser sees no difference: comments, spacing, the case of keywords."""
    from promthctl.sql.statements import NotSqlError, parse_statements

    try:
        here, there = (
            [each.node for each in parse_statements(text) if each.node] for text in (sql, ";\n".join(statements))
        )
    except NotSqlError:
        return False
    return here == there


def _diff(file: Migration, entry: HistoryEntry) -> str:
    """A unified diff from what was applied to what the file says, statement by statement."""
    from difflib import unified_diff

    from promthctl.sql.statements import NotSqlError, parse_statements

    try:
        pieces = [each.text for each in parse_statements(file.sql)]
    except NotSqlError:
        pieces = [file.sql.strip()]
    before, after = (
        "\n".join(f"{piece.strip().removesuffix(';')};" for piece in texts).replace("\r\n", "\n").split("\n")
        for texts in (entry.statements, pieces)
    )
    lines = [*unified_diff(before, after, "applied", file.filename, lineterm="", n=1)]
    return "\n".join([*lines[:_SHOWN_LINES], "…"] if len(lines) > _SHOWN_LINES else lines)
