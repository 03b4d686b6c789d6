"""`promthctl migrations new NAME --from-schemas`: the migration that leads to what the declared schemas make.

Which files those are: schema_paths under [db.migrations] of supabase/config.toml, patterns relative to supabase/, in
their order; without it every SQL file in supabase/schemas and below, by name. As the Supabase CLI 3.1.0 reads them:
https://supabase.com/docs/guides/local-development/declarative-database-schemas
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promthctl import database, seeds, shadow
from promthctl.drafting.differences import read_target
from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_files import changes
from promthctl.migration_files.pulling import Pull, draft
from promthctl.migration_set import supabase_folder
from promthctl.migration_set.creating import file_slug
from promthctl.seeds import SqlFile
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

_WHAT = "No migration was made"
_FOLDER = "./schemas"


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
            _run(declared.target, files)
        there = read_target(declared.target)
        target = replace(declared.target, label="the schema files")
        return draft(settings, slug, known, replace(there, history={}), target, None, steps)


def write(settings: Settings, plan: Pull, steps: Steps) -> Pull:
    """Write what was drafted; no database is told."""
    if not plan.written:
        return plan
    changes.carry_out(settings, plan.changes, steps)
    return replace(plan, done=True)


def find_schemas(settings: Settings) -> tuple[SqlFile, ...]:
    """Raises UsageError where there are none, or for a schema_paths that is no list of texts."""
    table = settings.supabase.get("db")
    table = table.get("migrations") if isinstance(table, dict) else None
    patterns = (table if isinstance(table, dict) else {}).get("schema_paths") or [_FOLDER]
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise UsageError(
            "supabase/config.toml has a wrong [db.migrations] schema_paths",
            "it must be a list of file names or patterns, relative to supabase/",
            'set schema_paths = ["./schemas/*.sql"] under [db.migrations] in supabase/config.toml',
        )
    if files := seeds.match_files(settings, patterns):
        return files
    raise UsageError(
        _WHAT,
        f"there are no schema files: nothing in supabase/ matches {', '.join(patterns)}",
        "mkdir -p supabase/schemas, and write there what the tables are to be: create table …",
    )


def _run(target: Target, files: Sequence[SqlFile]) -> None:
    import psycopg

    with database.connect(target) as connection:
        for file in files:
            try:
                text = file.path.read_text(encoding="utf-8-sig")
                connection.execute(text.encode(), prepare=False)
                connection.commit()
            except (OSError, UnicodeDecodeError, psycopg.Error) as error:
                why = str(error)
                if isinstance(error, psycopg.Error):
                    place = int(error.diag.statement_position or 0)
                    line = f"line {text.count(chr(10), 0, place) + 1}: " if place else ""
                    why = f"{line}{error.diag.message_primary or why}"
                raise PromthctlError(
                    f"{_WHAT}: {file.name} cannot be run", why, f"correct {file.name}, and run the same command again"
                ) from None
