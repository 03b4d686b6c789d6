"""The messages that the local stack's Auth would have sent."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl.engines import Engine
from promthctl.engines.access import stack_access
from promthctl.engines.engine import Message
from promthctl.errors import UsageError


@dataclass(frozen=True)
class Mails:
    """messages: the newest first."""

    messages: tuple[Message, ...]


def mails(engine: Engine) -> Mails:
    """Raises TargetError when the stack was never started, UsageError on an engine that has a mailbox of its own."""
    stack_access(engine)
    return Mails(engine.mail())


def mail(engine: Engine, number: int) -> Message:
    """A message by its place, 1 for the newest. Raises UsageError where there is none."""
    messages = mails(engine).messages
    if not 1 <= number <= len(messages):
        have = f"there are {len(messages)}" if messages else "Auth has sent none yet"
        raise UsageError(f"There is no message {number}", have, "promthctl local mail")
    return messages[number - 1]
