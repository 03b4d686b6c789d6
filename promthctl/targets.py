"""The database that a command works on: what it is called, how it is reached, and whether it is production."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from promthctl.errors import UsageError
from promthctl.redact import remember

# Parameters that libpq prefers to the rest of the URL, so that it would connect to another place than the URL shows.
_OVERRIDES = {"host", "hostaddr", "port", "user", "dbname", "service"}
# Parameters of libpq that are secrets: https://www.postgresql.org/docs/current/libpq-connect.html. The Supabase CLI
# gets the URL as an argument; it reads the first two from the environment and does not know the others.
_PASSWORD, _KEY_PASSWORD = "password", "sslpassword"
_SECRETS = {_PASSWORD, _KEY_PASSWORD, "oauth_client_secret", "scram_client_key", "scram_server_key"}
# Supabase's shared poolers, and the one beside a project's own database, are in transaction mode on port 6543; on 5432
# of the same host there is a session: https://supabase.com/docs/guides/database/connecting-to-postgres
_SUPABASE_HOST = re.compile(r"(?:[\w-]+\.pooler|db\.[a-z]{20})\.supabase\.[a-z]+", re.IGNORECASE)
_TRANSACTION_PORT, _SESSION_PORT = 6543, 5432
_MOVED = "Its port 6543 keeps no session, which migrations need: the session port 5432 of the same host is used."
_ESCAPES = "in a password, @ : / ? # % are written %40 %3A …"


@dataclass(frozen=True)
class Target:
    """A database.

    label: how it is shown, without secrets. url: a PostgreSQL URL without its passwords. password: None if the URL
    has none. key_password: of the client's private key, sslpassword in a URL. local: the project's own local stack,
    which may be changed without asking. project, ref: the name and the reference of the hosted project, if it was
    chosen by that. production: pyproject.toml marks it as that. sslmode: libpq's, None to leave it to the URL and
    PGSSLMODE. temporary: for a temporary role, returns a password that is valid for the next minutes. remark: what
    the user should know of how it is reached, empty for nothing. lock_seconds: how long a change waits for one lock,
    0 for as long as it takes, None for what each command does by itself. password_variable: the only one that has its
    password, by password_env in pyproject.toml.
    """

    label: str
    url: str
    password: str | None = field(default=None, repr=False)
    local: bool = False
    project: str | None = None
    ref: str | None = None
    production: bool = False
    sslmode: str | None = None
    temporary: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    remark: str = field(default="", compare=False)
    lock_seconds: float | None = field(default=None, compare=False)
    key_password: str | None = field(default=None, repr=False)
    password_variable: str | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """What must be typed to confirm a reset: the project's name, otherwise the database's."""
        return self.project or unquote(urlsplit(self.url).path.lstrip("/")) or "postgres"

    @property
    def kind_of_name(self) -> str:
        return "project's name" if self.project else "database's name"

    @property
    def steps_down(self) -> bool:
        """True for a temporary login role, which becomes postgres once connected, as it does in the Supabase CLI."""
        return unquote(urlsplit(self.url).username or "").startswith("cli_login_")

    def secret(self) -> str | None:
        """The password to connect with now. Raises TargetError when a temporary one cannot be renewed."""
        return self.temporary() if self.temporary else self.password

    def held(self) -> Target:
        """This target with the password of now: for sessions side by side, since a renewal ends the one before."""
        return replace(self, password=self.secret(), temporary=None)

    def environment(self) -> dict[str, str]:
        """The variables from which the Supabase CLI reads the passwords and the SSL mode."""
        values = {"PGPASSWORD": self.secret(), "PGSSLMODE": self.sslmode, "PGSSLPASSWORD": self.key_password}
        return {name: value for name, value in values.items() if value}


def from_url(
    url: str,
    fallback_password: str | None = None,
    *,
    local: bool = False,
    place: str = "--db-url",
    variable: str | None = None,
) -> Target:
    """The target that a URL names. fallback_password: used if the URL has none (PGPASSWORD, SUPABASE_DB_PASSWORD).

    place: where the URL was written. variable: see password_variable of Target. Raises UsageError, which names the
    place and does not repeat the URL, when it is not postgresql://[user[:password]@]host[:port]/database. A URL of
    Supabase's transaction pooler becomes that of its session mode.
    """
    url = url.strip()
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise _not_a_url(place, "it has a space or a control character in it; a space is written %20")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # the text of this error may quote part of the password
        why = f"its host or port cannot be read; {_ESCAPES}"
        raise _not_a_url(place, why) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise _not_a_url(place, "it does not begin with postgresql://")
    if _names_a_socket(host or "", parts.query):
        raise UsageError(
            f"{place} names a Unix socket",
            "the Supabase CLI, which applies migrations, connects over TCP only",
            "promthctl … --db-url postgresql://USER@127.0.0.1:5432/DATABASE; where the server does not listen there:"
            " alter system set listen_addresses = 'localhost', and restart it",
        )
    if not host:
        why = "it has no host; without one libpq takes a Unix socket, which the Supabase CLI cannot use"
        raise _not_a_url(place, why)
    if parts.fragment or "@" in parts.path + parts.query:  # they belong to a password with unescaped characters
        raise _not_a_url(place, f"it has an @ or # after the host; {_ESCAPES}")
    found, parameters = _secrets_and_rest(parts.query, parts.password, place)
    password = found.get(_PASSWORD) or fallback_password
    remember(password)
    user = parts.username or "postgres"
    where = f"[{host}]" if ":" in host else host
    moved = port == _TRANSACTION_PORT and _SUPABASE_HOST.fullmatch(host) is not None
    port = _SESSION_PORT if moved else port
    at = f"{where}:{port or 5432}"
    path = parts.path if parts.path not in ("", "/") else "/postgres"
    bare = urlunsplit(("postgresql", f"{user}@{at}", path, "&".join(parameters), ""))
    label = f"the local stack ({at})" if local else f"database {unquote(path[1:])} at {at}, user {unquote(user)}"
    remark = _MOVED if moved else ""
    made = Target(label, bare, password, local, remark=remark, key_password=found.get(_KEY_PASSWORD))
    return replace(made, password_variable=variable)


def _secrets_and_rest(query: str, password: str | None, place: str) -> tuple[dict[str, str], list[str]]:
    """The secrets in a URL by the parameter's name, decoded, and the parameters that may be shown. Raises UsageError.

    password: the one before the @. What is given twice is refused where it differs: libpq takes the last, the Supabase
    CLI the first.
    """
    found: dict[str, str] = {}
    parameters = []
    for parameter in (f"{_PASSWORD}={password or ''}", *query.split("&")):
        spelled, _, value = parameter.partition("=")
        name = unquote(spelled)  # as libpq reads it
        if name in _OVERRIDES:
            raise _not_a_url(place, f"its parameter {name} would connect to another database than the URL shows")
        if name.lower() not in _SECRETS:
            parameters.append(parameter)
            continue
        remember(value)  # as the URL spells it, perhaps escaped
        remember(unquote(value))
        if name not in (_PASSWORD, _KEY_PASSWORD):
            why = f"its parameter {name} is a secret that the Supabase CLI cannot be given"
            if name.lower() in (_PASSWORD, _KEY_PASSWORD):
                why = f"its parameter {name} is written {name.lower()}"
            raise _not_a_url(place, why)
        if value and found.setdefault(name, unquote(value)) != unquote(value):
            raise _not_a_url(place, f"it has two different values for {name}")
    return found, parameters


def _names_a_socket(host: str, query: str) -> bool:
    """True for a folder (or an abstract socket, which begins with @) as the host, or in a parameter for it."""
    parameters = (parameter.partition("=") for parameter in query.split("&"))
    hosts = [host, *(value for name, _, value in parameters if unquote(name) in ("host", "hostaddr"))]
    return any(unquote(each).startswith(("/", "@")) for each in hosts)


def command_line_options(target: Target) -> str:
    """The options that name the target on a command line, with a space before them; empty for the local stack."""
    if target.local:
        return ""
    return f" --project-ref {target.ref}" if target.ref else f" --db-url {shlex.quote(target.url)}"


def _not_a_url(place: str, why: str) -> UsageError:
    return UsageError(
        f"{place} is not a database URL",
        why,
        "promthctl … --db-url postgresql://USER@HOST:5432/DATABASE, with the password in PGPASSWORD or in the URL",
    )
