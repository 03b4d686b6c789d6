"""A temporary database role of a hosted project: the way in without the database's password.

The Management API gives the role cli_login_postgres a new password that holds for some minutes, as the Supabase CLI
asks it to.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from urllib.parse import quote, urlsplit

from promthctl import database
from promthctl.database.connection_errors import CredentialsError
from promthctl.hosted import management
from promthctl.redact import remember
from promthctl.settings import Settings
from promthctl.targets import Target

# Between attempts, in seconds, until the pooler has learnt a new password; more attempts would have it ban us.
_PAUSES = (2.0, 4.0, 8.0, 12.0)


class TemporaryRole:
    """A role of a project's database whose password the Management API sets; the password is valid for some minutes.

    target: connects as that role. Raises TargetError when the API refuses, or the role cannot connect.
    """

    def __init__(self, target: Target, ref: str, settings: Settings) -> None:
        self._ref = ref
        self._settings = settings
        self._lock = threading.Lock()
        role = self._renew()
        self.target = replace(target, url=_as_role(target.url, role, ref), temporary=self._valid_password)
        self._wait_for_pooler()

    def _valid_password(self) -> str:
        with self._lock:
            if time.monotonic() > self._half_life:
                self._renew()
                self._wait_for_pooler()
            return self._password

    def _renew(self) -> str:
        token = management.access_token(self._settings)
        answer = management.post_json(self._settings, token, self._ref, "/cli/login-role", {"read_only": False})
        try:
            role, password, seconds = str(answer["role"]), str(answer["password"]), float(answer["ttl_seconds"])
        except (KeyError, TypeError, ValueError):
            raise management.unexpected_answer(self._settings) from None
        remember(password)
        self._password, self._half_life = password, time.monotonic() + seconds / 2
        return role

    def _wait_for_pooler(self) -> None:
        """Connect, and try again while the pooler still has the role's last password."""
        target = replace(self.target, password=self._password, temporary=None)
        for pause in (*_PAUSES, None):
            try:
                with database.connect(target):
                    return
            except CredentialsError:
                if pause is None:
                    raise
                time.sleep(pause)


def _as_role(url: str, role: str, ref: str) -> str:
    """The URL with another role. The pooler knows a project by the end of the user's name."""
    parts = urlsplit(url)
    user = f"{role}.{ref}" if (parts.username or "").endswith(f".{ref}") else role
    return parts._replace(netloc=f"{quote(user)}@{parts.netloc.rpartition('@')[2]}").geturl()
