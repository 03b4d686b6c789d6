"""Hosted Supabase projects: found through the Management API, reached through their pooler's session port.

The pooler is reachable over IPv4, the database's own host is not. Source of the API's forms:
https://supabase.com/docs/reference/api/v1-get-a-project and v1-get-pooler-config.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from promthctl.errors import PrerequisiteError, PromthctlError, TargetError, UsageError
from promthctl.redact import remember
from promthctl.settings import Settings
from promthctl.targets import Target

API = "https://api.supabase.com"
_REF = re.compile(r"[a-z]{20}")
_TOKEN = re.compile(r"sbp_(oauth_|v0_)?[a-f0-9]{40}")  # as the Supabase CLI checks it
_SECONDS = 20.0
_TRANSACTION_PORT, _SESSION_PORT = 6543, 5432  # migrations need a session
_MAKE_ONE = "make one at https://supabase.com/dashboard/account/tokens: export SUPABASE_ACCESS_TOKEN=sbp_…"


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
    token = _token(settings)
    project = _get(settings, token, ref, "")
    if not isinstance(project, dict):
        raise _strange(settings)
    name, state = str(project.get("name", ref)), str(project.get("status", ""))
    if state in ("INACTIVE", "PAUSING", "PAUSED"):
        raise TargetError(
            f"The project {name} ({ref}) is paused",
            f"its status is {state}",
            "restore it in the dashboard, then run again",
        )
    poolers = _get(settings, token, ref, "/config/database/pooler")
    try:
        primary = next(one for one in poolers if one.get("database_type", "PRIMARY") == "PRIMARY")
        parts = urlsplit(str(primary["connection_string"]).replace("[YOUR-PASSWORD]", ""))
        port = _SESSION_PORT if parts.port in (None, _TRANSACTION_PORT) else parts.port
    except (StopIteration, AttributeError, TypeError, KeyError, ValueError):
        raise _strange(settings) from None
    if not parts.hostname or not parts.username:
        raise _strange(settings)
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
    return Target(project.label, project.url, password, project=project.name)


def _token(settings: Settings) -> str:
    """SUPABASE_ACCESS_TOKEN, else what `supabase login` kept."""
    token = settings.get("SUPABASE_ACCESS_TOKEN")
    kept = Path(settings.env.get("HOME", "~")).expanduser() / ".supabase" / "access-token"
    if token is None and kept.is_file():
        token = kept.read_text(encoding="utf-8").strip()
    if not token:
        why = "SUPABASE_ACCESS_TOKEN is not set, and `supabase login` kept none"
        raise PrerequisiteError("There is no Supabase access token", why, _MAKE_ONE)
    remember(token)
    if not _TOKEN.fullmatch(token):
        raise TargetError("The Supabase access token cannot be used", "it is not sbp_ and forty digits", _MAKE_ONE)
    return token


def api_url(settings: Settings) -> str:
    """The Management API's root: Supabase's, or that of the CLI's profile (SUPABASE_PROFILE, a YAML file)."""
    profile = settings.get("SUPABASE_PROFILE")
    if profile is None or not Path(profile).is_file():
        return API
    match = re.search(r"^api_url:\s*[\"']?([^\s\"']+)", Path(profile).read_text(encoding="utf-8"), re.MULTILINE)
    return match[1].rstrip("/") if match else API


def _get(settings: Settings, token: str, ref: str, path: str) -> Any:
    import httpx

    root = api_url(settings)
    try:
        answer = httpx.get(
            f"{root}/v1/projects/{ref}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=_SECONDS
        )
        status = answer.status_code
        if status == 200:
            return answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else "nothing answers there"
        raise TargetError(
            f"The Supabase Management API at {root} cannot be reached", why, "check the network, then run again"
        ) from None
    except ValueError:
        raise _strange(settings) from None
    if status in (401, 403):
        why = f"it answered HTTP {status}: the token is wrong, expired, or not allowed to see {ref}"
        raise TargetError("Supabase refuses the access token", why, _MAKE_ONE)
    if status == 404:
        why = "the Management API does not know it, or the token's account has no part in it"
        raise TargetError(f"There is no project {ref}", why, "copy the reference from the project's dashboard URL")
    raise TargetError(
        f"The Supabase Management API at {root} failed", f"it answered HTTP {status}", "wait a minute and run again"
    )


def _strange(settings: Settings) -> PromthctlError:
    return TargetError(
        f"The Management API at {api_url(settings)} gave an answer that promthctl does not understand",
        "it is not what Supabase's API answers",
        "check SUPABASE_PROFILE, or push with --db-url",
    )
