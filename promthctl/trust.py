"""What a project's files may not decide alone: where the user's credentials go, and which programs run.

A clone brings its own .env and pyproject.toml. A credential goes only to an address of its own origin (both from the
user's environment or options, or both from the project's files), or to the provider's own address. A project that
wants more asks for it: `promthctl trust` shows what, and keeps the answer outside of the project by its content, as
direnv does (https://direnv.net/man/direnv.1.html).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from promthctl.errors import PrerequisiteError, RefusedError
from promthctl.process import write_private
from promthctl.project_files import repository
from promthctl.settings import SYSTEM_POSTGRES, Settings

_FILE = "trusted.json"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PROVIDER = (".supabase.co", ".supabase.com")  # its servers never see a password: they use SCRAM
# What each variable of .env would have promthctl do.
_VARIABLES = {
    "DOCKER_CONTEXT": "run containers on the Docker that it names",
    "DOCKER_HOST": "run containers on that Docker",
    "PGSSLMODE": "let databases be reached without encryption",
    "PROMTHCTL_CACHE_DIR": "run the programs that are in that folder",
    "PROMTHCTL_DATA_DIR": "keep databases in that folder",
    "PROMTHCTL_SUPABASE_CLI": "run that program",
    "SUPABASE_INTERNAL_IMAGE_REGISTRY": "run the images of that registry",
    "SUPABASE_PROFILE": "send your Supabase access token to the API that it names",
    "SUPABASE_URL": "send your keys to that address",
}
_PASSWORDS = ("PGPASSWORD", "SUPABASE_DB_PASSWORD")
_BASE_URL = "_BASE_URL"  # of a provider of API keys: VANCHIN_BASE_URL …


@dataclass(frozen=True)
class Wish:
    """place: the file that says so. name: the variable or setting. purpose: what it would have promthctl do.

    agreed: the user has agreed to just this.
    """

    place: str
    name: str
    value: str
    purpose: str
    agreed: bool = False


@dataclass(frozen=True)
class TrustResult:
    """wishes: all of the project. path: where the agreement is kept."""

    project: str
    path: str
    wishes: tuple[Wish, ...]


def check_variable(settings: Settings, name: str) -> None:
    """Raise RefusedError where a variable of the project's .env decides alone what needs the user's agreement."""
    _check(settings, _of_variable(settings, name))


def check_setting(settings: Settings, name: str) -> None:
    """As check_variable, for a setting of pyproject.toml: supabase_cli, postgres or targets.NAME.db_url."""
    for wish in _of_pyproject(settings):
        if wish.name == name:
            _check(settings, wish)


def check_data(settings: Settings, data: Path, home: Path) -> None:
    """Raise RefusedError where a data directory in .promthctl would be moved to `home` and run."""
    wish = _of_data(settings, data)
    if not wish.agreed:
        raise RefusedError(
            f"The database in {data} was not started",
            "it lies in the project, where a copy, a clone or a `git pull` may have changed it; this version keeps "
            f"databases in {home.parent}",
            "promthctl trust, then run the same command again: it is moved there and used; "
            "promthctl local down --purge removes it",
        )


def check_seeds(settings: Settings, pattern: str) -> bool:
    """Whether a pattern of sql_paths leads out of the repository, by agreement. Raises RefusedError without one."""
    wish = next((wish for wish in _of_seeds(settings) if wish.value == pattern), None)
    _check(settings, wish)
    return wish is not None


def wishes(settings: Settings) -> tuple[Wish, ...]:
    """Everything in the project's files that needs the user's agreement, in the order of their names."""
    names = sorted(name for name in settings.project_variables if name in _VARIABLES or name.endswith(_BASE_URL))
    variables = (_of_variable(settings, name) for name in names)
    found = () if os.geteuid() == 0 else sorted(settings.state_dir.glob("postgres-[0-9]*"))
    data = (_of_data(settings, path) for path in found)
    return (*(wish for wish in variables if wish), *_of_pyproject(settings), *_of_seeds(settings), *data)


def agree(settings: Settings, agreed: bool = True) -> TrustResult:
    """Keep the user's agreement to all of the project's wishes, or take it back."""
    path, project = _path(), str(settings.project_dir)
    known = _read(path)
    known.pop(project, None)
    found = wishes(settings)
    if agreed and found:
        known[project] = [_digest(settings, wish) for wish in found]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps(known, indent=2) + "\n")
    except OSError as error:
        raise PrerequisiteError(
            f"{path} cannot be written",
            error.strerror or str(error),
            "set the variables in your own environment instead; that needs no agreement",
        ) from None
    return TrustResult(project, str(path), wishes(settings))


def trusted(settings: Settings) -> TrustResult:
    """What the project wants, and whether that was agreed to. Nothing is changed."""
    return TrustResult(str(settings.project_dir), str(_path()), wishes(settings))


def _check(settings: Settings, wish: Wish | None) -> None:
    if wish is None or wish.agreed:
        return
    own = f"export {wish.name}=… in your shell" if wish.place == ".env" else f"take {wish.name} out of {wish.place}"
    raise RefusedError(
        f"{settings.project_dir / wish.place} was not followed",
        f"{wish.name} = {wish.value} in it would {wish.purpose}, and you have not agreed to that",
        f"promthctl trust, if that is what you want; otherwise {own}",
    )


def _of_variable(settings: Settings, name: str) -> Wish | None:
    value = settings.get(name)
    if value is None or name not in settings.project_variables or _is_harmless(settings, name, value):
        return None
    purpose = _VARIABLES.get(name, "send stored API keys to that address")
    return _with_answer(settings, Wish(".env", name, value, purpose))


def _is_harmless(settings: Settings, name: str, value: str) -> bool:
    """Whether what it leads to is the provider's own, this machine's, or gets a credential of the same file only."""
    if name == "PGSSLMODE":
        return value in ("require", "verify-ca", "verify-full")
    if name == "SUPABASE_PROFILE":
        return value.lower() == "supabase" or "SUPABASE_ACCESS_TOKEN" in settings.project_variables
    if name == "SUPABASE_URL":
        return _host(value) in _LOOPBACK or "SUPABASE_SERVICE_ROLE_KEY" in settings.project_variables
    return name == "PROMTHCTL_SUPABASE_CLI" and value in ("pinned", "system")


def _of_pyproject(settings: Settings) -> Iterator[Wish]:
    where = "pyproject.toml"
    if settings.supabase_cli_place == where:
        yield _with_answer(settings, Wish(where, "supabase_cli", settings.supabase_cli, "run that program"))
    if isinstance(settings.postgres, str) and settings.postgres != SYSTEM_POSTGRES:
        yield _with_answer(settings, Wish(where, "postgres", settings.postgres, "run the programs in that folder"))
    for name, target in sorted(settings.targets.items()):
        variables = (target.password_env,) if target.password_env else _PASSWORDS
        own_password = any(settings.get(each) and each not in settings.project_variables for each in variables)
        host = _host(target.db_url or "") or ""
        if target.db_url and own_password and host not in _LOOPBACK and not host.endswith(_PROVIDER):
            purpose = f"send the database password of your environment to {host}"
            yield _with_answer(settings, Wish(where, f"targets.{name}.db_url", target.db_url, purpose))


def _of_seeds(settings: Settings) -> Iterator[Wish]:
    """The patterns of [db.seed] sql_paths that lead out of the repository."""
    database = settings.supabase.get("db")
    seed = database.get("seed") if isinstance(database, dict) else None
    patterns = seed.get("sql_paths") if isinstance(seed, dict) else None
    patterns = [patterns] if isinstance(patterns, str) else patterns
    root = repository(settings.project_dir)
    for pattern in patterns if isinstance(patterns, list) else ():
        if isinstance(pattern, str) and not Path(os.path.normpath(settings.supabase_dir / pattern)).is_relative_to(
            root
        ):
            purpose = "run SQL files that lie outside of the repository"
            yield _with_answer(settings, Wish("supabase/config.toml", "db.seed.sql_paths", pattern, purpose))


def _of_data(settings: Settings, data: Path) -> Wish:
    details = data.lstat()
    value = f"device {details.st_dev}, inode {details.st_ino}"
    return _with_answer(
        settings,
        Wish(".promthctl", data.name, value, "run a database that lies in the project, and may have come with it"),
    )


def _with_answer(settings: Settings, wish: Wish) -> Wish:
    answered = _read(_path()).get(str(settings.project_dir), [])
    agreed = _digest(settings, wish) in answered
    return Wish(wish.place, wish.name, wish.value, wish.purpose, agreed)


def _digest(settings: Settings, wish: Wish) -> str:
    """What the user agreed to: the words, and what is in the file that they name."""
    file = settings.project_dir / Path(wish.value).expanduser()
    try:
        content = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    except (OSError, ValueError):
        content = ""
    return hashlib.sha256(json.dumps([wish.place, wish.name, wish.value, content]).encode()).hexdigest()


def _path() -> Path:
    import platformdirs

    return platformdirs.user_config_path("promthctl") / _FILE


def _read(path: Path) -> dict[str, list[str]]:
    """What was agreed to, by project. A file that cannot be read agrees to nothing."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
