"""Why a database cannot be reached or refuses the credentials, and how to fix it, from libpq's or the CLI's message.

Sources of the messages: PostgreSQL, libpq, and Supabase's pooler (https://supabase.com/docs/guides/troubleshooting).
"""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

from promthctl.errors import TargetError
from promthctl.redact import redact
from promthctl.targets import Target

_CLI_PREFIX = re.compile(r"^failed to connect to `[^`]*`: ")
_DIRECT = re.compile(r"db\.([a-z]{20})\.supabase\.\w+")  # a project's own host: IPv6, unless IPv4 was bought
_NETWORK = re.compile(
    r"unreachable|no route|assign requested|invalid argument|address family|timed out|timeout"
    r"|resolv|translate host|ENETUNREACH|EHOSTUNREACH|ENOTFOUND",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"password|authentication", re.IGNORECASE)
_DASHBOARD = "in the dashboard: Project Settings, Database"
# A message → (what it means, what to do for a database URL, what to do for a hosted project).
_KNOWN = {
    r"tenant or user not found|tenant/user": (
        "the pooler does not know this project or user",
        "the user of a pooler's URL is postgres.REF: promthctl … --project-ref REF finds the right URL",
        "wait some minutes if the project is new or was just restored, then run the same command again",
    ),
    r"circuit breaker|too many (failed|authentication)": (
        "the pooler has blocked this address for about two minutes, after wrong passwords",
        "wait two minutes, then run the same command again with the right password",
        "wait two minutes, then run the same command again with the right SUPABASE_DB_PASSWORD",
    ),
    r"allow_list|EAI_BANNED": (
        "its network restrictions do not let this address in",
        f"allow the address {_DASHBOARD}, Network Restrictions",
        f"allow the address {_DASHBOARD}, Network Restrictions",
    ),
    r"max ?client|too many (clients|connections)|connection slots": (
        "all its connections are taken",
        "close other connections, or wait, then run the same command again",
        "close other connections, or wait, then run the same command again; the pool's size is " + _DASHBOARD,
    ),
    r"unsupported startup parameter: (options|extra_float_digits)": (
        "a pooler that refuses settings of a session",
        "leave options out of the URL and unset PGOPTIONS, or name it in ignore_startup_parameters of pgbouncer.ini",
        "unset PGOPTIONS and run the same command again",
    ),
    r"query_wait_timeout": (
        "its pooler had no free connection for us",
        "close other connections, or raise the pooler's pool size: promthctl needs some at a time; then run it again",
        "close other connections, or wait, then run the same command again; the pool's size is " + _DASHBOARD,
    ),
    r"ssl connection is required|no encryption": (
        "it accepts encrypted connections only",
        "add ?sslmode=require to the URL, or unset PGSSLMODE",
        "unset PGSSLMODE and run the same command again",
    ),
    r"(not support|refused) (ssl|tls)": (
        "it offers no encrypted connection",
        "add ?sslmode=disable to the URL if you trust the network in between",
        "check for a proxy between here and Supabase; PGSSLMODE=disable connects without encryption",
    ),
    r"certificate": (
        "its certificate cannot be verified",
        "set PGSSLROOTCERT to the server's root certificate",
        f"set PGSSLROOTCERT to the root certificate that is {_DASHBOARD}, SSL Configuration",
    ),
    r"permission denied to set role": (
        "its temporary login role may not become postgres",
        "connect as another user",
        "give the database password: export SUPABASE_DB_PASSWORD=…",
    ),
    r"is (starting up|shutting down|in recovery)": (
        "it is not ready",
        "wait a moment, then run the same command again",
        "wait a moment, then run the same command again",
    ),
}


class CredentialsError(TargetError):
    """The database answers and refuses the password."""

    code = "target.credentials"


class UnreachableError(TargetError):
    """No connection to the target came about, or it broke."""

    code = "target.unreachable"


def _password_places(target: Target) -> str:
    """Where the password of a URL comes from."""
    if target.password_variable:
        return f"{target.password_variable}, which password_env in pyproject.toml names"
    return (
        "in the URL, PGPASSWORD or SUPABASE_DB_PASSWORD; for several targets a line for each in ~/.pgpass, or"
        ' password_env = "NAME_PASSWORD" under [tool.promthctl.targets.NAME]'
    )


def unreachable(target: Target, message: str) -> TargetError:
    """The error for a connection that failed. message: libpq's or the Supabase CLI's."""
    lines = [line.strip() for line in redact(message).splitlines() if line.strip()] or ["no answer"]
    # The other lines are advice, or another address of the same host.
    said = next((line for line in lines if "FATAL" in line), lines[0]).removeprefix("connection failed: ")
    said = _CLI_PREFIX.sub("", said)
    what = f"Cannot connect to {target.label}"
    if target.local:
        return UnreachableError(what, said, "promthctl local up")
    for pattern, (meaning, *hints) in _KNOWN.items():
        if re.search(pattern, message, re.IGNORECASE):
            return UnreachableError(what, f"{meaning} ({said})", hints[target.ref is not None])
    if _CREDENTIALS.search(message):
        if target.ref is None:
            hint = f"check the user and the password ({_password_places(target)})"
        else:
            hint = f"check {target.password_variable or 'SUPABASE_DB_PASSWORD'}, or reset the password {_DASHBOARD}"
        return CredentialsError(what, said, hint)
    if "does not exist" in message:
        return UnreachableError(what, said, "correct the database or the user in the URL, or create it there")
    host = urlsplit(target.url).hostname or ""
    if _NETWORK.search(message) and (direct := _DIRECT.fullmatch(host)):
        why = f"{host} has no IPv4 address, and this network cannot reach its IPv6 address ({said})"
        return UnreachableError(
            what, why, f"promthctl … --project-ref {direct[1]} goes through the pooler, which has one"
        )
    if _NETWORK.search(message) and _has_only_ipv6(host):
        why = f"{host} has an IPv6 address only, which this network does not reach ({said})"
        return UnreachableError(
            what, why, "use a network with IPv6, or a host with an IPv4 address, such as a pooler's"
        )
    return UnreachableError(what, said, "check the host, the port and the network, then run the same command again")


def lost(target: Target, message: str) -> TargetError:
    """The error for a connection that was there and broke. message: libpq's."""
    lines = [line.strip() for line in redact(message).splitlines() if line.strip()] or ["no answer"]
    hint = "promthctl local up" if target.local else "check the network, then run the same command again"
    return UnreachableError(f"The connection to {target.label} was lost", lines[0], hint)


def _has_only_ipv6(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return {family for family, *_ in found} == {socket.AF_INET6}
