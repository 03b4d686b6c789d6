"""The services of the official stack: our names for them, the Supabase CLI's, and what each of them needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from promthctl.errors import UsageError

ALL = "all"


@dataclass(frozen=True)
class StackService:
    """name: ours. exclude: what `supabase start -x` calls it, empty for what is always there. container: the middle
    part of supabase_<container>_<project>. image: the repository's last part.

    setting: its table in supabase/config.toml. by_default: whether the CLI starts it where that table has no
    `enabled`. port: its port on this machine, if it has one. needs: other services. memory, disk: MB, roughly what it
    takes when idle and what its unpacked image takes, to see beforehand that a machine is too small.
    """

    name: str
    exclude: str
    container: str
    image: str
    setting: str
    memory: int
    disk: int
    port: int | None = None
    needs: str | None = None
    by_default: bool = True


SERVICES: dict[str, StackService] = {
    service.name: service
    for service in (
        StackService("db", "", "db", "postgres", "db", 250, 2000, port=54322),
        StackService("rest", "postgrest", "rest", "postgrest", "api", 50, 50),
        StackService("auth", "gotrue", "auth", "gotrue", "auth", 30, 60),
        StackService("gateway", "kong", "kong", "kong", "api", 150, 150, port=54321),
        StackService("studio", "studio", "studio", "studio", "studio", 150, 900, port=54323, needs="meta"),
        StackService("meta", "postgres-meta", "pg_meta", "postgres-meta", "studio", 80, 350),
        StackService("realtime", "realtime", "realtime", "realtime", "realtime", 200, 300),
        StackService("storage", "storage-api", "storage", "storage-api", "storage", 120, 500),
        StackService(
            "imgproxy",
            "imgproxy",
            "imgproxy",
            "imgproxy",
            "storage.image_transformation",
            50,
            200,
            needs="storage",
            by_default=False,
        ),
        StackService("functions", "edge-runtime", "edge_runtime", "edge-runtime", "edge_runtime", 150, 700),
        StackService("mail", "mailpit", "inbucket", "mailpit", "local_smtp", 20, 50, port=54324),
        StackService("analytics", "logflare", "analytics", "logflare", "analytics", 400, 600, port=54327),
        StackService("vector", "vector", "vector", "vector", "analytics", 60, 150, needs="analytics"),
        StackService("pooler", "supavisor", "pooler", "supavisor", "db.pooler", 150, 300, port=54329, by_default=False),
    )
}
DEFAULT = ("db", "rest", "auth", "gateway", "studio", "meta")
_ALWAYS = ("db", "auth", "gateway")  # a database, an API to reach, and the keys, which the CLI prints only with Auth


def chosen(names_given: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The services of `--services LIST`, in the table's order, with those they need.

    names_given: names with commas between, or "all": every one that supabase/config.toml does not switch off.
    Raises UsageError for an unknown name.
    """
    names = [word.strip() for word in names_given.split(",") if word.strip()]
    if names == [ALL]:
        names = [name for name, service in SERVICES.items() if _enabled(service, config)]
    for name in names:
        if name not in SERVICES:
            raise UsageError(
                f"There is no service {name!r}",
                f"--services takes {ALL} alone, or any of {', '.join(SERVICES)}",
                f"promthctl local up --services {','.join(DEFAULT)}",
            )
    if not names:
        raise UsageError("--services names no service", f"it takes {ALL}, or names with commas between", "leave it out")
    wanted = {*_ALWAYS, *names} | {needed for name in names if (needed := SERVICES[name].needs)}
    return tuple(name for name in SERVICES if name in wanted)


def by_default(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What is started without --services, unless supabase/config.toml switches it off."""
    return tuple(name for name in DEFAULT if name in _ALWAYS or _enabled(SERVICES[name], config))


def setting_up(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Those whose images `supabase start` needs once on an empty volume, chosen or not: they make their schemas."""
    return tuple(name for name in ("auth", "realtime", "storage") if _enabled(SERVICES[name], config))


def exclusions(names: Collection[str]) -> str:
    """The value of `supabase start -x` that leaves just these."""
    return ",".join(service.exclude for name, service in SERVICES.items() if name not in names and service.exclude)


def switches(names: Collection[str]) -> dict[str, str]:
    """The environment that makes the CLI start each of them, also one that supabase/config.toml switches off.

    SUPABASE_<TABLE>_ENABLED overrides `enabled` in that table.
    """
    settings = {SERVICES[name].setting for name in names} - {"db"}
    return {f"{_variable(setting)}_ENABLED": "true" for setting in sorted(settings)}


def port_variables(ports: Mapping[str, int]) -> dict[str, str]:
    """The environment that makes the CLI use these ports. ports: by the services' names."""
    return {f"{_variable(SERVICES[name].setting)}_PORT": str(port) for name, port in ports.items()}


def configured_ports(names: Collection[str], config: Mapping[str, Any]) -> dict[str, int]:
    """The ports of those services that have one, as supabase/config.toml says, otherwise the CLI's defaults."""
    ports = {}
    for name in names:
        service = SERVICES[name]
        if service.port is not None:
            value = _table(service, config).get("port", service.port)
            ports[name] = value if isinstance(value, int) and 0 < value < 65536 else service.port
    return ports


def title(name: str) -> str:
    """A service as people know what listens at its port."""
    return {"gateway": "API", "db": "database"}.get(name, name)


def of_container(container: str, project: str) -> str | None:
    """The service a container's name belongs to, None for another project's and for the CLI's one-off jobs."""
    return next((name for name in SERVICES if container == container_name(name, project)), None)


def container_name(name: str, project: str) -> str:
    return f"supabase_{SERVICES[name].container}_{project}"


def volume_name(project: str) -> str:
    """The database's volume."""
    return container_name("db", project)


def project_name(name: str) -> str:
    """A project_id as the CLI writes it into names of containers and volumes: no odd characters, at most forty."""
    return re.sub(r"[^a-zA-Z0-9_.-]+", "_", name).lstrip("_.-")[:40]


def _enabled(service: StackService, config: Mapping[str, Any]) -> bool:
    return bool(_table(service, config).get("enabled", service.by_default))


def _table(service: StackService, config: Mapping[str, Any]) -> Mapping[str, Any]:
    table: Any = config
    for word in service.setting.split("."):
        table = table.get(word, {}) if isinstance(table, Mapping) else {}
    return table if isinstance(table, Mapping) else {}


def _variable(setting: str) -> str:
    return "SUPABASE_" + setting.replace(".", "_").upper()
