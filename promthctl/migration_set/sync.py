"""Copies a source's migrations into supabase/migrations, byte for byte, without ever losing somebody's work.

A plan comes first, so that nothing is written when anything is refused. Files of the destination that the source
does not have are left alone, but for copies of promthctl's own whose source is gone before they were applied; down
scripts are not copied, because the CLI would run them as migrations.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set.copies import is_untouched
from promthctl.migration_set.folder import DOWN_FOLDER, FILE_NAME, Migration, is_sql
from promthctl.migration_set.problems import os_reason, set_aside, shell_quote
from promthctl.project_files import missing_folder

_REGULAR, _LINK, _OTHER = "file", "link", "other"
_FIXES = {
    errno.ENOSPC: "free some space and run again",
    errno.EROFS: "make the file system writable and run again",
}
# Characters that a diff would not show, although they are the difference.
_VISIBLE = str.maketrans({"\r": "␍", "\ufeff": "<BOM>"})


@dataclass(frozen=True)
class FileDifference:
    """A file of the destination that is not what the source has. current: its bytes as they are now."""

    migration: Migration
    current: bytes = field(repr=False)

    @property
    def diff(self) -> str:
        """Unified diff from the destination to the source; a carriage return shows as ␍."""
        from difflib import unified_diff

        now, new = (
            content.decode("utf-8", errors="replace").translate(_VISIBLE).split("\n")
            for content in (self.current, self.migration.content)
        )
        name = self.migration.filename
        return "\n".join(unified_diff(now, new, f"supabase/migrations/{name}", f"source/{name}", lineterm=""))


@dataclass(frozen=True)
class FileRename:
    """A file of the destination with the source's content under another name. old: that name."""

    migration: Migration
    old: str


@dataclass(frozen=True)
class VersionConflict:
    """Another file of the destination has this migration's version: the history's primary key allows one only.

    other: its name. fix: what to do about it.
    """

    migration: Migration
    other: str
    fix: str


@dataclass(frozen=True)
class SyncPlan:
    """What `write_sync` would do to the destination, each in the order of versions.

    refused: differs and is applied, so it needs --force. conflicts: need a person, whatever the options.
    foreign: names of the .sql files there that do not come from the source. removed: names of copies, as promthctl
    wrote them, whose source is gone and that are not applied.
    """

    destination: Path
    added: tuple[Migration, ...] = ()
    unchanged: tuple[Migration, ...] = ()
    overwritten: tuple[FileDifference, ...] = ()
    renamed: tuple[FileRename, ...] = ()
    refused: tuple[FileDifference, ...] = ()
    conflicts: tuple[VersionConflict, ...] = ()
    foreign: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """True when the destination is not as the source says, whether or not that may be changed."""
        return bool(self.added or self.overwritten or self.renamed or self.refused or self.conflicts or self.removed)

    @property
    def written(self) -> tuple[Migration, ...]:
        """What is copied, renamed files aside."""
        return (*self.added, *(difference.migration for difference in self.overwritten))

    @property
    def refusal(self) -> RefusedError | None:
        """Why nothing may be written, and what to do about it; None when everything may."""
        if not self.refused and not self.conflicts:
            return None
        why, hint = [], []
        for conflict in self.conflicts:
            name = conflict.migration.filename
            why.append(
                f"{conflict.other} there and {name} in the source both have version {conflict.migration.version}"
            )
            hint.append(conflict.fix)
        for difference in self.refused:
            why.append(f"{difference.migration.filename} differs and is applied to the target:\n{difference.diff}")
        if self.refused:
            hint.append("put the change into a new migration, or run again with --force to overwrite the copy")
        return RefusedError(f"{self.destination} was not changed", "\n".join(why), "\n".join(hint))


def plan_sync(
    source: Sequence[Migration],
    destination: Path,
    applied: Collection[str],
    force: bool,
    copies: Mapping[str, str] | None = None,
    history: Collection[str] | None = None,
) -> SyncPlan:
    """Compare the source with the destination folder, which need not exist; nothing is written.

    source: as `discover` returns it. applied: the versions in the target's history. force: overwrite a file that
    differs although its version is applied. copies: what promthctl wrote there, see copies.py. history: all versions
    that are applied; None where nobody was asked, and then no copy is removed.
    Raises PromthctlError when the destination is not a plain folder, cannot be read, or holds a link, folder or
    device in a migration's place.
    """
    entries = _entries(destination)
    sources = {migration.filename for migration in source}
    versions = _by_version(entries)
    _refuse_special(destination, sorted(sources & {name for name, kind in entries.items() if kind != _REGULAR}))
    added: list[Migration] = []
    unchanged: list[Migration] = []
    renamed: list[FileRename] = []
    differing: list[FileDifference] = []
    conflicts: list[VersionConflict] = []
    names = [name for named in versions.values() for name in named]
    stale = _stale(destination, [name for name in names if name not in sources], entries, copies or {})
    removable = {name for name in stale if history is not None and FILE_NAME.sub(r"\1", name) not in history}
    for migration in source:
        others = [name for name in versions.get(migration.version, ()) if name != migration.filename]
        if migration.filename in entries:
            current = _read(destination / migration.filename)
            if current == migration.content:
                unchanged.append(migration)
            else:
                differing.append(FileDifference(migration, current))
        elif [entries[name] for name in others] == [_REGULAR] and _read(destination / others[0]) == migration.content:
            renamed.append(FileRename(migration, others.pop()))
        elif removable.issuperset(others):
            added.append(migration)
        conflicts += [
            VersionConflict(migration, other, _resolve_conflict(migration, destination / other, other in stale))
            for other in others
            if other not in removable
        ]
    removed = removable - {rename.old for rename in renamed}
    known = sources | removed | {rename.old for rename in renamed} | {conflict.other for conflict in conflicts}
    may = [force or difference.migration.version not in applied for difference in differing]
    return SyncPlan(
        destination=destination,
        added=tuple(added),
        unchanged=tuple(unchanged),
        overwritten=tuple(difference for difference, yes in zip(differing, may, strict=True) if yes),
        renamed=tuple(renamed),
        refused=tuple(difference for difference, yes in zip(differing, may, strict=True) if not yes),
        conflicts=tuple(conflicts),
        foreign=tuple(sorted(name for name in entries if is_sql(name) and name not in known)),
        removed=tuple(sorted(removed)),
    )


def write_sync(plan: SyncPlan) -> None:
    """Carry out a plan, creating supabase/migrations if it is missing. Each file is replaced as a whole or not at all.

    Raises RefusedError with nothing written when the plan has refusals, PromthctlError when the disk refuses.
    """
    if refusal := plan.refusal:
        raise refusal
    try:
        if plan.changes:
            plan.destination.mkdir(parents=True, exist_ok=True)
        for rename in plan.renamed:
            (plan.destination / rename.old).replace(plan.destination / rename.migration.filename)
        for name in plan.removed:
            (plan.destination / name).unlink(missing_ok=True)
        for migration in plan.written:
            replace_file(plan.destination / migration.filename, migration.content)
    except OSError as error:
        raise _failed(plan.destination, error, "written") from None


def _entries(destination: Path) -> dict[str, str]:
    """What the folder holds: name → kind. Links are not followed: they may lead anywhere."""
    if destination.is_symlink():
        raise PromthctlError(
            f"{destination} is a symbolic link",
            "files are never copied through a link, out of the project",
            "set migrations under [tool.promthctl] in pyproject.toml to where it leads, then "
            f"rm {shell_quote(str(destination))}",
        )
    try:
        with os.scandir(destination) as entries:
            return {entry.name: _kind(entry) for entry in entries}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _failed(destination, error, "read") from None


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_file(follow_symlinks=False):
        return _REGULAR
    return _LINK if entry.is_symlink() else _OTHER


def _by_version(entries: Mapping[str, str]) -> dict[str, list[str]]:
    """Names the CLI takes for migrations, by version; it follows links and skips folders."""
    versions: dict[str, list[str]] = defaultdict(list)
    for name in sorted(entries):
        if entries[name] != _OTHER and (match := FILE_NAME.fullmatch(name)):
            versions[match[1]].append(name)
    return versions


def _stale(
    destination: Path, names: Sequence[str], entries: Mapping[str, str], copies: Mapping[str, str]
) -> frozenset[str]:
    """Those that are copies of promthctl's own, unchanged since."""
    return frozenset(
        name
        for name in names
        if name in copies and entries[name] == _REGULAR and is_untouched(name, _read(destination / name), copies)
    )


def _resolve_conflict(migration: Migration, other: Path, stale: bool) -> str:
    """What to do about another file with a migration's version. stale: a copy whose source is gone, but not removed."""
    name = shell_quote(str(other))
    if migration.path.parent.resolve() == other.parent.resolve():
        return f"{set_aside(other)}: the Supabase CLI applies every file in {other.parent}"
    if other.name.endswith(".down.sql"):
        down = shell_quote(str(other.parent.parent / DOWN_FOLDER))
        return f"mkdir -p {down} && mv {name} {down}: the Supabase CLI would apply it"
    if stale:
        return (
            f"{other.name} is a copy whose file in the source is gone, and it may be applied: put that back and run"
            f" promthctl migrations renumber; or if it is applied nowhere, rm {name}"
        )
    return f"rm {name} if it is an old copy, or promthctl migrations renumber to keep both"


def _refuse_special(destination: Path, names: Sequence[str]) -> None:
    if names:
        paths = [str(destination / name) for name in names]
        raise PromthctlError(
            f"{', '.join(names)} in {destination} cannot be compared",
            "a link, folder or device is in the place of the migration",
            f"move it away, or: rm -r {shell_quote(*paths)}",
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _failed(path, error, "read") from None


def replace_file(path: Path, content: bytes) -> None:
    """Write beside the file, then rename; the CLI skips the hidden name, should we be killed in between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _failed(path: Path, error: OSError, verb: str) -> PromthctlError:
    whose = f"ls -ld {shell_quote(str(path))} shows who owns it: chown or chmod it, and run again"
    what = f"{path} cannot be {verb}"
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and not path.is_dir():  # something else is in a folder's place
        return PromthctlError(what, *missing_folder(path))
    return PromthctlError(what, os_reason(error), _FIXES.get(error.errno or 0, whose))
