"""Ports of a local stack: which ones it takes, and who is in the way."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from promthctl.configuration import API_PORT, DB_PORT
from promthctl.errors import PromthctlError, UsageError
from promthctl.settings import unset_variable

if TYPE_CHECKING:
    import psutil

LOOPBACK = "127.0.0.1"


def settle(
    asked: Mapping[str, int | None],
    known: Mapping[str, int],
    configured: Mapping[str, int],
    usable: Callable[[int], bool],
) -> dict[str, int]:
    """The port of each listener, by the names in `configured`.

    asked: by flag; None leaves it to the record, 0 picks one. known: the record's. configured: where there is none.
    usable: whether a port picked before can be kept. Raises UsageError when two would have the same port.
    """
    ports: dict[str, int] = {}
    for name, default in configured.items():
        kept, wanted = known.get(name, default), asked.get(name)
        if wanted is None:
            ports[name] = kept
        elif wanted == 0:  # a port picked before is kept while nobody else has it
            ports[name] = kept if kept != default and usable(kept) else _another(ports.values())
        else:
            ports[name] = wanted
    names: dict[int, str] = {}
    for name, port in ports.items():
        if (other := names.setdefault(port, name)) != name:
            raise UsageError(
                f"The {other} and the {name} cannot both have port {port}",
                "each listens on a port of its own",
                "promthctl local up --api-port 0 --db-port 0 picks free ones",
            )
    return ports


def check_configured(
    config: Mapping[str, Any], flags: Mapping[str, int | None], recorded: Collection[str], names: Mapping[str, str]
) -> None:
    """Raise UsageError where a port that neither a flag nor a record decides is to come from an unset variable.

    config: supabase/config.toml. flags, recorded: by listener. names: the listener of the sections api and db.
    """
    for section, port in (("api", API_PORT), ("db", DB_PORT)):
        table, listener = config.get(section), names[section]
        variable = unset_variable(table.get("port")) if isinstance(table, Mapping) else None
        if variable and flags.get(listener) is None and listener not in recorded:
            raise UsageError(
                f"supabase/config.toml does not tell the [{section}] port",
                f"the variable {variable} is not set",
                f"set {variable}={port} in .env or in the environment, or: promthctl local up --{section}-port {port}",
            )


def check_free(what: str, port: int, hint: str, own: Collection[int] = (), address: str = LOOPBACK) -> None:
    """Raise when the port is taken, naming who holds it where that can be known. own: processes that may hold it."""
    if usable(port, own, address):
        return
    holder = _holder(port)
    raise PromthctlError(
        f"Port {port}, wanted for the {what}, is taken",
        f"{holder.name()} (pid {holder.pid}) listens there" if holder else "another program listens there",
        hint,
    )


def usable(port: int, own: Collection[int] = (), address: str = LOOPBACK) -> bool:
    """True when the port is free, or held by one of the processes `own`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return True
        except OSError:
            holder = _holder(port) if own else None
            return holder is not None and holder.pid in own


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _another(taken: Collection[int]) -> int:
    while (port := free_port()) in taken:
        pass
    return port


def _holder(port: int) -> psutil.Process | None:
    """The process that listens on the port; None when it cannot be known, as of another user's."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("inet"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return psutil.Process(connection.pid) if connection.pid else None
    return None
