"""Supabase's Management API: the access token, and one request with its failures explained.

Source of the paths and answers: https://supabase.com/docs/reference/api
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from promthctl.errors import PrerequisiteError, PromthctlError, TargetError
from promthctl.hosted.profile import read_profile, supabase_home
from promthctl.redact import redact, remember
from promthctl.settings import Settings

if TYPE_CHECKING:
    import httpx

_TOKEN = re.compile(r"sbp_(oauth_|v0_)?[a-f0-9]{40}")  # as the Supabase CLI checks it
_SECONDS = 20.0  # for one answer, from resolving the host to the last byte
_LONGEST_WAIT = 5.0  # seconds that the API may ask us to wait before we ask once more
_HOW_TO_GET_ONE = "create one at https://supabase.com/dashboard/account/tokens: export SUPABASE_ACCESS_TOKEN=sbp_…"


class RefusedRequest(TargetError):
    """The API understood the token and refuses what was asked of it."""


def access_token(settings: Settings) -> str:
    """SUPABASE_ACCESS_TOKEN, otherwise the token that `supabase login` saved in a file.

    Raises PrerequisiteError when there is none, TargetError when it does not have the form of a token.
    """
    token = settings.get("SUPABASE_ACCESS_TOKEN")
    saved = supabase_home(settings) / "access-token"
    try:
        if token is None and saved.is_file():
            token = saved.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PrerequisiteError(
            f"{saved} cannot be read", getattr(error, "strerror", None) or "it is not UTF-8 text", _HOW_TO_GET_ONE
        ) from None
    if not token:
        why = f"SUPABASE_ACCESS_TOKEN is not set, and `supabase login` saved none in {saved}"
        raise PrerequisiteError(
            "There is no Supabase access token",
            f"{why}; a token in the system's keyring cannot be read",
            _HOW_TO_GET_ONE,
        )
    remember(token)
    if not _TOKEN.fullmatch(token):
        raise TargetError(
            "The Supabase access token cannot be used", "it is not sbp_ and forty hexadecimal digits", _HOW_TO_GET_ONE
        )
    return token


def get_json(settings: Settings, token: str, ref: str, path: str) -> Any:
    """The JSON of GET /v1/projects/{ref}{path}. Raises TargetError for any other answer, and for none in time."""
    return _request_json(settings, token, "GET", ref, path, None)


def post_json(settings: Settings, token: str, ref: str, path: str, body: Mapping[str, object]) -> Any:
    """The JSON of POST /v1/projects/{ref}{path}. Raises as get_json does."""
    return _request_json(settings, token, "POST", ref, path, body)


def _request_json(
    settings: Settings, token: str, method: str, ref: str, path: str, body: Mapping[str, object] | None
) -> Any:
    root = read_profile(settings).api_url
    url = f"{root}/v1/projects/{ref}{path}"
    answer = _send(root, method, url, token, body)
    wait = _seconds_to_wait(answer) if answer.status_code == 429 else None
    if wait is not None and wait <= _LONGEST_WAIT:
        time.sleep(wait)
        answer = _send(root, method, url, token, body)
    if not answer.is_success:
        raise _refused(root, ref, answer)
    try:
        return answer.json()
    except ValueError:
        raise unexpected_answer(settings) from None


def _send(root: str, method: str, url: str, token: str, body: Mapping[str, object] | None) -> httpx.Response:
    """One answer within _SECONDS. httpx limits each read, but neither their sum nor the time to resolve the host."""
    import httpx

    outcome: list[httpx.Response | Exception] = []

    def ask() -> None:
        try:
            headers = {"Authorization": f"Bearer {token}"}
            outcome.append(httpx.request(method, url, headers=headers, json=body, timeout=_SECONDS))
        except Exception as error:
            outcome.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_SECONDS)
    result = outcome[0] if outcome else httpx.ReadTimeout("")
    if isinstance(result, httpx.Response):
        return result
    if not isinstance(result, (httpx.HTTPError, httpx.InvalidURL)):
        raise result
    late = isinstance(result, httpx.TimeoutException)
    why = f"it did not answer within {_SECONDS:.0f} seconds" if late else f"nothing answers there ({result})"
    raise TargetError(
        f"The Supabase Management API at {root} cannot be reached",
        why,
        "check the network (and HTTPS_PROXY, if there is a proxy), then run the same command again",
    )


def _seconds_to_wait(answer: httpx.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _refused(root: str, ref: str, answer: httpx.Response) -> TargetError:
    status = answer.status_code
    said = f"it answered HTTP {status}{_message(answer)}"
    if status == 401:
        return TargetError(
            "Supabase refuses the access token", f"{said}: the token is wrong or has expired", _HOW_TO_GET_ONE
        )
    if status == 403:
        return RefusedRequest(
            f"The access token does not permit that on project {ref}",
            said,
            "use a token whose account and scopes may change the project's database",
        )
    if status == 404:
        why = "the Management API does not know it, or the token's account is not a member of it"
        return RefusedRequest(f"There is no project {ref}", why, "copy the reference from the project's dashboard URL")
    if status == 429:
        wait = _seconds_to_wait(answer)
        why = f"it asks us to wait{f' {wait:.0f} seconds' if wait else ''}"
        return TargetError(
            f"The Supabase Management API at {root} received too many requests",
            why,
            "wait, then run the same command again",
        )
    what = f"The Supabase Management API at {root} failed"
    if status < 500:
        return RefusedRequest(what, said, "check SUPABASE_PROFILE and the project's state in the dashboard")
    return TargetError(
        what, said, "wait a minute and run the same command again; https://status.supabase.com reports outages"
    )


def _message(answer: httpx.Response) -> str:
    """The API's own words, if it has any."""
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({redact(str(message)).strip().splitlines()[0][:200]})" if str(message).strip() else ""


def unexpected_answer(settings: Settings) -> PromthctlError:
    """The error for an answer that does not have the documented form."""
    return TargetError(
        f"The Management API at {read_profile(settings).api_url} gave an answer that promthctl does not understand",
        "it does not have the form that Supabase documents",
        "check SUPABASE_PROFILE, or push with --db-url",
    )
