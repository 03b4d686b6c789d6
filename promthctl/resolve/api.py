"""Which API a command works through, and the keys that open it: a target's REST and Auth, without its database.

The local stack's are known to its engine. A hosted project's come from SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY,
else from the Supabase CLI's `projects api-keys`. Any other database's API must be named by those two variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from promthctl import targets
from promthctl.api.client import ApiAccess
from promthctl.engines import Engine
from promthctl.engines.access import stack_access
from promthctl.errors import PrerequisiteError, RefusedError, UsageError
from promthctl.hosted import project
from promthctl.hosted.profile import read_profile
from promthctl.redact import remember
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.supabase_cli.api_keys import find_service_key

_SET_BOTH = "export SUPABASE_URL=https://… SUPABASE_SERVICE_ROLE_KEY=…, from the API settings of that Supabase"


@dataclass(frozen=True)
class ApiTarget:
    """label: how it is shown, without secrets. local: the project's own stack, which may be changed without asking."""

    label: str
    access: ApiAccess
    local: bool = False
    production: bool = False


def of_local_stack(engine: Engine) -> ApiTarget:
    """The local stack's API; whether it runs, the first request tells. Raises PromthctlError if it was never up."""
    known = stack_access(engine)
    access = ApiAccess(known.api_url, known.anon_key, known.service_role_key)
    return ApiTarget("the local stack", access, local=True)


def of_project(ref: str, settings: Settings, steps: Steps, announce: Callable[[str], None]) -> ApiTarget:
    """A hosted project's API. Where SUPABASE_SERVICE_ROLE_KEY is set, no access token is needed.

    announce: called with the label as soon as it is known, before the keys are asked for. Raises what hosted.find
    raises, and TargetError when the project has no service key that may be seen.
    """
    own = f"{ref}.{read_profile(settings).project_host}"
    url, key = _variables(settings)
    if url is not None and _is_elsewhere(url, own):
        url = key = None  # an .env for another Supabase, such as `local env --write` makes
    try:
        label = project.find(ref, settings).label
    except PrerequisiteError:  # there is no token
        if key is None:
            raise
        label = f"hosted project {ref}"
    announce(label)
    url = url or f"https://{own}"
    return ApiTarget(label, ApiAccess(url, "", key or find_service_key(ref, label, settings, steps)))


def of_database(db_url: str, settings: Settings) -> ApiTarget:
    """The API that SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY name, for the database that URL names.

    Raises PrerequisiteError when one is not set, RefusedError when it is clearly another database's.
    """
    database = targets.from_url(db_url)
    url, key = _variables(settings)
    if url is None or key is None:
        missing = " and ".join(
            name for name, value in (("SUPABASE_URL", url), ("SUPABASE_SERVICE_ROLE_KEY", key)) if value is None
        )
        raise PrerequisiteError(
            f"The API of {database.label} is not known",
            f"keys are read and written through it, and {missing} {'is' if ' and ' not in missing else 'are'} not set",
            _SET_BOTH,
        )
    if _is_loopback(url) and not _is_loopback(database.url):
        raise RefusedError(
            f"The keys of {database.label} were not touched",
            f"SUPABASE_URL is {url}, an API of this machine, and the database is on another",
            _SET_BOTH,
        )
    return ApiTarget(f"{database.label}, through {url}", ApiAccess(url, "", key))


def _variables(settings: Settings) -> tuple[str | None, str | None]:
    url, key = settings.get("SUPABASE_URL"), settings.get("SUPABASE_SERVICE_ROLE_KEY")
    if url is not None and _host(url) is None:
        raise UsageError("SUPABASE_URL is not a URL", "it must begin with https:// and a host", "correct SUPABASE_URL")
    remember(key)
    return url, key


def _is_elsewhere(url: str, own: str) -> bool:
    """True for a URL of another project, or of this machine; any other may be the project's custom domain."""
    host, domain = _host(url) or "", own.partition(".")[2]
    return (_is_loopback(url) and domain != host) or (host.endswith(f".{domain}") and host != own)


def _is_loopback(url: str) -> bool:
    return _host(url) in {"127.0.0.1", "localhost", "::1"}


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
