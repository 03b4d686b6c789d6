"""ENCRYPTION_SECRET of an app on the local stack: that of the environment or .env, otherwise one made for this stack.

Kept in .promthctl/app.json (0600, signed); it is used for the local stack alone.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace

from promthctl.redact import remember
from promthctl.settings import Settings
from promthctl.state import StateDir

NAME = "ENCRYPTION_SECRET"
RECORD = "app.json"


def app_secret(settings: Settings) -> str | None:
    """The secret; None where none is set and none was made yet."""
    if settings.env.get(NAME, "").strip():
        return settings.env[NAME]
    with contextlib.suppress(ValueError, KeyError):
        secret = str(StateDir(settings.state_dir).read(RECORD)["secret"])
        remember(secret)
        return secret
    return None


def make_app_secret(settings: Settings) -> str:
    """The secret, made if there is none. The state's folder is there."""
    secret = app_secret(settings)
    if secret is None:
        secret = secrets.token_hex(16)
        remember(secret)
        StateDir(settings.state_dir).write(RECORD, {"secret": secret})
    return secret


def with_app_secret(settings: Settings) -> Settings:
    """The settings of a command on the local stack."""
    secret = app_secret(settings)
    return settings if secret is None else replace(settings, env={**settings.env, NAME: secret})
