"""What the project's own key sources say of endpoints, for commands that work on stored rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promthctl.errors import UsageError
from promthctl.keys import providers, sources
from promthctl.settings import Settings


@dataclass(frozen=True)
class Endpoints:
    """numbers: endpoint → its agent's number, if it has one; None when no source is configured, or it is broken.

    fault: why a configured source cannot be read, in words.
    """

    numbers: Mapping[str, int | None] | None = None
    fault: str | None = None


def endpoints(settings: Settings, provider: str) -> Endpoints:
    """The endpoints of PREFIX_KEYS_FILE or PREFIX_API_KEY_n in the environment and .env, for that provider."""
    if provider not in providers.names():
        return Endpoints()
    known = providers.find(provider)
    names = (f"{known.variables}_KEYS_FILE", f"{known.variables}_API_KEY")
    if not any(name.startswith(names) and settings.get(name) for name in settings.env):
        return Endpoints()
    try:
        with sources.opened(settings, known, None, None) as source:
            return Endpoints({key.endpoint_id: key.number for key in source})
    except UsageError as error:
        return Endpoints(fault=f"{error.what}: {error.why}")
