"""A hosted Supabase project, found through the Management API and reached through its pooler's session port.

The pooler can be reached over IPv4, the database's own host cannot. Our own connections and either line of the
Supabase CLI use the pooler's URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from promthctl.errors import TargetError, UsageError
from promthctl.hosted import management
from promthctl.settings import Settings

_REF = re.compile(r"[a-z]{20}")
_TRANSACTION_PORT, _SESSION_PORT = 6543, 5432  # migrations need a session
_PAUSED = {"INACTIVE", "PAUSING", "PAUSED"}
_USABLE = {"ACTIVE_HEALTHY", "ACTIVE_UNHEALTHY", "UNKNOWN", ""}


@dataclass(frozen=True)
class HostedProject:
    """ref: twenty letters. url: the pooler's in session mode, without a password."""

    ref: str
    name: str
    region: str
    url: str

    @property
    def label(self) -> str:
        return f"hosted project {self.name} ({self.ref}, {self.region})"


def find_project(ref: str, settings: Settings) -> HostedProject:
    """Ask the Management API for a project.

    Raises UsageError for what is not a reference, before any request; PrerequisiteError without an access token;
    TargetError when the API cannot be reached or refuses the token, and for an unknown or paused project.
    """
    if not _REF.fullmatch(ref):
        raise UsageError(
            f"{ref!r} is not a project reference",
            "it has twenty lowercase letters, as in https://supabase.com/dashboard/project/REF",
            "run the same command again with --project-ref and those letters, or correct project_ref of the target in"
            " pyproject.toml; `supabase projects list` shows them too",
        )
    token = management.access_token(settings)
    project = management.get_json(settings, token, ref, "")
    if not isinstance(project, dict):
        raise management.unexpected_answer(settings)
    name = str(project.get("name", ref))
    _check_status(f"The project {name} ({ref})", str(project.get("status", "")))
    url = _session_url(management.get_json(settings, token, ref, "/config/database/pooler"))
    if url is None:
        raise management.unexpected_answer(settings)
    return HostedProject(ref, name, str(project.get("region", "unknown region")), url)


def _check_status(project: str, status: str) -> None:
    why = f"its status is {status}"
    if status in _PAUSED:
        raise TargetError(f"{project} is paused", why, "restore it in the dashboard, then run the same command again")
    if status not in _USABLE:
        raise TargetError(
            f"{project} is not ready",
            why,
            "wait until the dashboard shows it as healthy, then run the same command again",
        )


def _session_url(poolers: Any) -> str | None:
    """The URL of the primary database's pooler in session mode; None for an answer without the documented form."""
    try:
        primary = next(one for one in poolers if one.get("database_type", "PRIMARY") == "PRIMARY")
        parts = urlsplit(str(primary["connection_string"]).replace("[YOUR-PASSWORD]", ""))
        port = _SESSION_PORT if parts.port in (None, _TRANSACTION_PORT) else parts.port
    except (StopIteration, AttributeError, TypeError, KeyError, ValueError):
        return None
    if not parts.hostname or not parts.username:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"postgresql://{parts.username}@{host}:{port}{parts.path or '/postgres'}"
