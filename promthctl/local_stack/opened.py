"""What is opened in a browser: Studio, and the links of messages."""

from __future__ import annotations

from dataclasses import dataclass, field

from promthctl import process
from promthctl.engines import Engine
from promthctl.engines.access import running_access
from promthctl.errors import UsageError
from promthctl.local_stack.mail import mail
from promthctl.settings import Settings


@dataclass(frozen=True)
class Opened:
    """url: it lets whoever opens it in. opened: whether a browser was given it."""

    url: str = field(repr=False)
    opened: bool


def studio(settings: Settings, engine: Engine, browser: bool) -> Opened:
    """Open Studio. browser: try one. Raises TargetError when the stack is not up."""
    running_access(engine)
    return _opened(settings, engine.studio(), browser)


def link(settings: Settings, engine: Engine, number: int, browser: bool) -> Opened:
    """Open the link of a message, 1 for the newest. Raises UsageError where there is none."""
    message = mail(engine, number)
    running_access(engine)  # the link leads to its API
    if message.link is None:
        why = f"the message ({message.kind}) has a code only"
        raise UsageError("There is no link to open", why, f"promthctl local mail show {number}")
    return _opened(settings, message.link, browser)


def _opened(settings: Settings, url: str, browser: bool) -> Opened:
    return Opened(url, browser and process.open_in_browser(url, settings.env))
