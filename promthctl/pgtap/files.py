"""Which test files there are, in pg_prove's order, and which of them leave something behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promthctl.errors import UsageError
from promthctl.pgtap.transactions import transaction_command
from promthctl.project_files import check_link, repository
from promthctl.settings import Settings
from promthctl.sql.scripts import NotTextError, ScriptReader

SUFFIXES = (".sql", ".pg")  # what `supabase test db` hands to pg_prove
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NEW = """begin;
select plan(1);

-- What there is to call: https://pgtap.org/documentation.html
select has_schema('public');

select * from finish();
rollback;
"""
_HARMLESS = (b"set", b"reset", b"show")  # outside of a transaction


@dataclass(frozen=True)
class TestFile:
    """path: absolute. name: relative to the project, where it is in there."""

    __test__ = False  # no test class of pytest's

    path: Path
    name: str


def tests_folder(settings: Settings) -> Path:
    return settings.supabase_dir / "tests"


def find_tests(settings: Settings, named: Sequence[Path] = ()) -> tuple[TestFile, ...]:
    """The test files of the project, or those that are named, and those in the folders that are, sorted by path.

    named: absolute. Raises UsageError where there is none, RefusedError for a link out of the repository.
    """
    found: dict[Path, None] = {}
    for place in named or (tests_folder(settings),):
        if not place.exists() and named:
            known = tests_folder(settings)
            raise UsageError(f"{place} cannot be tested", "there is no such file or folder", f"promthctl test {known}")
        files = [place] if place.is_file() else [one for one in place.rglob("*") if one.suffix in SUFFIXES]
        for file in sorted(one for one in files if one.is_file()):
            if file != place:  # what is named was meant
                check_link(file, settings.project_dir)
            found.setdefault(file)
    if not found:
        folder = named[0] if named else tests_folder(settings)
        raise UsageError(
            f"There are no tests in {folder}",
            "pgTAP tests are files NAME.sql, or NAME.pg, in there or below",
            "promthctl test --new NAME writes the first",
        )
    return tuple(TestFile(path, _shown(settings, path)) for path in found)


def new_test(settings: Settings, name: str) -> Path:
    """Write the beginning of a test, and return its file. Raises UsageError for a name that cannot be given."""
    file = tests_folder(settings) / f"{name.removesuffix('.sql').removesuffix('.test')}.test.sql"
    if not _NAME.fullmatch(name) or file.exists():
        why = f"{file} is there already" if file.exists() else "it takes letters, digits, . _ and -"
        raise UsageError(f"The test {name!r} was not made", why, "promthctl test --new another_name")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_NEW, encoding="utf-8")
    return file


def included(settings: Settings, file: TestFile, name: str, relative: bool) -> TestFile | str:
    """The file that \\ir (relative) or \\i names; where there is none that may be read, why.

    `supabase test db` runs psql in the folder of the tests, other people in the project's: \\i is looked for in both.
    """
    here = file.path.parent
    places = (here,) if relative else (tests_folder(settings), settings.project_dir, here)
    path = next((place / name for place in places if (place / name).is_file()), None)
    if path is None:
        return "there is no such file"
    if not path.resolve().is_relative_to(repository(settings.project_dir).resolve()):
        return "it is outside of the repository"
    return TestFile(path, _shown(settings, path.resolve()))


def is_isolated(file: TestFile) -> bool:
    """True for a file all of whose work is between BEGIN and ROLLBACK, so that others may run beside it."""
    inside = began = False
    try:
        with file.path.open("rb") as stream:
            for part in ScriptReader(stream):
                if part.kind == "meta":
                    if not inside and part.text.startswith((b"\\i", b"\\g")) and not part.text.startswith(b"\\if"):
                        return False
                    continue
                match transaction_command(part.text):
                    case "begin":
                        inside = began = True
                    case "rollback":
                        inside = False
                    case "commit" | "prepare":
                        return False
                    case _ if not inside and not part.text.lower().startswith(_HARMLESS):
                        return False
    except (OSError, NotTextError):
        return True  # the run says why
    return began


def _shown(settings: Settings, path: Path) -> str:
    inside = path.is_relative_to(settings.project_dir)
    return (path.relative_to(settings.project_dir) if inside else path).as_posix()
