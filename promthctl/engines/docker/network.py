"""The stack's own network: it publishes the ports on one address, where the official default is every interface."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import TYPE_CHECKING, Any

from promthctl.errors import PromthctlError, UsageError

if TYPE_CHECKING:
    from docker import APIClient

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - only when --bind asks for it
LABEL = "promthctl.project"
_BINDING = "com.docker.network.bridge.host_binding_ipv4"


def address(text: str) -> str:
    """`--bind ADDRESS`. Raises UsageError for anything but an IPv4 address."""
    try:
        found = ipaddress.IPv4Address(text.strip())
        if found.is_multicast or found.is_reserved:
            raise ValueError
        return str(found)
    except ValueError:
        raise UsageError(
            f"{text!r} is not an address to publish on",
            "--bind takes an IPv4 address of this machine",
            f"promthctl local up --bind {LOOPBACK} (this machine), or --bind {EVERYWHERE} (every interface)",
        ) from None


def name(project: str) -> str:
    return f"promthctl_{project}"


def ensure(client: APIClient, project: str, bind: str) -> str:
    """The network's name; it is made again when it publishes elsewhere. No container may be on it."""
    import docker.errors

    mine = _find(client, project)
    if mine is not None and mine.get("Options", {}).get(_BINDING) != bind:
        try:
            client.remove_network(mine["Id"])
        except docker.errors.APIError as error:
            raise PromthctlError(
                f"The network {name(project)} cannot be made again for {bind}",
                str(error.explanation or error),
                f"docker network inspect {name(project)} shows its containers; docker network disconnect removes one",
            ) from None
        mine = None
    if mine is None:
        client.create_network(name(project), driver="bridge", options={_BINDING: bind}, labels={LABEL: project})
    return name(project)


def remove(client: APIClient, project: str) -> None:
    """Remove the network, unless another container is on it. It holds no data."""
    import docker.errors

    if (mine := _find(client, project)) is not None:
        with contextlib.suppress(docker.errors.APIError):
            client.remove_network(mine["Id"])


def _find(client: APIClient, project: str) -> dict[str, Any] | None:
    """The network of that very name; the daemon's own filter also matches parts of names."""
    return next((found for found in client.networks(names=[name(project)]) if found["Name"] == name(project)), None)
