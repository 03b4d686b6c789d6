"""Supabase's Management API: the access token, the API's address, and one request with its faults explained.

Source of its forms: https://supabase.com/docs/reference/api
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from promthctl.errors import PrerequisiteError, PromthctlError, TargetError
from promthctl.redact import remember
from promthctl.settings import Settings

API = "https://api.supabase.com"
_TOKEN = re.compile(r"sbp_(oauth_|v0_)?[a-f0-9]{40}")  # as the Supabase CLI checks it
_SECONDS = 20.0
_MAKE_ONE = "make one at https://supabase.com/dashboard/account/tokens: export SUPABASE_ACCESS_TOKEN=sbp_…"


def access_token(settings: Settings) -> str:
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


def get(settings: Settings, token: str, ref: str, path: str) -> Any:
    """The JSON of GET /v1/projects/{ref}{path}. Raises TargetError for every other answer, and for none."""
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
        raise strange(settings) from None
    if status in (401, 403):
        why = f"it answered HTTP {status}: the token is wrong, expired, or not allowed to see {ref}"
        raise TargetError("Supabase refuses the access token", why, _MAKE_ONE)
    if status == 404:
        why = "the Management API does not know it, or the token's account has no part in it"
        raise TargetError(f"There is no project {ref}", why, "copy the reference from the project's dashboard URL")
    raise TargetError(
        f"The Supabase Management API at {root} failed", f"it answered HTTP {status}", "wait a minute and run again"
    )


def strange(settings: Settings) -> PromthctlError:
    """The error for an answer that is not of the documented form."""
    return TargetError(
        f"The Management API at {api_url(settings)} gave an answer that promthctl does not understand",
        "it is not what Supabase's API answers",
        "check SUPABASE_PROFILE, or push with --db-url",
    )
