"""The API server: server.mjs on the toolchain's Node.js, started, watched and asked over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from promthctl import process
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.auth_settings import auth_settings, signing_keys
from promthctl.engines.embedded.mail import mail_file
from promthctl.engines.embedded.program import server_program
from promthctl.engines.embedded.records import EmbeddedStack
from promthctl.engines.embedded.storage_settings import STORAGE_FOLDER, storage_settings
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError, UsageError
from promthctl.process import ProcessId, RunAs
from promthctl.project_files import table_of
from promthctl.settings import Settings
from promthctl.toolchain import Toolchain

# A small nursery: V8's usual one grows to some 30 MB and makes no answer quicker.
NODE_OPTIONS = ("--max-semi-space-size=1", "--input-type=module")
_READY_SECONDS = 60.0
_ASK_SECONDS = 5.0
_STUDIO = "/_promthctl/studio"


@dataclass(frozen=True)
class ServerStatus:
    """What the server says of itself. applied: the versions in the migration history.

    current: it runs this promthctl's program, not that of an earlier version, with today's supabase/config.toml.
    problems: one line for each bucket of config.toml that could not be made.
    """

    pid: int
    applied: tuple[str, ...]
    current: bool
    problems: tuple[str, ...] = ()


def start(
    stack: EmbeddedStack,
    tools: Toolchain,
    settings: Settings,
    log: Path,
    record: Callable[[ProcessId], None],
) -> ProcessId:
    """Start the server; it answers 503 until the database is up.

    For root it runs as the user that runs PostgreSQL. It inherits nothing of our environment: what we were given, keys
    among it, is not for the programs of a package registry.
    """
    configuration = {
        "project": stack.project,
        "program": _fingerprint(settings),
        "port": stack.api_port,
        "db": {
            "host": "127.0.0.1",
            "port": stack.db_port,
            "database": "postgres",
            "password": stack.internal_password,
        },
        "password": stack.db_password,
        "jwtSecret": stack.jwt_secret,
        "signingKeys": signing_keys(settings),
        "anonKey": stack.anon_key,
        "serviceKey": stack.service_role_key,
        "publishableKey": stack.publishable_key,
        "secretKey": stack.secret_key,
        "url": f"http://127.0.0.1:{stack.api_port}",
        "origins": _origins(settings),
        "rest": rest_settings(settings),
        "auth": auth_settings(settings.supabase),
        "storage": storage_settings(settings.supabase)
        | {"folder": str(system_user.data_home(settings, stack.project) / STORAGE_FOLDER)},
        "mailFile": str(mail_file(settings, stack)),
    }
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PROMTHCTL_API": json.dumps(configuration),
    }
    # The program comes on standard input, so that its bare imports resolve in the toolchain's folder.
    return process.spawn_detached(
        [tools.node, *NODE_OPTIONS, "-", _marker(stack.project)],
        record=record,
        log=log,
        env=environment,
        cwd=tools.root,
        stdin=server_program().encode(),
        user=_user(tools, settings),
    )


def _user(tools: Toolchain, settings: Settings) -> RunAs | None:
    """Who runs the server: PostgreSQL's user, but root where that user cannot reach root's own Node.js."""
    user = system_user.postgres_user(settings)
    try:
        for path in (tools.node.resolve().parent, tools.root):
            system_user.check_readable(path, user)
    except PrerequisiteError:
        return None
    return user


def _origins(settings: Settings) -> list[str]:
    """The web pages, besides those of this machine, that may read answers: `[auth] site_url` of config.toml."""
    auth = settings.supabase.get("auth")
    url = auth.get("site_url") if isinstance(auth, dict) else None
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return []
    return [f"{parts.scheme}://{parts.netloc}".lower()] if parts and parts.scheme and parts.netloc else []


def wait(server: ProcessId, stack: EmbeddedStack, settings: Settings, log: Path, renewed: bool = False) -> ServerStatus:
    """Return the first good answer; raise with the last log lines when the server ended instead.

    renewed: it ran while its database was exchanged for another, and forgets what it knew of the tables.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while (answer := ask_status(stack, settings, renewed)) is None:
        if not server.alive() or time.monotonic() > deadline:
            raise PromthctlError(
                "The API server did not start",
                "\n".join(process.read_regular(log).decode(errors="replace").strip().splitlines()[-6:]),
                "promthctl local logs api, then promthctl local up",
            )
        time.sleep(0.01)
    return answer


def ask_status(stack: EmbeddedStack, settings: Settings, renewed: bool = False) -> ServerStatus | None:
    """The server's own status, None while this project's server does not answer at its port. renewed: see `wait`."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", stack.api_port, timeout=_ASK_SECONDS)
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException, ValueError, KeyError, TypeError):
        connection.request(
            "POST" if renewed else "GET", "/_promthctl/status", headers={"apikey": stack.service_role_key}
        )
        response = connection.getresponse()
        body = json.loads(response.read())
        if response.status == 200 and body["project"] == stack.project:
            problems = tuple(_unmade(one["bucket"], one["message"]) for one in body.get("unmade", []))
            current = body.get("program") == _fingerprint(settings)
            return ServerStatus(int(body["pid"]), tuple(body["applied"]), current, problems)
    return None


def _unmade(bucket: str, why: str) -> str:
    return (
        f"The bucket {bucket} of supabase/config.toml was not made: {why}. Correct [storage.buckets.{bucket}] or what "
        "refuses it, then: promthctl local up"
    )


def studio_link(stack: EmbeddedStack) -> str:
    """The URL that opens Studio, good once and for two minutes: see studio_door.mjs. Raises TargetError."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", stack.api_port, timeout=_ASK_SECONDS)
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException, ValueError, KeyError, TypeError):
        connection.request("POST", _STUDIO, headers={"apikey": stack.service_role_key})
        response = connection.getresponse()
        body = json.loads(response.read())
        if response.status == 200:
            return f"http://127.0.0.1:{stack.api_port}{_STUDIO}?token={body['token']}"
    why = "its API runs the program of another promthctl, or does not answer"
    raise TargetError("Studio could not be opened", why, "promthctl local up")


def find_server(project: str) -> ProcessId | None:
    """The server of a project, found by its command line when its record is lost."""
    found = process.find_processes(lambda argv, _: argv[-1] == _marker(project) and "--input-type=module" in argv)
    return found[0] if found else None


def stop(server: ProcessId) -> None:
    server.end(signal.SIGTERM, grace=5.0)


def _marker(project: str) -> str:
    return f"promthctl-api:{project}"


def _fingerprint(settings: Settings) -> str:
    """What tells the program and the configuration that a server started now would get from all others."""
    configured = auth_settings(settings.supabase), signing_keys(settings), storage_settings(settings.supabase)
    told = json.dumps([server_program(), rest_settings(settings), *configured, _origins(settings)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def rest_settings(settings: Settings) -> dict[str, Any]:
    """`[api]` of supabase/config.toml, with the Supabase CLI's defaults for what it does not say.

    Raises UsageError for a value that the CLI refuses.
    """
    table = table_of(settings.supabase, "api", where="supabase/config.toml")

    def names(key: str, default: list[str]) -> list[str]:
        value = table.get(key, default)
        if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
            raise _wrong(key, value, f'{key} = ["public"]')
        return list(dict.fromkeys(value))

    enabled, rows = table.get("enabled", True), table.get("max_rows", 1000)
    if not isinstance(enabled, bool):
        raise _wrong("enabled", enabled, "enabled = true")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
        raise _wrong("max_rows", rows, "max_rows = 1000")
    return {
        "enabled": enabled,
        "schemas": names("schemas", ["public", "graphql_public"]) or ["public"],
        "extraSearchPath": names("extra_search_path", ["public", "extensions"]),
        "maxRows": rows,
    }


def _wrong(key: str, value: object, right: str) -> UsageError:
    return UsageError(
        f"supabase/config.toml has a wrong [api] {key}", f"it is {value!r}", f"write {right}, or leave the line out"
    )
