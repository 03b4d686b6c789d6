"""Every setting with what it means: docs/configuration.md is written from here, and settings.load takes no other name.

How a value is read is in settings.py and in the modules that use it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """name: as it is written in the file. meaning: one sentence. example: a value, as TOML or as a dotenv file has it.

    shell_only: a project's .env cannot set it. Which ones need the user's agreement there, trust.py says; variables of
    the providers of API keys are in keys/providers.py.
    """

    name: str
    meaning: str
    example: str = ""
    shell_only: bool = False


# [tool.promthctl] of pyproject.toml.
TOOL = (
    Setting("migrations", "The folder of the migrations, relative to the project.", '"database/migrations"'),
    Setting("example", "The migrations that come with promthctl, in place of a folder.", '"mr-promth"'),
    Setting(
        "postgres",
        'The embedded engine\'s PostgreSQL: 17, 18 (with pgvector), "system" for the newest installed one, or the '
        "folder of an installed one.",
        "17",
    ),
    Setting("engine", "The engine of `local up`: auto, embedded or docker.", '"embedded"'),
    Setting("replay", "A new local database runs every migration, also where a copy of one is kept.", "true"),
    Setting("supabase_cli", "pinned, system (the one on PATH), or the path of a Supabase CLI.", '"system"'),
    Setting(
        "targets",
        "A table by name, for `--target NAME`: `project_ref`, or `db_url` without a password, and `production = true` "
        "to be told whenever it is used.",
        '{ live = { project_ref = "abcdefghijklmnopqrst", production = true } }',
    ),
    Setting("public", "By table, the SQL condition on the rows that everyone may read.", '{ news = "published" }'),
    Setting(
        "shared",
        "By table, what a user may put into their own row, or do with rows of others.",
        '{ orders = "insert: another user\'s listing_id" }',
    ),
    Setting("open_functions", "Functions that anyone may call.", '["search_listings"]'),
)

# Of the environment, or of .env in the project.
VARIABLES = (
    Setting("ENCRYPTION_SECRET", "Encrypts stored API keys; on the local stack one is made where none is set."),
    Setting("SUPABASE_ACCESS_TOKEN", "Finds hosted projects; else the file that `supabase login` keeps."),
    Setting("SUPABASE_DB_PASSWORD", "The password of a hosted project's database."),
    Setting("PGPASSWORD", "The password of a `--db-url` without one; else SUPABASE_DB_PASSWORD."),
    Setting("PGSSLPASSWORD", "The password of the key that the URL's `sslkey` names."),
    Setting("PGSSLMODE", "Encryption of a database's connection, as libpq reads it.", "verify-full"),
    Setting("SUPABASE_URL", "The API that `seed` and `keys` use beside `--db-url`."),
    Setting("SUPABASE_SERVICE_ROLE_KEY", "The service key of that API."),
    Setting("SUPABASE_PROFILE", "Another Management API: a profile of the Supabase CLI, by name or file."),
    Setting("SUPABASE_WORKDIR", "The project's folder for commands without `-C`.", shell_only=True),
    Setting("SUPABASE_PROJECT_ID", "The project's name on Docker, in place of config.toml's `project_id`."),
    Setting("SUPABASE_INTERNAL_IMAGE_REGISTRY", "The registry of the Docker engine's images."),
    Setting("PROMTHCTL_ENGINE", "As `--engine` of `local up`.", "embedded"),
    Setting("PROMTHCTL_SUPABASE_CLI", "As `--supabase-cli`.", "system"),
    Setting("PROMTHCTL_CACHE_DIR", "Where the tools are kept, about 220 MB."),
    Setting("PROMTHCTL_DATA_DIR", "Where databases are kept."),
    Setting("PROMTHCTL_REPLAY", "1: as `replay = true` of pyproject.toml.", "1"),
    Setting("PROMTHCTL_REHEARSAL", "off: every push as with `--no-rehearsal`.", "off", shell_only=True),
    Setting("DOCKER_HOST", "The Docker that `--engine docker` uses."),
    Setting("DOCKER_CONTEXT", "The same, as a context of the docker command."),
    Setting("DOCKER_CONFIG", "The folder of the docker command's contexts.", shell_only=True),
)
