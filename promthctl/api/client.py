"""How a Supabase API is reached: its URL, its keys, and supabase-py's client over one connection.

Every failure (nothing answers, the key is refused, the answer is not Supabase's) becomes a PromthctlError here. The
text of supabase-py's exceptions is never passed on: it can quote the row that was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from promthctl.errors import PromthctlError, TargetError, UsageError
from promthctl.redact import remember

if TYPE_CHECKING:
    import httpx
    from supabase import Client

_TIMEOUT = 30.0  # seconds to wait for each answer
_KEY = re.compile(r"[\x21-\x7e]+")  # what an HTTP header can carry


@dataclass(frozen=True)
class ApiAccess:
    """url: the API's root, as in SUPABASE_URL. anon_key, service_key: JWTs, or sb_publishable_… and sb_secret_…"""

    url: str
    anon_key: str = field(repr=False)
    service_key: str = field(repr=False)

    @property
    def is_local(self) -> bool:
        """True for a loopback address."""
        return (urlsplit(self.url).hostname or "") in {"127.0.0.1", "localhost", "::1"}


@contextmanager
def connect(access: ApiAccess, key: str) -> Iterator[Client]:
    """supabase-py's client that sends `key`, one of the access's two; its connection is closed on leaving.

    Inside the block supabase-py's exceptions become PromthctlErrors: TargetError when the API cannot be reached,
    refuses the key or fails, UsageError when the URL is not one, PromthctlError for any other answer.
    """
    import httpx
    from postgrest.exceptions import APIError
    from pydantic import ValidationError
    from supabase import ClientOptions, create_client
    from supabase_auth.errors import AuthError, AuthRetryableError

    _check(access, key)
    remember(key)
    statuses: list[int] = []  # APIError does not have the HTTP status
    with _http(access, statuses) as http:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        try:
            yield create_client(access.url, key, options)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _unreachable(access, error) from None
        except AuthRetryableError as error:
            raise _unreachable(access, error.__cause__) if not error.status else _answer(access, error.status) from None
        except ValidationError:
            raise unexpected(access, "it does not have the form that Supabase Auth documents") from None
        except (APIError, AuthError):
            raise _answer(access, statuses[-1] if statuses else 0) from None


def _http(access: ApiAccess, statuses: list[int]) -> httpx.Client:
    """One connection for Auth and REST; supabase-py would open two, and load the CA certificates for each."""
    import ssl

    import httpx

    return httpx.Client(
        timeout=_TIMEOUT,
        # Plain HTTP needs no CA certificates, and a context without any is quickly made.
        verify=True if access.url.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=not access.is_local,  # a proxy cannot reach this machine's loopback address
        follow_redirects=False,  # the apikey header would be sent to another host
        event_hooks={"response": [lambda response: statuses.append(response.status_code)]},
    )


def _check(access: ApiAccess, key: str) -> None:
    parts = urlsplit(access.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            "The API's URL is not a URL", "it must begin with http:// or https:// and a host", "correct SUPABASE_URL"
        )
    if not _KEY.fullmatch(key):
        raise TargetError(
            f"The {_name(access, key)} for {access.url} cannot be used",
            "it is empty, or has a space, a line break or another character that is never part of a key",
            _key_hint(access),
        )


def _name(access: ApiAccess, key: str) -> str:
    return "service key" if key == access.service_key else "anon key"


def _key_hint(access: ApiAccess) -> str:
    if access.is_local:
        return "promthctl local up repairs the local stack, and promthctl local env shows its keys"
    return "copy the service_role (or secret) key from the project's API settings into SUPABASE_SERVICE_ROLE_KEY"


def _unreachable(access: ApiAccess, error: BaseException | None) -> TargetError:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        why = f"no answer within {_TIMEOUT:.0f} seconds"
    elif isinstance(error, httpx.ConnectError):
        why = "nothing answers there"
    else:
        why = "the connection broke"
    hint = "promthctl local up" if access.is_local else "check the URL and the network, then run the same command again"
    return TargetError(f"The API at {access.url} cannot be reached", why, hint)


def _answer(access: ApiAccess, status: int) -> PromthctlError:
    if status in (401, 403):
        return TargetError(f"The API at {access.url} refuses the key", f"it answered HTTP {status}", _key_hint(access))
    if status >= 500:
        hint = "promthctl local logs" if access.is_local else "wait a minute and run the same command again"
        return TargetError(f"The API at {access.url} failed", f"it answered HTTP {status}", hint)
    return unexpected(access, f"it is HTTP {status}, which is not expected from Supabase here")


def unexpected(access: ApiAccess, why: str) -> PromthctlError:
    """The error for an answer that is not Supabase's. why: what is wrong with it, without quoting it."""
    return PromthctlError(
        f"The API at {access.url} gave an answer that promthctl does not understand",
        why,
        "promthctl local up" if access.is_local else "check that SUPABASE_URL is the project's API URL",
    )
