"""What the user configured, read once and frozen. No other module reads the environment or a configuration file, but
project_files.py, which says where these are.

The first of these that sets a value wins: options, the process environment, .env in the project, [tool.promthctl] in
pyproject.toml, supabase/config.toml, defaults.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from promthctl.configuration import API_PORT, DB_PORT, ENGINES, EXAMPLE, PYPROJECT
from promthctl.declarations import NOTHING_DECLARED, Declarations, read_declarations
from promthctl.errors import UsageError
from promthctl.project_files import ENV, missing_folder, read_dotenv, read_supabase_config, read_toml, table_of
from promthctl.redact import remember
from promthctl.targets import from_url

POSTGRES_MAJORS = (17, 18)  # that promthctl brings along
SERVER_MAJORS = (14, 15, 16, 17, 18)  # that can be the embedded engine when they are installed
SYSTEM_POSTGRES = "system"

# Variables whose values are secret wherever they are read; the last line covers VANCHIN_API_KEY_n and OPENAI_API_KEY.
_SECRET_NAMES = re.compile(
    r"^(ENCRYPTION_SECRET|SUPABASE_(SERVICE_ROLE_KEY|ACCESS_TOKEN|DB_PASSWORD|DB_URL)|PG(SSL)?PASSWORD"
    r"|[A-Z0-9_]+_API_KEY(_\d+)?)$"
)


_PASSWORD_NAME = re.compile(r"[A-Z0-9_]*PASSWORD")  # what password_env may name


# Where programs and the user's own files are found: a project's .env does not decide that.
_MACHINE = {"DOCKER_CONFIG", "HOME", "PATH", "XDG_RUNTIME_DIR"}


@dataclass(frozen=True)
class NamedTarget:
    """[tool.promthctl.targets.NAME]: one of project_ref and db_url. production: announced whenever it is used.

    password_env: the variable that has its database password, instead of PGPASSWORD and SUPABASE_DB_PASSWORD.
    """

    project_ref: str | None = None
    db_url: str | None = field(default=None, repr=False)
    production: bool = False
    password_env: str | None = None


@dataclass(frozen=True)
class Settings:
    """Everything that a command may need to know about where it runs.

    project_dir: absolute. env: the process environment, over .env. migrations: the folder that pyproject.toml
    names, see migration_set.source for what applies without one. example: the bundled migrations it names instead.
    configured: pyproject.toml has [tool.promthctl]. api_port, db_port: from supabase/config.toml, None if it does not
    set them, also where the variable that they name is not set, see ports.check_configured.
    postgres: the embedded engine's server: the major version of one that promthctl brings along, "system" for one that
    is installed, or the absolute folder of one; None where nothing is set. cache_dir: None for the user's own cache
    directory. declared: what is open on purpose. engine: from PROMTHCTL_ENGINE or pyproject.toml, "auto" if neither
    sets it. supabase: supabase/config.toml. supabase_cli: "pinned", "system" or the absolute path of a CLI.
    rehearses: push tries what is pending first; decided by the process environment alone, not by a project.
    exposed: .env, if it holds secrets that other users can read. unreadable: the lines of .env that were left out.
    project_variables: the names of the variables that only .env sets. supabase_cli_place: the file of the project that
    names a path as supabase_cli, None for others. replay: a new local database runs every migration, even where a copy
    of one with the same is kept. diagram_groups: group → its tables as (schema, name), in the file's order.
    """

    project_dir: Path
    env: Mapping[str, str] = field(repr=False)
    migrations: Path | None = None
    example: str | None = None
    configured: bool = False
    api_port: int | None = None
    db_port: int | None = None
    postgres: int | str | None = None
    cache_dir: Path | None = None
    declared: Declarations = NOTHING_DECLARED
    targets: Mapping[str, NamedTarget] = field(default_factory=dict)
    engine: str = "auto"
    supabase: Mapping[str, Any] = field(default_factory=dict, repr=False)
    supabase_cli: str = "pinned"
    exposed: Path | None = None
    unreadable: tuple[int, ...] = ()
    project_variables: frozenset[str] = frozenset()
    supabase_cli_place: str | None = None
    replay: bool = False
    rehearses: bool = True
    diagram_groups: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @property
    def database_password(self) -> str | None:
        """The password for a database URL that has none."""
        return self.get("PGPASSWORD") or self.get("SUPABASE_DB_PASSWORD")

    @property
    def database_key_password(self) -> str | None:
        """The password of the client's private key, for a database URL without sslpassword. Not a variable of libpq."""
        return self.get("PGSSLPASSWORD")

    @property
    def project_id(self) -> str:
        """A name for the project that is safe in paths: letters of its folder's name and a hash of the whole path."""
        plain = "".join(letter for letter in self.project_dir.name.lower() if letter.isascii() and letter.isalnum())
        return f"{plain[:20] or 'project'}-{hashlib.sha256(str(self.project_dir).encode()).hexdigest()[:12]}"

    @property
    def state_dir(self) -> Path:
        return self.project_dir / ".promthctl"

    @property
    def supabase_dir(self) -> Path:
        return self.project_dir / "supabase"

    @property
    def migrations_dir(self) -> Path:
        return self.supabase_dir / "migrations"

    @property
    def api_schemas(self) -> tuple[str, ...]:
        """The schemas that the API exposes; without a list in config.toml those of a new project."""
        listed = table_of(self.supabase, "api", where="supabase/config.toml").get("schemas")
        return tuple(map(str, listed)) if isinstance(listed, list) else ("public", "graphql_public")

    def target(self, name: str) -> NamedTarget:
        """A target of [tool.promthctl.targets]. Raises UsageError, which lists the known names, for any other."""
        if name not in self.targets:
            known = ", ".join(sorted(self.targets)) or "none"
            raise UsageError(
                f"There is no target {name!r}",
                f"[tool.promthctl.targets] in pyproject.toml has: {known}",
                _write_target(name) + (f"; or --target {min(self.targets)}" if self.targets else ""),
            )
        return self.targets[name]

    def child_env(self, **extra: str) -> dict[str, str]:
        """What a child process inherits: our environment without its secrets, and `extra`."""
        own = {target.password_env for target in self.targets.values()}
        ours = {name: value for name, value in os.environ.items() if not _SECRET_NAMES.match(name) and name not in own}
        return ours | extra

    def password_of(self, target: NamedTarget) -> str | None:
        """The password for a target's database, of the environment or .env."""
        return self.get(target.password_env) if target.password_env else self.database_password

    def get(self, name: str) -> str | None:
        """The value of a variable; None if it is not set or empty, as in a half-filled .env."""
        return self.env.get(name, "").strip() or None


def own_cache_dir() -> Path | None:
    """The cache directory that the user's own environment names, whatever a project's .env says."""
    value = os.environ.get("PROMTHCTL_CACHE_DIR")
    return Path(value).expanduser().absolute() if value else None


def in_shell(name: str) -> bool:
    """True when the user's own environment sets the variable, so that nothing in .env counts."""
    return name in os.environ


def load(project_dir: Path, supabase_cli: str | None = None, example: str | None = None) -> Settings:
    """Read the configuration of a project. An empty folder is a project, too.

    supabase_cli, example: the values of these options. Raises UsageError for a wrong value, naming the file and
    the place.
    """
    root = project_dir.expanduser().absolute()
    if not root.is_dir():
        if root.exists():
            why = "it is what -C/--project-dir says"
            raise UsageError(f"{root} is not a folder", why, f"promthctl -C {shlex.quote(str(root.parent))}")
        raise UsageError(f"The project directory {root} does not exist", *missing_folder(root))
    written, unreadable = read_dotenv(root / ".env")
    dotenv = {name: value for name, value in written.items() if name not in _MACHINE}
    env = {**dotenv, **os.environ}
    for name, value in env.items():
        if _SECRET_NAMES.match(name):
            remember(_password(value) if name.endswith("_URL") else value)
    document = read_toml(root / "pyproject.toml")
    tool = table_of(document, "tool", "promthctl", where="pyproject.toml")
    if unknown := sorted(set(tool) - set(PYPROJECT)):
        raise UsageError(
            f"pyproject.toml has an unknown setting: {unknown[0]}",
            f"[tool.promthctl] takes {', '.join(sorted(PYPROJECT))}",
            "correct the name in pyproject.toml, or remove the line",
        )
    config = read_supabase_config(root, {**dotenv, **read_dotenv(root / "supabase" / ".env")[0], **os.environ})
    targets = {
        name: _named_target(name, target) for name, target in table_of(tool, "targets", where="pyproject.toml").items()
    }
    for target in targets.values():
        remember(env.get(target.password_env or ""))
    source = tool.get("migrations")
    typed_cli, cli = supabase_cli or env.get("PROMTHCTL_SUPABASE_CLI"), tool.get("supabase_cli", "pinned")
    cache = env.get("PROMTHCTL_CACHE_DIR")
    return Settings(
        project_dir=root,
        env=env,
        migrations=_folder(root, source) if source is not None and example is None else None,
        example=_example(example or tool.get("example"), source if example is None else None),
        configured="promthctl" in table_of(document, "tool", where="pyproject.toml"),
        api_port=_port(config, "api"),
        db_port=_port(config, "db"),
        postgres=_postgres(root, tool["postgres"]) if "postgres" in tool else None,
        targets=targets,
        diagram_groups=_diagram_groups(table_of(tool, "diagram", where="pyproject.toml")),
        declared=read_declarations(tool),
        cache_dir=Path(cache).expanduser().absolute() if cache else None,
        engine=_engine(env.get("PROMTHCTL_ENGINE", "").strip(), tool.get("engine")),
        supabase=config,
        supabase_cli=_cli(root, typed_cli, cli),
        supabase_cli_place=None if supabase_cli else _cli_place(dotenv, cli),
        project_variables=frozenset(name for name, value in dotenv.items() if value.strip() and name not in os.environ),
        unreadable=unreadable,
        replay=_replay(env.get("PROMTHCTL_REPLAY", "").strip(), tool.get("replay", False)),
        rehearses=os.environ.get("PROMTHCTL_REHEARSAL", "").strip() != "off",
        exposed=root / ".env" if _is_exposed(root / ".env", dotenv) else None,
    )


def _is_exposed(path: Path, dotenv: Mapping[str, str]) -> bool:
    """True if the file holds secrets and its mode lets others than its owner read them."""
    secret = any(value.strip() and _SECRET_NAMES.match(name) for name, value in dotenv.items())
    return secret and os.name == "posix" and bool(path.stat().st_mode & 0o077)


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return url


def _folder(root: Path, value: Any) -> Path:
    if not isinstance(value, str) or not value:
        raise UsageError(
            "pyproject.toml has a wrong setting: migrations",
            "it must be the folder of your migrations, as text",
            'set migrations = "database/migrations" under [tool.promthctl] in pyproject.toml',
        )
    return root / Path(value).expanduser()


def _example(name: Any, migrations: Any) -> str | None:
    if name in (None, EXAMPLE) and (name is None or migrations is None):
        return EXAMPLE if name else None
    why = f"there is one example, {EXAMPLE}" if name != EXAMPLE else "migrations and example exclude each other"
    hint = "keep one of the two lines, migrations or example, under [tool.promthctl] in pyproject.toml"
    if name != EXAMPLE:
        hint = f'set example = "{EXAMPLE}" under [tool.promthctl] in pyproject.toml, or remove that line'
    raise UsageError("It is not clear which migrations are meant", why, hint)


def _cli(root: Path, typed: str | None, configured: Any) -> str:
    """A path that was typed is relative to the current folder, one from pyproject.toml to the project."""
    choice, base = (typed, Path.cwd()) if typed else (configured, root)
    if not isinstance(choice, str) or not choice:
        raise UsageError(
            "pyproject.toml has a wrong setting: supabase_cli",
            "it must be pinned, system (the one on PATH) or the path of a Supabase CLI",
            'set supabase_cli = "system" under [tool.promthctl] in pyproject.toml',
        )
    return choice if choice in ("pinned", "system") else str(base / Path(choice).expanduser())


def _cli_place(dotenv: Mapping[str, str], configured: Any) -> str | None:
    """The file of the project that names the path of a Supabase CLI; None where the user's environment decides."""
    if os.environ.get("PROMTHCTL_SUPABASE_CLI"):
        return None
    named = dotenv.get("PROMTHCTL_SUPABASE_CLI")
    if (named or configured) in ("pinned", "system"):
        return None
    return ".env" if named else "pyproject.toml"


def _named_target(name: str, table: Any) -> NamedTarget:
    kinds = {"project_ref": str, "db_url": str, "production": bool, "password_env": str}
    why = (
        "a target is a table with project_ref or db_url, and optionally production = true and password_env, the name of"
        " a variable that ends in PASSWORD"
    )
    if isinstance(table, dict):
        wrong = [key for key, value in table.items() if not isinstance(value, kinds.get(key, ()))]
        if not wrong and not _PASSWORD_NAME.fullmatch(table.get("password_env", "PASSWORD")):
            wrong = ["password_env"]  # a project's file does not choose any secret to send
        if not wrong and ("project_ref" in table) != ("db_url" in table):
            _without_password(name, table.get("db_url"))
            return NamedTarget(**table)
        why = f"{wrong[0]} is unknown or has a wrong type; {why}" if wrong else why
    raise UsageError(
        f"pyproject.toml has a wrong setting: targets.{name}",
        why,
        _write_target(name),
    )


def _diagram_groups(table: Mapping[str, Any]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    groups = table.get("groups", {})
    lists = isinstance(groups, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in groups.values()
    )
    if not lists or table.keys() - {"groups"}:
        raise UsageError(
            "pyproject.toml has a wrong setting: diagram",
            "it takes groups, a table of lists of tables' names",
            'write in pyproject.toml:\n[tool.promthctl.diagram]\ngroups = { "Shop" = ["orders", "shop.items"] }',
        )

    def named(name: str) -> tuple[str, str]:
        schema, dot, table = name.partition(".")
        return (schema, table) if dot else ("public", name)

    return {group: tuple(map(named, names)) for group, names in groups.items()}


def _engine(variable: str, setting: Any) -> str:
    value = variable or ("auto" if setting is None else setting)
    if value in ENGINES:
        return str(value)
    raise UsageError(
        f"There is no engine {value!r}",
        f"{'PROMTHCTL_ENGINE' if variable else '[tool.promthctl] engine'} takes {', '.join(ENGINES)}",
        "unset PROMTHCTL_ENGINE" if variable else 'set engine = "auto" under [tool.promthctl] in pyproject.toml',
    )


def _replay(variable: str, setting: Any) -> bool:
    if not isinstance(setting, bool):
        raise UsageError(
            "pyproject.toml has a wrong setting: replay",
            "it must be true or false: whether a new local database runs every migration, instead of copying one",
            "set replay = true under [tool.promthctl] in pyproject.toml, or remove the line",
        )
    return variable.lower() not in ("0", "false", "no") if variable else setting


def _without_password(name: str, url: str | None) -> None:
    """Raises UsageError for a URL with a password, which does not belong in a file that is committed."""
    target = from_url(url, place=f"targets.{name}.db_url in pyproject.toml") if url is not None else None
    if target and (target.password or target.key_password):
        variable = "PGPASSWORD" if target.password else "PGSSLPASSWORD"
        raise UsageError(
            f"pyproject.toml has a password in targets.{name}.db_url",
            "the file is committed, and everyone who sees it could use the database",
            f"remove the password there, change it if it was committed, and set it as {variable}",
        )


def _postgres(root: Path, value: Any) -> int | str:
    if isinstance(value, str) and value.strip() and not value.strip().isdigit():
        return value if value == SYSTEM_POSTGRES else str(root / Path(value).expanduser())
    if type(value) is not int or value not in POSTGRES_MAJORS:
        raise UsageError(
            f"PostgreSQL {value!r} is not available on the embedded engine",
            f"postgres takes {' or '.join(map(str, POSTGRES_MAJORS))}, which promthctl brings along (18 has pgvector), "
            f'"{SYSTEM_POSTGRES}" or the folder of an installed PostgreSQL {SERVER_MAJORS[0]} to {SERVER_MAJORS[-1]}',
            "write in pyproject.toml:\n[tool.promthctl]\npostgres = 17",
        )
    return int(value)


def _port(config: Mapping[str, Any], section: str) -> int | None:
    value = table_of(config, section, where="supabase/config.toml").get("port")
    if value is None or unset_variable(value):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise UsageError(
            f"supabase/config.toml has a wrong [{section}] port",
            f"{value!r} is not a port (1 to 65535)",
            f"set port = {API_PORT if section == 'api' else DB_PORT} under [{section}]",
        )
    return value


def _write_target(name: str) -> str:
    return (
        f"write [tool.promthctl.targets.{name}] in pyproject.toml, and below it project_ref with the twenty letters of"
        " https://supabase.com/dashboard/project/REF, or db_url"
    )


def unset_variable(value: Any) -> str | None:
    """NAME, where `supabase` of the settings still says "env(NAME)"; None for every other value."""
    named = ENV.fullmatch(value.strip()) if isinstance(value, str) else None
    return named[1] if named else None
