"""Engines: what runs a local Supabase. One Protocol, one module or folder for each engine, and the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from promthctl.errors import PrerequisiteError, UsageError
from promthctl.settings import Settings
from promthctl.steps import Steps


@dataclass(frozen=True)
class Access:
    """How an app reaches the local stack. The keys and the URL's password are secret."""

    api_url: str
    db_url: str = field(repr=False)
    anon_key: str = field(repr=False)
    service_role_key: str = field(repr=False)

    def variables(self) -> dict[str, str]:
        """The environment names an app reads, the same for every engine."""
        return {
            "SUPABASE_URL": self.api_url,
            "SUPABASE_ANON_KEY": self.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": self.service_role_key,
            "SUPABASE_DB_URL": self.db_url,
            "NEXT_PUBLIC_SUPABASE_URL": self.api_url,
            "NEXT_PUBLIC_SUPABASE_ANON_KEY": self.anon_key,
        }


@dataclass(frozen=True)
class Service:
    """One part of the stack. state: running, starting or stopped. pid or container: whichever the engine has."""

    name: str
    state: str
    pid: int | None = None
    container: str | None = None
    port: int | None = None


@dataclass(frozen=True)
class Status:
    """What runs now. applied: the versions in the migration history, None when the database does not answer."""

    engine: str
    running: bool
    api_url: str | None
    studio_url: str | None
    services: tuple[Service, ...]
    applied: tuple[str, ...] | None


class Engine(Protocol):
    """A local Supabase. Methods raise PromthctlError; each is safe to call again after any interruption."""

    name: str

    def up(self, migrate: Callable[[Access, tuple[str, ...] | None], None], steps: Steps) -> tuple[Access, bool]:
        """Bring the stack up; when its database accepts connections, call `migrate` with the applied versions if known.

        Returns how to reach it, and whether anything had to be started. A stack that runs already is left
        alone: `migrate` is called all the same and decides for itself.
        """

    def down(self, purge: bool, steps: Steps) -> bool:
        """Stop every service; with `purge` remove the data too. False when there was nothing to stop."""

    def status(self) -> Status:
        """What runs now, without changing anything."""

    def access(self) -> Access | None:
        """How to reach the stack, None when it was never up."""

    def logs(self, service: str | None, follow: bool) -> Iterator[tuple[str, str]]:
        """(service, line) pairs, oldest first; with `follow` it goes on until interrupted."""


def pick(name: str, settings: Settings, api_port: int | None = None, db_port: int | None = None) -> tuple[Engine, str]:
    """The engine of that name and why it was chosen, in words.

    name: auto, embedded or docker. api_port, db_port: flags; 0 asks for a free port.
    """
    if name not in ("auto", "embedded", "docker"):
        raise UsageError(f"There is no engine {name!r}", "--engine takes auto, embedded or docker", "leave it out")
    if name == "docker":
        raise PrerequisiteError(
            "The Docker engine is not in this version", "only the embedded engine is", "leave --engine out"
        )
    from promthctl.engines.embedded import EmbeddedEngine

    why = "chosen with --engine" if name == "embedded" else "it needs no Docker"
    return EmbeddedEngine(settings, api_port, db_port), why
