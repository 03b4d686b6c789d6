"""What the user configured, read once and frozen. Nothing else reads the environment or a configuration file.

Precedence, first wins: flags, the process environment, .env in the project, [tool.promthctl] in pyproject.toml,
supabase/config.toml, defaults.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from promthctl.errors import UsageError
from promthctl.redact import remember
from promthctl.targets import from_url

API_PORT = 54321  # as `supabase start` publishes them
DB_PORT = 54322
POSTGRES_MAJORS = (17, 18)
ENGINES = ("auto", "embedded", "docker")

# Names whose values are secret wherever they are read; VANCHIN_API_KEY_n and OPENAI_API_KEY are matched by the pattern.
_SECRET_NAMES = re.compile(
    r"^(ENCRYPTION_SECRET|SUPABASE_(SERVICE_ROLE_KEY|ACCESS_TOKEN|DB_PASSWORD|DB_URL)|PGPASSWORD"
    r"|[A-Z0-9_]+_API_KEY(_\d+)?)$"
)


@dataclass(frozen=True)
class NamedTarget:
    """[tool.promthctl.targets.NAME]: one of project_ref and db_url. production: pushes say so."""

    project_ref: str | None = None
    db_url: str | None = field(default=None, repr=False)
    production: bool = False


@dataclass(frozen=True)
class Settings:
    """Everything a command may want to know about where it runs.

    project_dir: absolute. env: .env overlaid with the process environment. migrations: the folder migrations are
    copied from, None for the packaged ones. api_port, db_port: what configuration asks for, None if nothing does.
    postgres: the major version of the embedded engine. cache_dir: None for the user's own cache directory.
    engine: what PROMTHCTL_ENGINE or pyproject.toml asks for, "auto" if neither does. supabase: supabase/config.toml.
    supabase_cli: "pinned", "system" or the absolute path of one.
    exposed: .env, where it holds secrets that other users of this machine may read.
    """

    project_dir: Path
    env: Mapping[str, str] = field(repr=False)
    migrations: Path | None = None
    api_port: int | None = None
    db_port: int | None = None
    postgres: int = 17
    cache_dir: Path | None = None
    public: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, NamedTarget] = field(default_factory=dict)
    engine: str = "auto"
    supabase: Mapping[str, Any] = field(default_factory=dict, repr=False)
    supabase_cli: str = "pinned"
    exposed: Path | None = None

    @property
    def database_password(self) -> str | None:
        """For a database URL that has none."""
        return self.get("PGPASSWORD") or self.get("SUPABASE_DB_PASSWORD")

    @property
    def project_id(self) -> str:
        """A name for the project that is safe in paths: its folder's letters and a hash of the whole path."""
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

    def target(self, name: str) -> NamedTarget:
        """A target of [tool.promthctl.targets]. Raises UsageError, naming those there are."""
        if name not in self.targets:
            there = ", ".join(sorted(self.targets)) or "none is there"
            raise UsageError(
                f"There is no target {name!r}",
                f"pyproject.toml names these under [tool.promthctl.targets]: {there}",
                f'[tool.promthctl.targets.{name}] project_ref = "abcdefghijklmnopqrst"',
            )
        return self.targets[name]

    def child_env(self, **extra: str) -> dict[str, str]:
        """What a child process inherits: our environment without the secrets, plus what it needs by name."""
        return {name: value for name, value in os.environ.items() if not _SECRET_NAMES.match(name)} | extra

    def get(self, name: str) -> str | None:
        """A variable's value; an empty one counts as not set, as in a half-filled .env."""
        return self.env.get(name, "").strip() or None


def load(project_dir: Path, supabase_cli: str | None = None) -> Settings:
    """Read the configuration of a project; an empty folder is a project too.

    supabase_cli: what --supabase-cli was given.
    Raises UsageError when a file is not what it should be, naming the file and the place.
    """
    root = project_dir.expanduser().absolute()
    if not root.is_dir():
        given = "it was given with -C/--project-dir"
        if root.exists():
            raise UsageError(f"{root} is no folder", given, "give it the project's folder")
        raise UsageError(f"The project directory {root} does not exist", given, f"mkdir -p {shlex.quote(str(root))}")
    dotenv = _dotenv(root / ".env")
    env = {**dotenv, **os.environ}
    for name, value in env.items():
        if _SECRET_NAMES.match(name):
            remember(_password(value) if name.endswith("_URL") else value)
    tool = _table(_toml(root / "pyproject.toml"), "tool", "promthctl", where="pyproject.toml")
    known = {"engine", "migrations", "postgres", "public", "supabase_cli", "targets"}
    if unknown := sorted(set(tool) - known):
        raise UsageError(
            f"pyproject.toml has an unknown setting: {unknown[0]}",
            f"[tool.promthctl] takes {', '.join(sorted(known))}",
            "correct the name, or remove the line",
        )
    config = _toml(root / "supabase" / "config.toml")
    source = tool.get("migrations")
    cache = env.get("PROMTHCTL_CACHE_DIR")
    return Settings(
        project_dir=root,
        env=env,
        migrations=_folder(root, source) if source is not None else None,
        api_port=_port(config, "api"),
        db_port=_port(config, "db"),
        postgres=_major(tool.get("postgres", 17)),
        targets={
            name: _named_target(name, table) for name, table in _table(tool, "targets", where="pyproject.toml").items()
        },
        public=_conditions(_table(tool, "public", where="pyproject.toml")),
        cache_dir=Path(cache).expanduser().absolute() if cache else None,
        engine=_engine(env.get("PROMTHCTL_ENGINE", "").strip(), tool.get("engine")),
        supabase=config,
        supabase_cli=_cli(root, supabase_cli or env.get("PROMTHCTL_SUPABASE_CLI"), tool.get("supabase_cli", "pinned")),
        exposed=root / ".env" if _is_exposed(root / ".env", dotenv) else None,
    )


def _is_exposed(path: Path, dotenv: Mapping[str, str]) -> bool:
    """True if that file has secrets, and a mode that lets others than its owner at them."""
    secret = any(value.strip() and _SECRET_NAMES.match(name) for name, value in dotenv.items())
    return secret and os.name == "posix" and bool(path.stat().st_mode & 0o077)


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return url


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", _reason(error), f"check {path}: UTF-8 lines NAME=value") from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read", _reason(error), f"correct {path} and run again") from None


def _table(document: Mapping[str, Any], *names: str, where: str) -> dict[str, Any]:
    """The nested table, empty when absent; anything but a table is refused."""
    value: Any = document
    for name in names:
        value = value.get(name, {})
        if not isinstance(value, dict):
            raise UsageError(
                f"{where} has a wrong [{'.'.join(names)}]", f"{name} must be a table", f"correct {where} and run again"
            )
    return dict(value)


def _folder(root: Path, value: Any) -> Path:
    if not isinstance(value, str) or not value:
        raise UsageError(
            "pyproject.toml has a wrong setting: migrations",
            "it names the folder of your migrations, as text",
            '[tool.promthctl] migrations = "database/migrations"',
        )
    return root / Path(value).expanduser()


def _cli(root: Path, typed: str | None, configured: Any) -> str:
    """A path is relative to where it was typed, or to the project when pyproject.toml has it."""
    choice, base = (typed, Path.cwd()) if typed else (configured, root)
    if not isinstance(choice, str) or not choice:
        raise UsageError(
            "pyproject.toml has a wrong setting: supabase_cli",
            "it is pinned, system (the one on PATH) or the path of a Supabase CLI",
            '[tool.promthctl] supabase_cli = "system"',
        )
    return choice if choice in ("pinned", "system") else str(base / Path(choice).expanduser())


def _conditions(table: Mapping[str, Any]) -> dict[str, str]:
    for name, condition in table.items():
        if not isinstance(condition, str) or not condition.strip():
            raise UsageError(
                f"pyproject.toml has a wrong setting: public.{name}",
                "it is an SQL condition on the rows that everyone may read, as text",
                'public = { prompts = "is_public" }, or "true" for all rows of a table',
            )
    return dict(table)


def _named_target(name: str, table: Any) -> NamedTarget:
    kinds = {"project_ref": str, "db_url": str, "production": bool}
    why = "it is a table with project_ref or db_url, and if wanted production = true"
    if isinstance(table, dict):
        wrong = [key for key, value in table.items() if not isinstance(value, kinds.get(key, ()))]
        if not wrong and ("project_ref" in table) != ("db_url" in table):
            _without_password(name, table.get("db_url"))
            return NamedTarget(**table)
        why = f"it has a wrong {wrong[0]}; {why}" if wrong else why
    raise UsageError(
        f"pyproject.toml has a wrong setting: targets.{name}",
        why,
        f'[tool.promthctl.targets.{name}] project_ref = "abcdefghijklmnopqrst"',
    )


def _engine(variable: str, setting: Any) -> str:
    value = variable or ("auto" if setting is None else setting)
    if value in ENGINES:
        return str(value)
    raise UsageError(
        f"There is no engine {value!r}",
        f"{'PROMTHCTL_ENGINE' if variable else '[tool.promthctl] engine'} takes {', '.join(ENGINES)}",
        "unset PROMTHCTL_ENGINE" if variable else '[tool.promthctl] engine = "auto"',
    )


def _without_password(name: str, url: str | None) -> None:
    """A password does not belong into a file that is committed."""
    if url is not None and from_url(url, place=f"targets.{name}.db_url in pyproject.toml").password:
        raise UsageError(
            f"pyproject.toml has a password in targets.{name}.db_url",
            "the file is committed, and everybody who sees it could use the database",
            "remove the password there, change it on the server if it was committed, and give it as PGPASSWORD",
        )


def _major(value: Any) -> int:
    if value not in POSTGRES_MAJORS or isinstance(value, bool):
        raise UsageError(
            f"PostgreSQL {value!r} is not available on the embedded engine",
            f"[tool.promthctl] postgres takes {' or '.join(map(str, POSTGRES_MAJORS))} (18 has pgvector)",
            "[tool.promthctl] postgres = 17",
        )
    return int(value)


def _port(config: Mapping[str, Any], section: str) -> int | None:
    value = _table(config, section, where="supabase/config.toml").get("port")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise UsageError(
            f"supabase/config.toml has a wrong [{section}] port", f"{value!r} is not a port (1 to 65535)", "correct it"
        )
    return value


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
