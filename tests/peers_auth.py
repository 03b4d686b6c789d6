"""auth-py's own suite against the embedded engine's Auth: one of tests/peers.py.

It asks servers of four configurations on one database, at fixed ports and with tokens of its own secret and keys.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from promthctl import settings, toolchain
from promthctl.steps import Silent
from tests import peers
from tests.rest_server import rest_server
from tests.servers import bare_server, fresh_database

SECRET = "37c304f8-51aa-419a-a1af-06154e63707a"  # the suite's, public
PHONES = {"enable_signup": True, "enable_confirmations": False}
MFA = {"totp": {"enroll_enabled": True, "verify_enabled": True}}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "SIGNUP_ENABLED_AUTO_CONFIRM_OFF_PORT": {"email": {"enable_confirmations": True}, "sms": PHONES},
    "SIGNUP_ENABLED_AUTO_CONFIRM_ON_PORT": {"sms": PHONES, "mfa": MFA},
    "SIGNUP_DISABLED_AUTO_CONFIRM_OFF_PORT": {"enable_signup": False, "email": {"enable_signup": False}},
    "SIGNUP_ENABLED_ASYMMETRIC_AUTO_CONFIRM_ON_PORT": {"sms": PHONES},
}
PIP = (
    "httpx[http2]>=0.26,<0.29",
    "pydantic<3",
    "pyjwt[crypto]",
    "pytest",
    "pytest-asyncio",
    "pytest-mock",
    "faker",
    "pyotp",
    "respx",
)


def run(package: Path, work: Path) -> list[peers.Outcome]:
    python, copy = peers.py_home("auth-py", package, PIP)
    project = work / "auth"
    project.mkdir()
    tools = toolchain.ensure(settings.load(Path()), Silent())
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(stack.enter_context(bare_server(project, tools))))
        for port, auth in CONFIGURATIONS.items():
            config = {"site_url": "http://localhost:9999", "enable_anonymous_sign_ins": True, **auth}
            keys = signing_keys(package) if "ASYMMETRIC" in port else None
            server = stack.enter_context(rest_server(url, tools, auth=config, secret=SECRET, signing_keys=keys))
            address = stack.enter_context(peers.door(f"http://127.0.0.1:{server.port}", server.anon_key))
            peers.replace(copy / "tests", "clients.py", re.escape(f"http://localhost:{{{port}}}"), f"{address}/auth/v1")
        return peers.run_pytest(python, copy, work, "tests/_sync", "tests/test_helpers.py")


def signing_keys(package: Path) -> list[dict[str, Any]]:
    """The keys that the suite's server signs with, public."""
    compose = (package / "infra" / "docker-compose.yml").read_text(encoding="utf-8")
    sets = [json.loads(found) for found in re.findall(r"GOTRUE_JWT_KEYS: '(.*)'", compose)]
    return [key for keys in sets for key in keys if key["kty"] == "RSA" and "sign" in key["key_ops"]][:1]
