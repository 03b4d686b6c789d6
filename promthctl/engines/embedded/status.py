"""What runs of an embedded stack now."""

from __future__ import annotations

import time

from promthctl.engines.embedded import api
from promthctl.engines.embedded.records import EmbeddedStack
from promthctl.engines.engine import Service, Status
from promthctl.process import ProcessId
from promthctl.settings import Settings


def status_of(
    settings: Settings, engine: str, stack: EmbeddedStack | None, server: ProcessId | None, database: ProcessId | None
) -> Status:
    """The status of the engine by that name. stack: None without a record. server, database: its processes that run."""
    answer = api.ask_status(stack, settings) if stack and server and database else None
    listening = {"postgres": stack.db_port, "api": stack.api_port} if stack else {}
    services = tuple(
        Service(
            name,
            "stopped" if identity is None else "running" if answer or name == "postgres" else "starting",
            pid=identity.pid if identity else None,
            port=listening.get(name),
            uptime=max(0, round(time.time() - identity.created)) if identity else None,
        )
        for name, identity in (("postgres", database), ("api", server))
    )
    url = stack.access().api_url if stack else None
    return Status(
        engine,
        answer is not None,
        url,
        f"{url}/" if answer else None,
        services,
        answer.applied if answer else None,
        answer.problems if answer else (),
    )
