"""A report that can be shown to others: names and versions, no values.

Nothing of a target is in it but whether it answers, and of files that cannot be read only that. What is secret cannot
be known from its name alone, so that every value of .env, every text of supabase/config.toml and every value of the
environment is masked wherever it might have got into a message.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from promthctl import __version__
from promthctl.doctor.examining import Diagnosis
from promthctl.doctor.finding import Finding
from promthctl.errors import PromthctlError
from promthctl.process import write_private
from promthctl.project_files import read_dotenv
from promthctl.redact import redact
from promthctl.settings import Settings

_OURS = re.compile(
    r"(PROMTHCTL|SUPABASE|PG|VANCHIN|DOCKER|ENCRYPTION)[A-Z0-9_]*|HTTPS?_PROXY|NO_PROXY|LANG|LC_ALL|TERM"
)
_SHORTEST = 5  # a shorter text would mask ordinary words
_PLACES = ("PATH", "HOME", "PWD", "OLDPWD", "SHELL", "LANG", "LC_ALL", "TERM", "USER", "LOGNAME", "VIRTUAL_ENV", "_")


def write_bundle(settings: Settings | None, diagnosis: Diagnosis, path: Path) -> None:
    """Raises PromthctlError where the file cannot be written."""
    content = {
        "promthctl": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "ready": diagnosis.ready,
        "findings": [_without_places(finding) for finding in diagnosis.findings],
        "environment": sorted(name for name in os.environ if _OURS.fullmatch(name)),
        **(_of_project(settings) if settings is not None else {}),
    }
    text = redact(_scrubbed(json.dumps(content, indent=2), settings))
    try:
        write_private(path, text + "\n")
    except OSError as error:
        why = error.strerror or str(error)
        raise PromthctlError(f"{path} cannot be written", why, "promthctl doctor --bundle FILE, another one") from None


def _without_places(finding: Finding) -> dict[str, str]:
    shown = {"check": finding.check, "level": finding.level}
    return shown if finding.check in ("Target", "Project") else shown | {"detail": finding.detail, "fix": finding.fix}


def _of_project(settings: Settings) -> dict[str, object]:
    return {
        "engine": settings.engine,
        "postgres": "a folder or system" if isinstance(settings.postgres, str) else settings.postgres,
        "variables_of_env_file": sorted(settings.project_variables),
        "config_keys": sorted(_keys(settings.supabase, "")),
        "targets": len(settings.targets),
    }


def _keys(table: Mapping[str, Any], path: str) -> Iterator[str]:
    """Names only; those of a table of secrets are left out, for they are chosen freely."""
    for key, value in table.items():
        place = f"{path}.{key}" if path else str(key)
        yield place
        if isinstance(value, Mapping) and not key.endswith(("secrets", "vault")):
            yield from _keys(value, place)


def _scrubbed(text: str, settings: Settings | None) -> str:
    home = str(Path.home())
    if settings is not None:
        text = text.replace(str(settings.project_dir), "PROJECT")
        values = [*_texts(settings.supabase), *read_dotenv(settings.project_dir / ".env")[0].values()]
    else:
        values = []
    values += [value for name, value in os.environ.items() if name not in _PLACES and not name.startswith("LC_")]
    for value in sorted(
        {one for each in values for one in each.split() if len(one) >= _SHORTEST}, key=len, reverse=True
    ):
        text = re.sub(rf"(?<![\w-]){re.escape(json.dumps(value)[1:-1])}(?![\w-])", "********", text)
    return text.replace(home, "~") if len(home) > 1 else text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
