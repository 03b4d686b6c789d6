"""The settings: the name of each, what it means, and defaults, for settings.py and the reference page."""

from __future__ import annotations

from collections.abc import Mapping

API_PORT = 54321  # as `supabase start` publishes them
DB_PORT = 54322
EXAMPLE = "mr-promth"  # the migrations that come with promthctl
ENGINES = ("auto", "embedded", "docker")

# [tool.promthctl] in pyproject.toml.
PYPROJECT: Mapping[str, str] = {
    "migrations": "the folder of your migrations, relative to the project; not beside `example`",
    "example": "the migrations that come with promthctl: `mr-promth`",
    "engine": "`auto`, `embedded` or `docker`, like `--engine`",
    "postgres": 'the embedded engine: `17`, `18` (has pgvector), `"system"`, or the folder of an installed PostgreSQL; '
    "without it 18 for a new database whose migrations create pgvector, otherwise 17",
    "replay": "`true`: a new local database runs every migration, even where a copy with the same is kept",
    "supabase_cli": "`pinned`, `system` (the one on PATH) or a path",
    "targets": "`[tool.promthctl.targets.NAME]` with `project_ref` or `db_url` (no password), and `production = true`; "
    '`password_env = "NAME_PASSWORD"` names the variable that has its password, where PGPASSWORD is another\'s',
    "diagram": '`[tool.promthctl.diagram] groups = { "Shop" = ["orders", "shop.items"] }`: tables that stand together',
    "public": "rows everyone may read on purpose: table → SQL condition, or `{ condition, reason }`",
    "shared": "what a user may put into their own row on purpose: table → `insert: another user's COLUMN`",
    "open_functions": "functions that anyone may call on purpose, as a list",
}

# The environment. Those without a star may stand in the project's .env, too.
VARIABLES: Mapping[str, str] = {
    "ENCRYPTION_SECRET": "encrypts the keys at rest; on the local stack one that `local up` made, where none is set",
    "VANCHIN_KEYS_FILE": "the file of VanchinAI keys",
    "VANCHIN_API_KEY_n, VANCHIN_ENDPOINT_n, VANCHIN_BASE_URL": "the keys themselves, n = 1 to 14",
    "SUPABASE_ACCESS_TOKEN": "access to hosted projects",
    "SUPABASE_DB_PASSWORD": "a hosted project's database password, and a `--db-url`'s where PGPASSWORD is not set",
    "PGPASSWORD": "the password of a `--db-url` without one",
    "PGPASSFILE": "a file of passwords, as psql reads it, in place of `~/.pgpass`",
    "PGSSLPASSWORD": "the password of the key that the URL's `sslkey` names, where the URL has no `sslpassword`",
    "PGSSLMODE": "TLS, as libpq reads it",
    "SUPABASE_URL": "the API that `seed` and `keys` use beside `--db-url`",
    "SUPABASE_SERVICE_ROLE_KEY": "the key for that API",
    "SUPABASE_PROFILE": "another Management API, as the Supabase CLI reads it",
    "SUPABASE_PROJECT_ID": "the `project_id` of supabase/config.toml, for a second clone on Docker",
    "SUPABASE_WORKDIR *": "the project's folder, where `-C` names none",
    "PROMTHCTL_ENGINE": "like `--engine`",
    "PROMTHCTL_SUPABASE_CLI": "like `--supabase-cli`",
    "PROMTHCTL_CACHE_DIR": "where the tools are kept, about 220 MB",
    "PROMTHCTL_DATA_DIR": "where databases are kept (default `~/.local/share/promthctl`, on macOS "
    "`~/Library/Application Support/promthctl`; for root `/var/lib/promthctl`)",
    "PROMTHCTL_REPLAY": "1: like `replay = true`; 0: like `false`",
    "PROMTHCTL_REHEARSAL *": "`off`: `push` as with `--no-rehearsal`; a project's .env cannot say so",
    "DOCKER_HOST *, DOCKER_CONTEXT *": "the Docker that `--engine docker` uses",
}
