"""What every engine offers: the Protocol, what `local up` may ask for, and what an engine says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from promthctl.steps import Steps


@dataclass(frozen=True)
class Access:
    """How an app reaches the local stack. The keys and the URL's password are secret.

    publishable_key, secret_key: those of the new kind, which stand for anon_key and service_role_key; None where the
    engine has none.
    """

    api_url: str
    db_url: str = field(repr=False)
    anon_key: str = field(repr=False)
    service_role_key: str = field(repr=False)
    studio_url: str | None = None
    publishable_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Message:
    """What Auth would have sent by e-mail. sent_at: UTC, ISO 8601. kind: signup, invite, recovery, magiclink,
    email_change or reauthentication. code: what the user types; link: what they open, None where there is none.
    """

    sent_at: str
    to: str
    kind: str
    subject: str
    code: str = field(repr=False)
    link: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Service:
    """One part of the stack. state: running, starting or stopped. pid or container: whichever the engine has.

    health: healthy, unhealthy or starting where the engine checks it. uptime: seconds. memory: bytes. exit_code: of a
    container that ended. None: not known, or there is none.
    """

    name: str
    state: str
    pid: int | None = None
    container: str | None = None
    port: int | None = None
    health: str | None = None
    uptime: int | None = None
    memory: int | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Status:
    """What runs now. applied: the versions in the migration history, None when the database does not answer.

    problems: one line for each thing that supabase/config.toml asks for and that could not be made.
    """

    engine: str
    running: bool
    api_url: str | None
    studio_url: str | None
    services: tuple[Service, ...]
    applied: tuple[str, ...] | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class StartOptions:
    """The flags of `local up`; None where a flag was not given: then the record decides, then the configuration.

    api_port, db_port: 0 asks for a free port. bind, services, offline: for the Docker engine.
    """

    api_port: int | None = None
    db_port: int | None = None
    bind: str | None = None
    services: str | None = None
    offline: bool = False


@dataclass(frozen=True)
class KeptCopy:
    """The database as it was before a reset. path: its folder. bytes: on disk. kept_at: UTC, ISO 8601."""

    path: str
    bytes: int
    kept_at: str


@dataclass(frozen=True)
class Snapshot:
    """A copy of the database under a name. made_at: UTC, ISO 8601. bytes: on disk. reason: in words. server: its
    PostgreSQL, as toolchain.servers names it. applied: the versions in its history, None where they are not known.
    automatic: promthctl made it, and removes it when there are newer ones.
    """

    name: str
    made_at: str
    bytes: int
    reason: str
    server: str
    applied: tuple[str, ...] | None
    automatic: bool


@dataclass(frozen=True)
class LogPart:
    """Which lines of a log. follow: also those to come. tail: the newest of each service. since: Unix time.

    Lines without a time belong to the line before; a log without any is not cut by `since`.
    """

    follow: bool = False
    tail: int | None = None
    since: float | None = None


@dataclass(frozen=True)
class Content:
    """What goes into a new database before its seeds, by which an engine knows one that it has made before.

    roles: the hash of supabase/roles.sql, None if there is none. cli: whatever is another text for another Supabase
    CLI. migrations: file name and hash of each, in order.
    """

    roles: str | None
    cli: str
    migrations: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Filling:
    """A database that is to be brought up to date.

    access: the way to it. applied: the versions in its history where they are known, () for a new and empty one.
    copied: how many of the Content's migrations it has from a copy; its roles and their record came along.
    keep_after: the numbers of migrations after which `keep` is to be called with that number, before anything else is
    put in; clients are disconnected then. superuser_url: to the same database as a superuser, secret, where there is
    one.
    """

    access: Access
    applied: tuple[str, ...] | None
    copied: int = 0
    keep_after: tuple[int, ...] = ()
    keep: Callable[[int], None] = lambda _: None
    superuser_url: str | None = field(default=None, repr=False)


class Engine(Protocol):
    """A local Supabase. Methods raise PromthctlError; each is safe to call again after any interruption.

    keeps_copies: `renew` keeps the database as it was, and in use until the new one is filled.
    """

    name: str
    runs_roles: bool  # making the database, it runs supabase/roles.sql by itself
    keeps_copies: bool

    def up(
        self, migrate: Callable[[Filling], None], steps: Steps, content: Callable[[], Content | None] = lambda: None
    ) -> tuple[Access, bool]:
        """Bring the stack up; when its database accepts connections, call `migrate` with it.

        content: asked for a new database; None where no copy may be used. Returns how to reach the stack, and whether
        anything had to be started. A stack that runs already is left alone: `migrate` is called all the same and
        decides for itself.
        """

    def renew(
        self,
        fill: Callable[[Filling], None],
        steps: Steps,
        content: Content | None = None,
        done: str = "The local database was reset",
        bulk: bool = False,
    ) -> KeptCopy | None:
        """Replace the stack's database by a new one; ports and keys stay, and the stack is up then. Returns what is
        kept of the old one, if anything.

        fill: called with the new database. content: as in `up`. done: what an error says that comes afterwards. bulk:
        it may get many rows. Where the engine keeps copies, an error in `fill` has changed nothing, and there need be
        no stack; else it runs.
        """

    def undo_renewal(self, steps: Steps) -> KeptCopy:
        """Put the kept database back in its place, and keep the one in use instead. The stack is up then.

        Raises UsageError when nothing is kept.
        """

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Those of this project, the newest first. Raises UsageError where an engine makes none, as the next three."""

    def save_snapshot(self, name: str | None, reason: str, steps: Steps) -> Snapshot:
        """Copy the database, which is stopped for as long as that takes. name: None for an automatic one.

        Raises UsageError or RefusedError for a name that cannot be given, TargetError without a database.
        """

    def restore_snapshot(self, name: str, steps: Steps) -> KeptCopy | None:
        """Put a copy of the snapshot in the place of the database in use, which is kept; None if there was none.

        The stack is up then.
        """

    def remove_snapshot(self, name: str) -> Snapshot:
        """Returns what it was. Raises UsageError when there is none of that name."""

    def down(self, purge: bool, steps: Steps) -> bool:
        """Stop every service; with `purge` remove the data too. False when there was nothing to stop."""

    def kept(self) -> KeptCopy | None:
        """The database as it was before the last reset, if the engine keeps it."""

    def has_data(self) -> bool:
        """Whether a database of this project is there, running or not."""

    def status(self, measure: bool = False) -> Status:
        """What runs now, without changing anything. measure: also what takes a second to find out, the memory."""

    def access(self) -> Access | None:
        """How to reach the stack, None when it was never up."""

    def mail(self) -> tuple[Message, ...]:
        """What Auth would have sent, the newest first. Raises UsageError where a mailbox of its own shows that."""

    def studio(self) -> str:
        """The address that opens Studio in a browser; the stack runs. Raises UsageError where Studio is not there."""

    def logs(self, service: str | None, part: LogPart) -> Iterator[tuple[str, str]]:
        """(service, line) pairs, oldest first; with `follow` it goes on until interrupted."""
