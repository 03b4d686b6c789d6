"""Hosted Supabase projects: found through the Management API, reached through their pooler's session port.

The pooler is reachable over IPv4, the database's own host is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from promthctl import management
from promthctl.errors import PrerequisiteError, TargetError, UsageError
from promthctl.redact import remember
from promthctl.settings import Settings
from promthctl.targets import Target

_REF = re.compile(r"[a-z]{20}")
_TRANSACTION_PORT, _SESSION_PORT = 6543, 5432  # migrations need a session


@dataclass(frozen=True)
class HostedProject:
    """ref: twenty letters. url: of the pooler's session mode, without a password."""

    ref: str
    name: str
    region: str
    url: str

    @property
    def label(self) -> str:
        return f"hosted project {self.name} ({self.ref}, {self.region})"


def find(ref: str, settings: Settings) -> HostedProject:
    """Ask the Management API for a project.

    Raises UsageError for what is no reference, before any call; PrerequisiteError without an access token;
    TargetError when the API cannot be reached or refuses the token, and for an unknown or paused project.
    """
    if not _REF.fullmatch(ref):
        raise UsageError(
            f"{ref!r} is not a project reference",
            "it has twenty lowercase letters, as in https://supabase.com/dashboard/project/REF",
            "promthctl push --project-ref abcdefghijklmnopqrst",
        )
    token = management.access_token(settings)
    project = management.get(settings, token, ref, "")
    if not isinstance(project, dict):
        raise management.strange(settings)
    name, state = str(project.get("name", ref)), str(project.get("status", ""))
    if state in ("INACTIVE", "PAUSING", "PAUSED"):
        raise TargetError(
            f"The project {name} ({ref}) is paused",
            f"its status is {state}",
            "restore it in the dashboard, then run again",
        )
    poolers = management.get(settings, token, ref, "/config/database/pooler")
    try:
        primary = next(one for one in poolers if one.get("database_type", "PRIMARY") == "PRIMARY")
        parts = urlsplit(str(primary["connection_string"]).replace("[YOUR-PASSWORD]", ""))
        port = _SESSION_PORT if parts.port in (None, _TRANSACTION_PORT) else parts.port
    except (StopIteration, AttributeError, TypeError, KeyError, ValueError):
        raise management.strange(settings) from None
    if not parts.hostname or not parts.username:
        raise management.strange(settings)
    url = f"postgresql://{parts.username}@{parts.hostname}:{port}{parts.path or '/postgres'}"
    return HostedProject(ref, name, str(project.get("region", "unknown region")), url)


def target(project: HostedProject, settings: Settings, ask: Callable[[str], str | None]) -> Target:
    """The project's database. The password is SUPABASE_DB_PASSWORD, else what `ask` returns.

    Raises PrerequisiteError when there is none.
    """
    password = settings.get("SUPABASE_DB_PASSWORD") or ask(f"Database password of {project.label}: ")
    if not password:
        raise PrerequisiteError(
            f"There is no database password for {project.label}",
            "SUPABASE_DB_PASSWORD is not set, and there is no terminal to type it on",
            "export SUPABASE_DB_PASSWORD=…, or reset it in the dashboard: Project Settings, Database",
        )
    remember(password)
    return Target(project.label, project.url, password, project=project.name, ref=project.ref)
