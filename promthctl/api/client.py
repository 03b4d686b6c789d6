"""How a Supabase API is reached: its URL, its keys, and supabase-py's client over one connection.

Every failure (nobody answers, the key is refused, a table is missing, the answer is not Supabase's) becomes a
PromthctlError here and nowhere else. What supabase-py's exceptions quote is never passed on: it can be the row that
was sent.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from promthctl.errors import PromthctlError, TargetError, UsageError
from promthctl.redact import remember

if TYPE_CHECKING:
    import httpx
    from postgrest.exceptions import APIError
    from supabase import Client

_TIMEOUT = 30.0  # seconds to wait for each answer
_KEY = re.compile(r"[\x21-\x7e]+")  # what an HTTP header can carry

# PostgREST's own codes (https://docs.postgrest.org/en/stable/references/errors.html) and PostgreSQL's SQLSTATEs
# (https://www.postgresql.org/docs/current/errcodes-appendix.html).
FOREIGN_KEY_VIOLATION = "23503"
_DATABASE_CODE = re.compile(r"PGRST\d+|[0-9A-Z]{5}")
_NO_TABLE = {"PGRST205", "42P01"}
_ADD_KEYS = "promthctl init --keys adds the migration for it, unless there is one; then "
_NO_COLUMN = {"PGRST204", "42703"}
_NOT_ALLOWED = "42501"
# Classes 22, 23 and P0 (a trigger's raise).
_DATA_REFUSED = ("22", "23", "P0")


@dataclass(frozen=True)
class ApiAccess:
    """url: the API's root, as in SUPABASE_URL. anon_key, service_key: JWTs, or sb_publishable_… and sb_secret_…

    anon_key: empty where the API is not the project's own local stack, which `promthctl local up` would repair.
    options: those that name the target on a command line, with a space before them; empty for the local stack.
    """

    url: str
    anon_key: str = field(repr=False)
    service_key: str = field(repr=False)
    options: str = ""

    @property
    def is_local(self) -> bool:
        """True for a loopback address."""
        return (urlsplit(self.url).hostname or "") in {"127.0.0.1", "localhost", "::1"}

    @property
    def of_stack(self) -> bool:
        """True for the project's own local stack."""
        return self.is_local and bool(self.anon_key)


@dataclass(frozen=True)
class ApiConnection:
    """An open connection, made by `connect`. client: supabase-py's, which sends the service key."""

    access: ApiAccess
    client: Client
    _http: httpx.Client = field(repr=False)
    _answers: deque[tuple[int, str]] = field(repr=False)

    def anonymous_client(self) -> Client:
        """A client that sends the anon key, over the same connection. Raises TargetError for a key no header takes."""
        return _client(self.access, self.access.anon_key, self._http)

    @contextmanager
    def translating(self) -> Iterator[None]:
        """supabase-py's exceptions become PromthctlErrors, as `connect` says."""
        with _translating(self.access, self._answers):
            yield


@contextmanager
def connect(access: ApiAccess) -> Iterator[ApiConnection]:
    """A connection to the API, closed on leaving; the first request opens it.

    Inside the block supabase-py's exceptions become PromthctlErrors: TargetError when the API cannot be reached,
    refuses the key or fails, UsageError when the URL is not one, PromthctlError for a missing table or column and for
    any other answer.
    """
    answers: deque[tuple[int, str]] = deque(maxlen=1)
    with _http_client(access, answers) as http, _translating(access, answers):
        yield ApiConnection(access, _client(access, access.service_key, http), http, answers)


@contextmanager
def _translating(access: ApiAccess, answers: deque[tuple[int, str]]) -> Iterator[None]:
    import httpx
    from postgrest.exceptions import APIError
    from pydantic import ValidationError
    from supabase_auth.errors import AuthError, AuthRetryableError

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise _unreachable(access, error) from None
    except AuthRetryableError as error:
        if error.status:
            raise _status_error(access, error.status) from None
        raise _unreachable(access, error.__cause__) from None
    except ValidationError:
        raise unexpected_answer(access, "it does not have the form that Supabase Auth documents") from None
    except APIError as error:
        raise _code_error(access, error, answers) from None
    except AuthError:
        raise _status_error(access, answers[-1][0] if answers else 0) from None


def data_refused(error: APIError) -> bool:
    """True when a rule of the table refused the rows that were sent; error.code is its SQLSTATE."""
    return (error.code or "").startswith(_DATA_REFUSED)


def from_database(error: APIError) -> bool:
    """True when PostgREST or the database itself refused a request, so that nothing of it was done."""
    return _DATABASE_CODE.fullmatch(error.code or "") is not None


def unexpected_answer(access: ApiAccess, why: str) -> PromthctlError:
    """The error for an answer that is not Supabase's; `why` says what is odd, and quotes nothing of it."""
    return PromthctlError(
        f"The API at {access.url} gave an answer that promthctl does not understand",
        why,
        "promthctl local up" if access.of_stack else "check that SUPABASE_URL is the project's API URL",
    )


def _client(access: ApiAccess, key: str, http: httpx.Client) -> Client:
    from supabase import ClientOptions, create_client

    _check_access(access, key)
    remember(key)
    options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
    return create_client(access.url, key, options)


def _http_client(access: ApiAccess, answers: deque[tuple[int, str]]) -> httpx.Client:
    """One connection for Auth and REST; supabase-py alone would open two and load the CA certificates for each.

    answers: gets each answer's HTTP status and the last part of its path; supabase-py's exceptions have neither.
    """
    import ssl

    import httpx

    def note_answer(response: httpx.Response) -> None:
        answers.append((response.status_code, response.request.url.path.rpartition("/")[2]))

    return httpx.Client(
        timeout=_TIMEOUT,
        # Plain HTTP needs no CA certificates, and a context without any is quickly made.
        verify=True if access.url.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=not access.is_local,  # a proxy cannot reach this machine's loopback address
        follow_redirects=False,  # the apikey header would be sent to another host
        event_hooks={"response": [note_answer]},
    )


def _check_access(access: ApiAccess, key: str) -> None:
    parts = urlsplit(access.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            "The API's URL is not a URL", "it must begin with http:// or https:// and a host", "correct SUPABASE_URL"
        )
    if parts.scheme == "http" and not access.is_local:
        raise UsageError(
            "The API's URL is not safe for a key",
            f"{access.url} is plain http: everybody on the way could read the key",
            "set SUPABASE_URL to the address that begins with https://",
        )
    if not _KEY.fullmatch(key):
        raise TargetError(
            f"The {_key_name(access, key)} for {access.url} cannot be used",
            "it is empty, or has a space, a line break or another character that is never part of a key",
            _key_hint(access),
        )


def _key_name(access: ApiAccess, key: str) -> str:
    return "service key" if key == access.service_key else "anon key"


def _key_hint(access: ApiAccess) -> str:
    if access.of_stack:
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
    hint = "promthctl local up" if access.of_stack else "check the URL and the network, then run the same command again"
    return TargetError(f"The API at {access.url} cannot be reached", why, hint, code="target.unreachable")


def _code_error(access: ApiAccess, error: APIError, answers: deque[tuple[int, str]]) -> PromthctlError:
    """What PostgREST's refusal means; only the error's code is used, since its details can quote the row."""
    status, table = answers[-1] if answers else (0, "")
    code = error.code or ""
    if code in _NO_TABLE and table == "api_keys":
        return PromthctlError(
            "The table api_keys does not exist",
            "no migration of the project creates it, or not all of them are applied",
            _ADD_KEYS + _apply(access),
        )
    if code in _NO_COLUMN and table == "api_keys":
        return PromthctlError(
            "A column of the table api_keys does not exist",
            "its migrations make an early form of it, or not all of them are applied",
            _ADD_KEYS + _apply(access),
        )
    if code in _NO_TABLE | _NO_COLUMN:
        missing = f"the table {table}" if code in _NO_TABLE else f"a column of the table {table}"
        return PromthctlError(
            "The database is not ready",
            f"it does not have {missing}: its migrations are not all applied",
            f"{_apply(access)}; what no migration makes yet, promthctl migrations new NAME begins",
        )
    if code == _NOT_ALLOWED:
        return TargetError(
            f"The API at {access.url} does not let this key change {table}",
            "it is not the service key, or the table's grants are missing",
            "set SUPABASE_SERVICE_ROLE_KEY to the service_role (or secret) key; "
            f"promthctl verify{access.options} checks the grants",
        )
    return _status_error(access, status)


def _apply(access: ApiAccess) -> str:
    if access.of_stack:
        return "promthctl local up"
    return f"promthctl push{access.options or ', with the options that name its database'}"


def _status_error(access: ApiAccess, status: int) -> PromthctlError:
    if status in (401, 403):
        what, why = f"The API at {access.url} refuses the key", f"it answered HTTP {status}"
        return TargetError(what, why, _key_hint(access), code="target.credentials")
    if status >= 500:
        hint = "promthctl local logs" if access.of_stack else "wait a minute and run the same command again"
        return TargetError(f"The API at {access.url} failed", f"it answered HTTP {status}", hint)
    return unexpected_answer(access, f"it is HTTP {status}, which is not expected from Supabase here")
