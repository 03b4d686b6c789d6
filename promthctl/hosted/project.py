"""Hosted Supabase projects: found through the Management API, reached through their pooler's session port.

The pooler is reachable over IPv4, the database's own host is not. Everything (our own connections, either line of the
Supabase CLI) goes by the pooler's URL. Without a password of the database, the Management API gives its role
cli_login_postgres one for some minutes, as the Supabase CLI has it do.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from promthctl import database
from promthctl.database.connection_errors import CredentialsError
from promthctl.errors import PrerequisiteError, TargetError, UsageError
from promthctl.hosted import management
from promthctl.redact import remember
from promthctl.settings import NamedTarget, Settings
from promthctl.targets import Target, from_url

_REF = re.compile(r"[a-z]{20}")
_TRANSACTION_PORT, _SESSION_PORT = 6543, 5432  # migrations need a session
_PAUSED = {"INACTIVE", "PAUSING", "PAUSED"}
_USABLE = {"ACTIVE_HEALTHY", "ACTIVE_UNHEALTHY", "UNKNOWN", ""}
# Between attempts, in seconds, until the pooler has learnt a new password; more of them would have it ban us.
_PAUSES = (2.0, 4.0, 8.0, 12.0)

Ask = Callable[[str], str | None]


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


def resolve(settings: Settings, named: NamedTarget, ask: Ask) -> Target:
    """The target that was named, ready to connect to: locate, then unlock."""
    return unlock(settings, locate(settings, named), ask)


def locate(settings: Settings, named: NamedTarget) -> Target:
    """The target that was named, by a project's reference or a database's URL. Nothing is changed to find it.

    A hosted project's has no password yet. Raises as find and from_url do.
    """
    if named.db_url is not None:
        chosen = from_url(named.db_url, settings.database_password)
    else:
        project = find(named.project_ref or "", settings)
        sslmode = settings.get("PGSSLMODE") or "require"  # libpq's own default would do without where it is refused
        chosen = Target(project.label, project.url, None, project=project.name, ref=project.ref, sslmode=sslmode)
    known = any(one.production and _is(one, chosen) for one in settings.targets.values())
    return replace(chosen, production=named.production or known)


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
    if state in _PAUSED:
        why, hint = f"its status is {state}", "restore it in the dashboard, then run again"
        raise TargetError(f"The project {name} ({ref}) is paused", why, hint)
    if state not in _USABLE:
        why, hint = f"its status is {state}", "wait until the dashboard shows it as healthy, then run again"
        raise TargetError(f"The project {name} ({ref}) is not ready", why, hint)
    poolers = management.get(settings, token, ref, "/config/database/pooler")
    try:
        primary = next(one for one in poolers if one.get("database_type", "PRIMARY") == "PRIMARY")
        parts = urlsplit(str(primary["connection_string"]).replace("[YOUR-PASSWORD]", ""))
        port = _SESSION_PORT if parts.port in (None, _TRANSACTION_PORT) else parts.port
    except (StopIteration, AttributeError, TypeError, KeyError, ValueError):
        raise management.strange(settings) from None
    if not parts.hostname or not parts.username:
        raise management.strange(settings)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"postgresql://{parts.username}@{host}:{port}{parts.path or '/postgres'}"
    return HostedProject(ref, name, str(project.get("region", "unknown region")), url)


def unlock(settings: Settings, target: Target, ask: Ask) -> Target:
    """A hosted project's target with its password: SUPABASE_DB_PASSWORD, else a temporary role's, else what is typed.

    ask: returns a password for a question, None where nobody can be asked. Other targets come back as they are.
    Raises PrerequisiteError when there is no password, TargetError when the API does not answer.
    """
    if target.ref is None:
        return target
    password = settings.get("SUPABASE_DB_PASSWORD")
    if not password:
        try:
            return _TemporaryRole(target, target.ref, settings).target
        except TargetError as error:
            password = ask(f"Database password of {target.label}: ")
            if not password and not isinstance(error, (management.RefusedRequest, CredentialsError)):
                raise
            refused = error.why
    if not password:
        raise PrerequisiteError(
            f"There is no database password for {target.label}",
            f"SUPABASE_DB_PASSWORD is not set, no temporary role can be had ({refused}), and nobody typed one",
            "export SUPABASE_DB_PASSWORD=…, or reset it in the dashboard: Project Settings, Database",
        )
    remember(password)
    return replace(target, password=password)


class _TemporaryRole:
    """A role of a project's database whose password the Management API sets, and which holds for some minutes.

    target: connects as that role. Raises TargetError when the API refuses, or the role cannot connect.
    """

    def __init__(self, target: Target, ref: str, settings: Settings) -> None:
        self._ref = ref
        self._settings = settings
        self._lock = threading.Lock()
        role = self._renew()
        self.target = replace(target, url=_as_role(target.url, role, ref), temporary=self._valid)
        self._wait()

    def _valid(self) -> str:
        with self._lock:
            if time.monotonic() > self._half_life:
                self._renew()
                self._wait()
            return self._password

    def _renew(self) -> str:
        token = management.access_token(self._settings)
        answer = management.post(self._settings, token, self._ref, "/cli/login-role", {"read_only": False})
        try:
            role, password, seconds = str(answer["role"]), str(answer["password"]), float(answer["ttl_seconds"])
        except (KeyError, TypeError, ValueError):
            raise management.strange(self._settings) from None
        remember(password)
        self._password, self._half_life = password, time.monotonic() + seconds / 2
        return role

    def _wait(self) -> None:
        """Connect, and do so again while the pooler still has the role's last password."""
        target = replace(self.target, password=self._password, temporary=None)
        for pause in (*_PAUSES, None):
            try:
                with database.connect(target):
                    return
            except CredentialsError:
                if pause is None:
                    raise
                time.sleep(pause)


def _as_role(url: str, role: str, ref: str) -> str:
    """The URL with another role; the pooler knows a project by the user's ending."""
    parts = urlsplit(url)
    user = f"{role}.{ref}" if (parts.username or "").endswith(f".{ref}") else role
    return parts._replace(netloc=f"{quote(user)}@{parts.netloc.rpartition('@')[2]}").geturl()


def _is(named: NamedTarget, chosen: Target) -> bool:
    if named.project_ref is not None:
        return named.project_ref == chosen.ref or named.project_ref in chosen.url
    return from_url(named.db_url or "").url == chosen.url
