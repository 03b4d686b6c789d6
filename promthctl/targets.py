"""Which database a command works on, how it is reached, and how dangerous that is."""

from __future__ import annotations

from collections.abc import Callable
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
    sslmode: libpq's, None to leave that to the URL and PGSSLMODE. temporary: returns a password that holds for the next
    minutes, where there is none that stays.
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

    @property
    def name(self) -> str:
        """What a reset asks to be typed: the project's name, else the database's."""
        return self.project or unquote(urlsplit(self.url).path.lstrip("/")) or "postgres"

    @property
    def kind_of_name(self) -> str:
        return "project's name" if self.project else "database's name"

    @property
    def steps_down(self) -> bool:
        """True for a temporary login role, which becomes postgres at once, as the Supabase CLI lets it."""
        return unquote(urlsplit(self.url).username or "").startswith("cli_login_")

    def secret(self) -> str | None:
        """The password to connect with now. Raises TargetError when a temporary one cannot be made anew."""
        return self.temporary() if self.temporary else self.password

    def environment(self) -> dict[str, str]:
        """What libpq and the Supabase CLI read the password and the encryption from."""
        values = {"PGPASSWORD": self.secret(), "PGSSLMODE": self.sslmode}
        return {name: value for name, value in values.items() if value}


def from_url(url: str, fallback_password: str | None = None, *, local: bool = False, place: str = "--db-url") -> Target:
    """The target a URL names. fallback_password: used when the URL has none (PGPASSWORD, SUPABASE_DB_PASSWORD).

    place: where the URL stands. Raises UsageError, which names the place and does not repeat the URL, when it is not
    postgresql://[user[:password]@]host[:port]/database.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may quote a piece of the password
        why = "its host or port cannot be read; in a password, @ : / ? # % are written %40 %3A …"
        raise _not_a_url(place, why) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise _not_a_url(place, "it does not begin with postgresql://")
    if not host:
        raise _not_a_url(place, "it names no host")
    if parts.fragment or "@" in parts.path + parts.query:  # of a password that was meant to stand before the host
        raise _not_a_url(place, "it has an @ or # after the host; in a password, @ : / ? # % are written %40 %3A …")
    given, parameters = parts.password, []
    for parameter in parts.query.split("&"):
        name, _, value = parameter.partition("=")
        if name in _ELSEWHERE:
            raise _not_a_url(place, f"its parameter {name} would lead to another target than the URL shows")
        if name == "password":
            given = given or value
        else:
            parameters.append(parameter)
    remember(given)  # as the URL spells it
    password = unquote(given) if given else fallback_password
    remember(password)
    user = parts.username or "postgres"
    where = f"[{host}]" if ":" in host else host
    at = f"{where}:{port or 5432}"
    path = parts.path if parts.path not in ("", "/") else "/postgres"
    bare = urlunsplit(("postgresql", f"{user}@{at}", path, "&".join(parameters), ""))
    label = f"the local stack ({at})" if local else f"database {unquote(path[1:])} at {at}, user {unquote(user)}"
    return Target(label, bare, password, local)


def _not_a_url(place: str, why: str) -> UsageError:
    return UsageError(
        f"{place} is not a database URL",
        why,
        "promthctl … --db-url postgresql://USER@HOST:5432/DATABASE, with the password in PGPASSWORD or in the URL",
    )
