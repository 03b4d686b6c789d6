"""The stack as it should be now: which services, on which ports and which address."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from promthctl.engines import ports
from promthctl.engines.docker import network, services
from promthctl.engines.docker.containers import Container
from promthctl.engines.docker.project import DockerProject
from promthctl.engines.docker.records import DockerStack

_MAJOR = 17  # the CLI's, where supabase/config.toml has no [db] major_version


def plan_stack(project: DockerProject, known: DockerStack | None, found: tuple[Container, ...]) -> DockerStack:
    """By flag, otherwise as recorded, otherwise as configured. known: the record. found: the containers there are."""
    config, options = project.settings.supabase, project.options
    asked = options.services if options.services is not None else known.asked if known else None
    names = services.by_default(config) if asked is None else services.chosen(asked, config)
    own = {port for container in (*found, *project.own_containers()) for _, port in container.published}
    major = _table(config, "db").get("major_version")
    plan = known or DockerStack(project.name, "", names, {}, network.LOOPBACK, _MAJOR)
    return dataclasses.replace(
        plan,
        project=project.name,
        folder=project.folder,
        asked=asked,
        services=names,
        started=(),
        ports=_ports(project, names, plan.ports, own),
        bind=network.address(options.bind) if options.bind is not None else plan.bind,
        major=major if isinstance(major, int) else _MAJOR,
    )


def why_it_starts_again(plan: DockerStack, known: DockerStack | None, found: Collection[Container]) -> str:
    """What is wrong with the containers that are there."""
    down = sorted(set(known.started if known else ()).difference(one.service for one in found if one.works))
    if known is None or not known.started:
        return "The containers that are there are not a complete start by promthctl: the stack is started again."
    if not known.starts_like(plan):
        return "Other services, ports or addresses are asked for: the stack is started again."
    return f"{', '.join(down) or 'Its network'} is down: the stack is started again."


def _ports(
    project: DockerProject, names: tuple[str, ...], kept: Mapping[str, int], own: Collection[int]
) -> dict[str, int]:
    """The ports of those services. With --api-port 0 all but the database's are picked."""
    options = project.options
    asked = dict.fromkeys(names, 0 if options.api_port == 0 else None)
    asked |= {"gateway": options.api_port, "db": options.db_port}
    ports.check_configured(project.settings.supabase, asked, kept, {"api": "gateway", "db": "db"})
    configured = services.configured_ports(names, project.settings.supabase)
    titled = {services.title(name): name for name in configured}
    settled = ports.settle(
        {services.title(name): port for name, port in asked.items()},
        {services.title(name): port for name, port in kept.items()},
        {title: configured[name] for title, name in titled.items()},
        lambda port: port in own or ports.usable(port),
    )
    return {titled[title]: port for title, port in settled.items()}


def _table(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = config.get(name)
    return table if isinstance(table, Mapping) else {}
