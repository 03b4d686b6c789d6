"""Files of other migration tools → what the Supabase CLI reads: `promthctl migrations convert`.

What undoes a migration goes into a down script of its own, where `promthctl rollback` finds it and the CLI does not:
beside the migration, or for supabase/migrations in supabase/down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from promthctl import shadow
from promthctl.errors import PrerequisiteError, PromthctlError, RefusedError, UsageError
from promthctl.migration_files import changes
from promthctl.migration_set import Migration, numbering
from promthctl.migration_set.folder import DOWN_FOLDER, FILE_NAME, down_scripts, migration_folders
from promthctl.migration_set.other_tools import FlywayName, flyway_name, split_parts
from promthctl.migration_set.problems import os_reason, set_aside, shell_quote
from promthctl.migration_set.source import find_source
from promthctl.migration_set.supabase_folder import own_folder_hint
from promthctl.project_files import check_link
from promthctl.settings import Settings
from promthctl.sql.tokens import line_at
from promthctl.steps import Steps

_WHAT = "Nothing was converted"
_ENVSUB = re.compile(r"^\s*--\s*\+goose\s+ENVSUB\s+ON", re.IGNORECASE | re.MULTILINE)
_REPEATABLE = re.compile(r"R__(.+)\.sql", re.IGNORECASE)
_WIDTH = 3  # of the versions made from Flyway's


@dataclass(frozen=True)
class Conversion:
    """written: files with their new content, or under their new name, relative to the project; removed: the same.

    proven: the migrations were applied to a throw-away database; False where versions collide, which comes next.
    """

    written: tuple[str, ...]
    removed: tuple[str, ...]
    proven: bool
    done: bool = False
    changes: changes.FileChanges = field(default_factory=changes.FileChanges, repr=False)


@dataclass
class _Folder:
    """What becomes of one folder: the content of each file under its new name, and what goes."""

    path: Path
    down: Path
    ups: dict[str, bytes] = field(default_factory=dict)
    downs: dict[str, bytes] = field(default_factory=dict)
    gone: list[Path] = field(default_factory=list)

    def put(self, files: dict[str, bytes], name: str, content: bytes, place: str) -> None:
        """Raises RefusedError for a second file of that name. place: where the content comes from."""
        if name in files and files[name] != content:
            raise RefusedError(_WHAT, f"{place} and another file both become {name}", set_aside(place))
        files[name] = content


def plan_conversion(settings: Settings, steps: Steps) -> Conversion:
    """What convert would write, applied to a throw-away database; nothing is changed.

    Raises UsageError where the migrations are the example, RefusedError for what cannot be converted, PromthctlError
    for a file that cannot be read, and what the shadow raises for migrations that do not apply.
    """
    source = find_source(settings)
    if source.example:
        why = "the migrations are those that come with promthctl"
        raise UsageError(_WHAT, why, own_folder_hint("promthctl migrations convert"))
    in_place = settings.supabase_dir / DOWN_FOLDER
    folders = [_Folder(source.folder, in_place if source.kind == "in-place" else source.folder)]
    if source.kind != "in-place" and settings.migrations_dir.is_dir():
        folders.append(_Folder(settings.migrations_dir, in_place))
    try:
        for folder in folders:
            _read(folder)
        todo = changes.FileChanges(_writes(folders), tuple(path for folder in folders for path in folder.gone))
    except OSError as error:
        where = str(error.filename or source.folder)
        raise PromthctlError(_WHAT, f"{where}: {os_reason(error)}", f"ls -l {shell_quote(where)}") from None
    proven = bool(todo.writes) and _prove(settings, folders[0], steps)
    names = [[os.path.relpath(path, settings.project_dir) for path in paths] for paths in (todo.writes, todo.removals)]
    written = set(names[0])
    return Conversion(tuple(names[0]), tuple(name for name in names[1] if name not in written), proven, changes=todo)


def convert(settings: Settings, plan: Conversion, steps: Steps) -> Conversion:
    """Carry out a plan: all of the files or none."""
    if plan.written:
        changes.carry_out(settings, plan.changes, steps)
    return replace(plan, done=True)


def _read(folder: _Folder) -> None:
    if not folder.path.is_dir():
        return
    names = {
        path.name: path for path in sorted(folder.path.iterdir()) if path.suffix.lower() == ".sql" and path.is_file()
    }
    for path in names.values():
        check_link(path, folder.path.absolute())
    downs = down_scripts(names)
    flyway = {name: found for name in names if (found := flyway_name(name))}
    for name, path in names.items():
        if name in downs:
            _take_down(folder, path)
        elif name in flyway:
            continue
        elif FILE_NAME.fullmatch(name):
            _take(folder, name, path)
    _take_flyway(folder, names, flyway)
    if not folder.ups:
        for up, down in migration_folders(folder.path):
            digits, _, rest = up.parent.name.partition("_")
            _take(folder, f"{digits.replace('-', '')}_{rest}.sql", up)
            if down is not None:
                folder.put(folder.downs, f"{digits.replace('-', '')}_{rest}.down.sql", down.read_bytes(), str(down))
                folder.gone.append(down)


def _take_down(folder: _Folder, path: Path) -> None:
    if folder.down != folder.path:
        folder.put(folder.downs, path.name, path.read_bytes(), str(path))
        folder.gone.append(path)


def _take(folder: _Folder, name: str, path: Path) -> None:
    """A migration, whose name will be `name`."""
    content = path.read_bytes()
    parts = None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""  # applying it reports that
    if parts := split_parts(text):
        if match := _ENVSUB.search(text):
            line = line_at(text, match.end())
            why = f"{path}, line {line}: goose would put environment variables into it"
            raise RefusedError(_WHAT, why, f"write their values into {path} and remove that line")
        content = parts.up.encode()
        down = f"{name[: -len('.sql')].removesuffix('.up')}.down.sql"
        folder.put(folder.downs, down, parts.down.encode(), str(path))
    folder.put(folder.ups, name, content, str(path))
    if path != folder.path / name:
        folder.gone.append(path)


def _take_flyway(folder: _Folder, names: dict[str, Path], found: dict[str, FlywayName]) -> None:
    """V1.2__x.sql in the order of its numbers; what is repeatable runs once, after them."""
    order = sorted({one.numbers for one in found.values()})
    plain = all(len(numbers) == 1 for numbers in order)
    width = max([_WIDTH, *(len(str(numbers[0])) for numbers in order)]) if plain else max(_WIDTH, len(str(len(order))))
    versions = {numbers: f"{numbers[0] if plain else place:0{width}}" for place, numbers in enumerate(order, start=1)}
    for name, one in found.items():
        if not one.undoes:
            _take(folder, f"{versions[one.numbers]}_{one.name}.sql", names[name])
            continue
        path = names[name]
        folder.put(folder.downs, f"{versions[one.numbers]}_{one.name}.down.sql", path.read_bytes(), str(path))
        folder.gone.append(path)
    last = max(versions.values(), default="")
    for name, path in names.items():
        if last and (match := _REPEATABLE.fullmatch(name)):
            last = numbering.free_version(versions.values(), last) or last
            versions[(int(last),)] = last
            _take(folder, f"{last}_{match[1]}.sql", path)


def _writes(folders: Sequence[_Folder]) -> dict[Path, bytes]:
    """The files whose content there is another one; raises RefusedError for a down script that is there already."""
    writes = {}
    for folder in folders:
        for path, content in _new(folder):
            if not path.exists():
                writes[path] = content
            elif path.read_bytes() != content:
                if path.parent == folder.down and path.name in folder.downs:
                    raise RefusedError(_WHAT, f"{path} would be overwritten", set_aside(path))
                writes[path] = content
    return writes


def _new(folder: _Folder) -> Iterator[tuple[Path, bytes]]:
    yield from ((folder.path / name, content) for name, content in folder.ups.items())
    yield from ((folder.down / name, content) for name, content in folder.downs.items())


def _prove(settings: Settings, folder: _Folder, steps: Steps) -> bool:
    """Apply what was converted, in its order; False where the versions have to be put right first."""
    migrations = []
    for name, content in folder.ups.items():
        if match := FILE_NAME.fullmatch(name):
            migrations.append(Migration(match[1], match[2], folder.path / name, content))
    migrations.sort(key=lambda file: (file.version, file.name))
    if numbering.twice(migrations, as_text=True):
        return False
    try:
        shadow.catalog_after_all(settings, migrations, steps)
    except PrerequisiteError:  # nothing was tried
        raise
    except PromthctlError as error:
        error.what = f"{_WHAT}: the migrations do not apply to a fresh database ({error.what})"
        raise
    return True
