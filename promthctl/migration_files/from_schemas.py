"""`promthctl migrations new NAME --from-schemas`: the migration that leads to what the declared schemas make.

Which files those are: schema_paths under [db.migrations] of supabase/config.toml, patterns relative to supabase/, in
their order; without it every SQL file in supabase/schemas and below, where a statement may need what a later one
makes. As the Supabase CLI 3.1.0 reads them, whose pg-delta tries again what was not there yet:
https://supabase.com/docs/guides/local-development/declarative-database-schemas
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from promthctl import database, seeds, shadow
from promthctl.drafting.differences import read_target
from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_files import changes
from promthctl.migration_files.pulling import Pull, draft
from promthctl.migration_files.table_contents import read_contents, with_rows
from promthctl.migration_set import supabase_folder
from promthctl.migration_set.creating import file_slug
from promthctl.seeds import SqlFile
from promthctl.settings import Settings
from promthctl.sql.statements import split_statements
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_WHAT = "No migration was made"
_FOLDER = "./schemas"
# Undefined: table, object, function, column, schema.
_NOT_YET_THERE = frozenset(("42P01", "42704", "42883", "42703", "3F000"))


def plan_from_schemas(settings: Settings, name: str, steps: Steps) -> Pull:
    """Draft the migration from what all migrations make to what the schema files make, and prove it and its down
    script as a pull's; nothing is written.

    settings: of pulling.own_settings. Raises UsageError where there are no schema files, PromthctlError for one that
    fails, with file and line, and what plan_pull raises.
    """
    slug, files = file_slug(name), find_schemas(settings)
    plan = supabase_folder.plan_project_sync(settings, (), history=())
    if refusal := plan.refusal:
        raise refusal
    known = supabase_folder.expected_migrations(settings, plan)
    with shadow.trial_database(settings) as declared:
        with steps.step(f"Running the schema files ({len(files)})"):
            empty = read_contents(declared.superuser)
            _run(declared.target, files, rounds=_patterns(settings) is None)
        rows = with_rows(empty, read_contents(declared.superuser))
        there = read_target(declared.target)
        target = replace(declared.target, label="the schema files")
        drafted = draft(settings, slug, known, replace(there, history={}), target, None, steps)
        return replace(drafted, rows=rows)


def write(settings: Settings, plan: Pull, steps: Steps) -> Pull:
    """Write what was drafted; no database is told."""
    if not plan.written:
        return plan
    changes.carry_out(settings, plan.changes, steps)
    return replace(plan, done=True)


def find_schemas(settings: Settings) -> tuple[SqlFile, ...]:
    """Raises UsageError where there are none, or for a schema_paths that is no list of texts."""
    patterns = _patterns(settings) or [_FOLDER]
    if files := seeds.match_files(settings, patterns):
        return files
    raise UsageError(
        _WHAT,
        f"there are no schema files: nothing in supabase/ matches {', '.join(patterns)}",
        "mkdir -p supabase/schemas, and write there what the tables are to be: create table …",
    )


def _patterns(settings: Settings) -> list[str] | None:
    """schema_paths, which give an order, too; None where it is not set, or names the folder itself."""
    table = settings.supabase.get("db")
    table = table.get("migrations") if isinstance(table, dict) else None
    patterns = (table if isinstance(table, dict) else {}).get("schema_paths") or [_FOLDER]
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise UsageError(
            "supabase/config.toml has a wrong [db.migrations] schema_paths",
            "it must be a list of file names or patterns, relative to supabase/",
            'set schema_paths = ["./schemas/*.sql"] under [db.migrations] in supabase/config.toml',
        )
    return None if [PurePosixPath(each) for each in patterns] == [PurePosixPath(_FOLDER)] else patterns


def _run(target: Target, files: Sequence[SqlFile], rounds: bool) -> None:
    """rounds: a statement that needs what a later one makes is tried again when the others have run."""
    import psycopg

    with database.connect(target) as connection:
        waiting = [(file, text, line) for file in files for text, line in _pieces(file, rounds)]
        while waiting:
            later: list[tuple[SqlFile, str, int, psycopg.Error]] = []
            for file, text, line in waiting:
                try:
                    connection.execute(text.encode(), prepare=False)
                except psycopg.Error as error:
                    if not rounds or error.sqlstate not in _NOT_YET_THERE:
                        raise _cannot_be_run(file, text, line, error) from None
                    later.append((file, text, line, error))
            if len(later) == len(waiting):
                raise _cannot_be_run(*later[0]) from None
            waiting = [(file, text, line) for file, text, line, _ in later]


def _pieces(file: SqlFile, rounds: bool) -> list[tuple[str, int]]:
    """What is sent at a time, and the line it begins on: a statement, or the whole file."""
    try:
        text = file.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(file, str(error)) from None
    if not rounds:
        return [(text, 1)]
    return [
        (text[start:end], text.count("\n", 0, start) + 1)
        for start, end, code in split_statements(text)
        if code is not None
    ]


def _cannot_be_run(file: SqlFile, text: str, line: int, error: psycopg.Error) -> PromthctlError:
    place = int(error.diag.statement_position or 0)
    where = f"line {line + text.count(chr(10), 0, place)}: " if place else "" if line == 1 else f"line {line}: "
    return _wrong(file, f"{where}{error.diag.message_primary or error}")


def _wrong(file: SqlFile, why: str) -> PromthctlError:
    return PromthctlError(
        f"{_WHAT}: {file.name} cannot be run", why, f"correct {file.name}, and run the same command again"
    )
