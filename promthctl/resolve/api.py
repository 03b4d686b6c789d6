"""The API that a command works through, and its keys: a target's REST and Auth, without its database.

The engine knows those of the local stack. Those of a hosted project come from SUPABASE_URL and
SUPABASE_SERVICE_ROLE_KEY, otherwise from the Supabase CLI's `projects api-keys`. The API of any other database must
be named by those two variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from promthctl import engines, trust
from promthctl.api.client import ApiAccess
from promthctl.engines import Engine
from promthctl.engines.access import stack_access
from promthctl.errors import PrerequisiteError, RefusedError, UsageError
from promthctl.redact import remember
from promthctl.resolve.choice import TargetChoice, named_target, options_of
from promthctl.resolve.production import announcement, is_production
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import from_url

_SET_BOTH = "export SUPABASE_URL=https://… SUPABASE_SERVICE_ROLE_KEY=…, from the API settings of that Supabase"


@dataclass(frozen=True)
class ApiTarget:
    """label: how it is shown, without secrets. local: the project's own stack, which may be changed without asking.

    production: pyproject.toml marks the target as that.
    """

    label: str
    access: ApiAccess
    local: bool = False
    production: bool = False


def resolve_api(choice: TargetChoice, settings: Settings, steps: Steps, announce: Callable[[str], None]) -> ApiTarget:
    """The API of the target that was chosen; no database password is asked for. It is announced before it is used.

    announce: shows one line. Raises as named_target and the functions below do.
    """
    named = named_target(choice, settings)
    production = named is not None and is_production(named, settings)

    def announce_label(label: str) -> None:
        announce(announcement(label, production))

    if named is None:
        chosen = _of_local_stack(engines.current(settings), announce_label)
    elif named.db_url is not None:
        chosen = _of_database(named.db_url, settings, announce_label)
    else:
        chosen = _of_project(named.project_ref or "", settings, steps, announce_label)
    return replace(chosen, access=replace(chosen.access, options=options_of(choice)), production=production)


def _of_local_stack(engine: Engine, announce_label: Callable[[str], None]) -> ApiTarget:
    """The local stack's API; the first request shows whether it runs. Raises PromthctlError if it was never up."""
    known = stack_access(engine)
    announce_label("the local stack")
    access = ApiAccess(known.api_url, known.anon_key, known.service_role_key)
    return ApiTarget("the local stack", access, local=True)


def _of_project(ref: str, settings: Settings, steps: Steps, announce_label: Callable[[str], None]) -> ApiTarget:
    """A hosted project's API. Where SUPABASE_SERVICE_ROLE_KEY is set, no access token is needed.

    The label is announced before the keys are asked for. Raises as find_project and read_profile do, and TargetError
    when this token may not see a service key of the project.
    """
    from promthctl.hosted.profile import read_profile  # the local stack needs none of these
    from promthctl.hosted.project import find_project
    from promthctl.supabase_cli.api_keys import find_service_key

    own = f"{ref}.{read_profile(settings).project_host}"
    url, key = _variables(settings)
    if url is not None and _is_elsewhere(url, own):
        url = key = None  # an .env for another Supabase, such as `local env --write` makes
    if url is not None and _host(url) != own:
        trust.check_variable(settings, "SUPABASE_URL")
    try:
        label = find_project(ref, settings).label
    except PrerequisiteError:  # there is no access token
        if key is None:
            raise
        label = f"hosted project {ref}"
    if url is not None and _host(url) != own:
        label = f"{label}, through {url}"
    url = url or f"https://{own}"
    announce_label(label)
    return ApiTarget(label, ApiAccess(url, "", key or find_service_key(ref, label, settings, steps)))


def _of_database(db_url: str, settings: Settings, announce_label: Callable[[str], None]) -> ApiTarget:
    """The API that SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY name, for the database that the URL names.

    Raises PrerequisiteError when one is not set, RefusedError when it clearly belongs to another database.
    """
    database = from_url(db_url)
    url, key = _variables(settings)
    if url is None or key is None:
        values = {"SUPABASE_URL": url, "SUPABASE_SERVICE_ROLE_KEY": key}
        missing = [name for name, value in values.items() if value is None]
        raise PrerequisiteError(
            f"The API of {database.label} is not known",
            "keys are read and written through it, and "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
            _SET_BOTH,
        )
    if _is_loopback(url) and not _is_loopback(database.url):
        raise RefusedError(
            f"The keys of {database.label} were not touched",
            f"SUPABASE_URL is {url}, an API on this machine, and the database is on another one",
            _SET_BOTH,
        )
    trust.check_variable(settings, "SUPABASE_URL")
    label = f"{database.label}, through {url}"
    announce_label(label)
    return ApiTarget(label, ApiAccess(url, "", key))


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
