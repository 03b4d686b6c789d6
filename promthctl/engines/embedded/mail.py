"""The messages that the embedded engine's Auth would send: written by auth/mail.mjs, one JSON object a line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from promthctl import process
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.records import EmbeddedStack
from promthctl.engines.engine import Message
from promthctl.settings import Settings

MAIL_FILE = "mail.jsonl"
_FIELDS = ("sent_at", "to", "type", "subject", "code")
_KINDS = ("signup", "invite", "recovery", "magiclink", "email_change", "reauthentication")


def mail_file(settings: Settings, stack: EmbeddedStack) -> Path:
    """Beside the databases (0600), where the server's user may write."""
    return system_user.data_home(settings, stack.project) / MAIL_FILE


def messages(settings: Settings, stack: EmbeddedStack) -> tuple[Message, ...]:
    """The newest first. Lines that Auth did not write are passed over."""
    try:
        lines = process.read_regular(mail_file(settings, stack)).decode(errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            link = entry.get("link")
            sent_at, to, kind, subject, code = texts = [entry[name] for name in _FIELDS]
            if all(isinstance(text, str) for text in texts) and kind in _KINDS:
                found.append(Message(sent_at, to, kind, subject, code, link if isinstance(link, str) else None))
    return tuple(reversed(found))
