"""Which database a command works on, how it is reached, and how dangerous that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from promthctl.errors import UsageError
from promthctl.redact import remember

_ELSEWHERE = {"host", "hostaddr", "port", "user", "dbname", "service"}  # libpq would follow these instead of the URL


@dataclass(frozen=True)
class Target:
    """A database.

    label: how it is shown, without secrets. url: a PostgreSQL URL without its password. password: None when the
    URL has none. local: the project's own local stack, which may be changed without asking. project: the name of the
    hosted project it belongs to, and ref: its reference, if it was reached by that. production: pyproject.toml says so.
    """

    label: str
    url: str
    password: str | None = field(default=None, repr=False)
    local: bool = False
    project: str | None = None
    ref: str | None = None
    production: bool = False

    @property
    def name(self) -> str:
        """What a reset asks to be typed: the project's name, else the database's."""
        return self.project or unquote(urlsplit(self.url).path.lstrip("/")) or "postgres"

    @property
    def kind_of_name(self) -> str:
        return "project's name" if self.project else "database's name"

    def environment(self) -> dict[str, str]:
        """What libpq and the Supabase CLI read the password from."""
        return {"PGPASSWORD": self.password} if self.password else {}


def from_url(url: str, fallback_password: str | None = None, *, local: bool = False) -> Target:
    """The target a URL names. fallback_password: used when the URL has none (PGPASSWORD, SUPABASE_DB_PASSWORD).

    Raises UsageError, without repeating the URL, when it is not postgresql://[user[:password]@]host[:port]/database.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may quote a piece of the password
        raise _not_a_url("its host or port cannot be read; in a password, @ : / ? # % are written %40 %3A …") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise _not_a_url("it does not begin with postgresql://")
    if not host:
        raise _not_a_url("it names no host")
    if parts.fragment or "@" in parts.path + parts.query:  # of a password that was meant to stand before the host
        raise _not_a_url("it has an @ or # after the host; in a password, @ : / ? # % are written %40 %3A …")
    given, parameters = parts.password, []
    for parameter in parts.query.split("&"):
        name, _, value = parameter.partition("=")
        if name in _ELSEWHERE:
            raise _not_a_url(f"its parameter {name} would lead to another target than the URL shows")
        if name == "password":
            given = given or value
        else:
            parameters.append(parameter)
    remember(given)  # as the URL spells it
    password = unquote(given) if given else fallback_password
    remember(password)
    user = parts.username or "postgres"
    where = f"[{host}]" if ":" in host else host
    place = f"{where}:{port or 5432}"
    path = parts.path if parts.path not in ("", "/") else "/postgres"
    bare = urlunsplit(("postgresql", f"{user}@{place}", path, "&".join(parameters), ""))
    label = f"the local stack ({place})" if local else f"database {unquote(path[1:])} at {place}, user {unquote(user)}"
    return Target(label, bare, password, local)


def _not_a_url(why: str) -> UsageError:
    return UsageError(
        "--db-url is not a database URL",
        why,
        "promthctl … --db-url postgresql://USER@HOST:5432/DATABASE, with the password in PGPASSWORD or in the URL",
    )
