"""Where a target's history and the files here disagree, and what can be done about each; nothing is repaired here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from promthctl.errors import RefusedError
from promthctl.migration_set import HistoryEntry, Migration, matches
from promthctl.migration_set.folder import free_version, quote
from promthctl.targets import Target, command_line_options

_SHOWN_LINES = 20  # of a difference
_LISTED = 10  # files or versions


@dataclass(frozen=True)
class Disagreement:
    """kind: missing (applied, and no file here has the version), early (pending, and older than what is applied),
    edited (since it was applied), taken (another migration was applied under the version), unknown (the history has
    no statements to compare with), foreign (pending, and in supabase/migrations alone).

    versions: it is about these. why: what disagrees. mend: what can be done, commands as far as possible.
    refuses: nothing is pushed as long as it lasts.
    """

    kind: Literal["missing", "early", "edited", "taken", "unknown", "foreign"]
    versions: tuple[str, ...]
    why: str
    mend: str
    refuses: bool


def find(
    target: Target,
    files: Sequence[Migration],
    history: Mapping[str, HistoryEntry],
    pending: Sequence[Migration],
    include_all: bool,
    foreign: Collection[str] = (),
) -> tuple[Disagreement, ...]:
    """Every disagreement. files: all there are here, in order. include_all: what is early may be pushed.

    foreign: the names of files in supabase/migrations that the source of the migrations does not have.
    """
    found = [*gaps(target, files, history, pending, include_all)]
    unknown = [file.version for file in files if file.version in history and not history[file.version].statements]
    last = max((*history, *(file.version for file in files)), default="")
    for file in files:
        entry = history.get(file.version)
        if entry and entry.statements and not matches(file.sql, entry.statements):
            found.append(_changed(target, file, entry, last))
    if alone := [file for file in pending if file.filename in foreign]:
        names = _some([file.filename for file in alone])
        why = f"in supabase/migrations alone, not in the source of the migrations: {names}"
        found.append(Disagreement("foreign", tuple(file.version for file in alone), why, "", refuses=False))
    if unknown:
        why = f"recorded without statements, so that an edit cannot be seen: {_some(unknown)}"
        found.append(Disagreement("unknown", tuple(unknown), why, "", refuses=False))
    return tuple(found)


def gaps(
    target: Target,
    files: Sequence[Migration],
    applied: Collection[str],
    pending: Sequence[Migration],
    include_all: bool = False,
) -> Iterator[Disagreement]:
    """What the versions alone tell: those that are missing here, and those that come too early."""
    versions = [file.version for file in files]
    if missing := sorted(set(applied).difference(versions)):
        why = f"its history has versions that have no file here: {_some(missing)}"
        yield Disagreement("missing", tuple(missing), why, _bring(target, missing), refuses=bool(pending))
    last = max(applied, default="")
    if early := [file for file in pending if file.version < last]:
        why = f"{_some([file.filename for file in early])} would come before version {last}, which is applied"
        anyway = f"or, whatever their order: promthctl push --include-all{command_line_options(target)}"
        renames = [*_renames(early[:_LISTED], versions, last), *(["and so on"] if len(early) > _LISTED else [])]
        mend = "" if include_all else "\n".join([*renames, anyway])
        yield Disagreement("early", tuple(file.version for file in early), why, mend, refuses=not include_all)


def refusal(label: str, found: Sequence[Disagreement]) -> RefusedError | None:
    """The error for those that refuse; None when none does. label: the target's."""
    refusing = [one for one in found if one.refuses]
    if not refusing:
        return None
    why, mend = "\n".join(one.why for one in refusing), "\n".join(one.mend for one in refusing)
    return RefusedError(f"Nothing was pushed to {label}", why, mend)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown


def _renames(early: Sequence[Migration], versions: Sequence[str], last: str) -> Iterator[str]:
    taken = [*versions]
    for file in early:
        after = free_version(taken, last)
        if after is None:
            yield f"rename {quote(str(file.path))} to a later version"
            continue
        taken.append(after)
        yield _rename(file, after)


def _rename(file: Migration, version: str) -> str:
    commands = [f"git mv {quote(str(file.path), str(file.path.with_name(f'{version}_{file.name}.sql')))}"]
    if file.down is not None:
        commands.append(f"git mv {quote(str(file.down), str(file.down.with_name(f'{version}_{file.name}.down.sql')))}")
    return " && ".join(commands)


def _bring(target: Target, missing: Sequence[str]) -> str:
    if target.local:
        shown = "promthctl migrations list shows them; bring their files here"
        return f"{shown}, or drop all rows and replay: promthctl local reset"
    commits = f"git log --all --oneline -- {quote(*(f'*{version}_*.sql' for version in missing))}"
    return (
        "promthctl migrations list shows them; bring their files here (another branch has them?) and run it again:\n"
        f"{commits}\nor have the target forget them, if what they made is gone:\n"
        f"{_repair(target, 'reverted', missing)}"
    )


def _repair(target: Target, status: str, versions: Sequence[str]) -> str:
    """The Supabase CLI's command. The password of a URL is read from PGPASSWORD."""
    remote = quote(f"--remote={target.ref or target.url}")
    return f"npx supabase@3 migration repair --status {status} {' '.join(versions)} {remote}"


def _changed(target: Target, file: Migration, entry: HistoryEntry, last: str) -> Disagreement:
    """A file that is not what was applied under its version."""
    versions = (file.version,)
    if _same_sql(file.sql, entry.statements):
        why = f"{file.filename} was edited after it was applied: comments and spacing only"
        return Disagreement("edited", versions, why, "", refuses=False)
    if entry.name and entry.name != file.name:
        why = f"version {file.version} of its history is {entry.name}, not {file.filename}, which it will never get"
        free = free_version([last], last)
        mend = f"give it a version of its own: {_rename(file, free)}" if free else "give it a version of its own"
        return Disagreement("taken", versions, f"{why}\n{_diff(file, entry)}", mend, refuses=True)
    why = f"{file.filename} was edited after it was applied; what was applied, and what it says now:"
    if target.local:
        mend = "promthctl local reset drops all rows and replays everything as it is now"
    else:
        mend = (
            f"take the edit out of {file.path} again, and put it into a new migration: promthctl migrations new NAME\n"
            "or, if the target is as the file says by now, have its history say so:\n"
            f"promthctl migrations sync --force && {_repair(target, 'applied', versions)}"
        )
    return Disagreement("edited", versions, f"{why}\n{_diff(file, entry)}", mend, refuses=True)


def _same_sql(sql: str, statements: Sequence[str]) -> bool:
    """True if PostgreSQL's parser sees no difference: comments, spacing, the case of keywords."""
    from promthctl.sql.statements import NotSqlError, cut

    try:
        here, there = ([each.node for each in cut(text) if each.node] for text in (sql, ";\n".join(statements)))
    except NotSqlError:
        return False
    return here == there


def _diff(file: Migration, entry: HistoryEntry) -> str:
    """A unified diff from what was applied to what the file says, statement by statement."""
    from difflib import unified_diff

    from promthctl.sql.statements import NotSqlError, cut

    try:
        pieces = [each.text for each in cut(file.sql)]
    except NotSqlError:
        pieces = [file.sql.strip()]
    before, after = (
        "\n".join(f"{piece.strip().removesuffix(';')};" for piece in texts).replace("\r\n", "\n").split("\n")
        for texts in (entry.statements, pieces)
    )
    lines = [*unified_diff(before, after, "applied", file.filename, lineterm="", n=1)]
    return "\n".join([*lines[:_SHOWN_LINES], "…"] if len(lines) > _SHOWN_LINES else lines)
