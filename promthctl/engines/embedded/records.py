"""What the embedded engine remembers of a project, in .promthctl/ (0700, git-ignored).

    stack.json      ports, keys and passwords: written once, kept over down and up   (0600)
    processes.json  the ids of what runs: rewritten at every start                    (0600)

Either may be lost, corrupted or not made here: keys are made again, ports fall back to the configured ones, and
processes are found again by their command lines.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import re
import secrets
import time
from dataclasses import asdict, dataclass, field

from promthctl.engines.engine import Access
from promthctl.process import ProcessId
from promthctl.redact import remember
from promthctl.settings import SERVER_MAJORS
from promthctl.state import StateDir
from promthctl.toolchain.servers import server_name

_TEN_YEARS = 10 * 365 * 24 * 3600
_PROJECT = re.compile(r"[a-z0-9]+-[0-9a-f]{12}")  # it names folders
_SECRET = re.compile(r"[A-Za-z0-9_.-]{6,}")  # it goes into URLs and SQL
SERVICES = ("postgres", "api")
SUPERUSER = "supabase_admin"


@dataclass(frozen=True)
class EmbeddedStack:
    """A project's ports and secrets.

    project: its name in paths and command lines. data_id: what its data directories bear, see signatures.owner.
    db_password: of the role postgres.
    internal_password: of the API server's own logins. postgres: the major version; installed: of this machine's own
    PostgreSQL, not of one that promthctl brings along. exposes_new_tables: see default_privileges.
    """

    project: str
    data_id: str
    api_port: int
    db_port: int
    postgres: int
    db_password: str = field(repr=False)
    internal_password: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    anon_key: str = field(repr=False)
    service_role_key: str = field(repr=False)
    installed: bool = False
    exposes_new_tables: bool = True  # as every stack did that was made before this was recorded

    def __post_init__(self) -> None:
        for secret in (*self._secrets(), self.secret_key):
            remember(secret)

    def valid(self) -> bool:
        """False for what no promthctl wrote: a damaged record must not name a folder to remove."""
        ports = (self.api_port, self.db_port)
        return (
            _PROJECT.fullmatch(self.project) is not None
            and isinstance(self.data_id, str)
            and all(type(port) is int and 0 < port < 65536 for port in ports)
            and type(self.postgres) is int
            and self.postgres in SERVER_MAJORS
            and type(self.installed) is bool
            and type(self.exposes_new_tables) is bool
            and all(_SECRET.fullmatch(secret) for secret in self._secrets())
        )

    @property
    def server_name(self) -> str:
        """Of the PostgreSQL, as toolchain.servers gives it."""
        return server_name(self.postgres, self.installed)

    def _secrets(self) -> tuple[str, ...]:
        return (self.db_password, self.internal_password, self.jwt_secret, self.anon_key, self.service_role_key)

    @property
    def publishable_key(self) -> str:
        return f"sb_publishable_{self._derived('publishable')}"

    @property
    def secret_key(self) -> str:
        return f"sb_secret_{self._derived('secret')}"

    def _derived(self, purpose: str) -> str:
        """In the form of https://supabase.com/docs/guides/api/api-keys, from the JWT secret: records need no change."""
        made = _base64url(hmac.digest(str(self.jwt_secret).encode(), f"promthctl {purpose} key".encode(), "sha256"))
        return f"{made[:22]}_{made[22:30]}"

    def superuser_url(self) -> str:
        """Secret."""
        return f"postgresql://{SUPERUSER}:{self.internal_password}@127.0.0.1:{self.db_port}/postgres"

    def access(self) -> Access:
        return Access(
            api_url=f"http://127.0.0.1:{self.api_port}",
            db_url=f"postgresql://postgres:{self.db_password}@127.0.0.1:{self.db_port}/postgres",
            anon_key=self.anon_key,
            service_role_key=self.service_role_key,
            studio_url=f"http://127.0.0.1:{self.api_port}/",
            publishable_key=self.publishable_key,
            secret_key=self.secret_key,
        )


def new_stack(
    project: str, data_id: str, api_port: int, db_port: int, postgres: int, installed: bool, exposes_new_tables: bool
) -> EmbeddedStack:
    """Fresh keys and passwords. The keys are JWTs signed with the stack's own secret, as Supabase's are."""
    jwt_secret = secrets.token_hex(20)
    return EmbeddedStack(
        project=project,
        data_id=data_id,
        api_port=api_port,
        db_port=db_port,
        postgres=postgres,
        installed=installed,
        db_password=secrets.token_hex(12),
        internal_password=secrets.token_hex(24),
        jwt_secret=jwt_secret,
        anon_key=_api_key("anon", jwt_secret),
        service_role_key=_api_key("service_role", jwt_secret),
        exposes_new_tables=exposes_new_tables,
    )


def _api_key(role: str, secret: str) -> str:
    """An HS256 JWT {role, iss, iat, exp}: https://supabase.com/docs/guides/api/api-keys."""
    now = int(time.time())
    claims = {"iss": "promthctl", "role": role, "iat": now, "exp": now + _TEN_YEARS}
    body = ".".join(
        _base64url(json.dumps(part, separators=(",", ":")).encode())
        for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    return f"{body}.{_base64url(hmac.digest(secret.encode(), body.encode(), 'sha256'))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class EmbeddedRecords(StateDir):
    """The two files of the embedded engine."""

    def load_stack(self) -> EmbeddedStack | None:
        """The stack's record, None when there is none, it is damaged, or it was not made here."""
        with contextlib.suppress(TypeError, ValueError):
            stack = EmbeddedStack(**self.read("stack.json"))
            return stack if stack.valid() else None
        return None

    def save_stack(self, stack: EmbeddedStack) -> None:
        self.write("stack.json", asdict(stack))

    def load_process(self, service: str) -> ProcessId | None:
        """The recorded process of a service, if that very process still runs."""
        with contextlib.suppress(TypeError, ValueError, KeyError, OverflowError):
            entry = self.read("processes.json")[service]
            identity = ProcessId(int(entry["pid"]), float(entry["created"]))
            return identity if identity.alive() else None
        return None

    def save_process(self, service: str, identity: ProcessId) -> None:
        try:
            known = self.read("processes.json")
        except ValueError:
            known = {}
        self.write(
            "processes.json", {name: known[name] for name in SERVICES if name in known} | {service: asdict(identity)}
        )
