"""How the rest of promthctl reaches the local stack: its URLs and keys, and its database as a target."""

from __future__ import annotations

from promthctl import targets
from promthctl.engines.engine import Access, Engine
from promthctl.errors import TargetError
from promthctl.targets import Target


def stack_access(engine: Engine) -> Access:
    """How to reach the stack, also while it is stopped. Raises TargetError when it was never started."""
    known = engine.access()
    if known is None:
        raise TargetError(
            "There is no local stack",
            "it was never started in this folder, or was removed with its data",
            "promthctl local up",
        )
    return known


def running_access(engine: Engine) -> Access:
    """How to reach the stack. Raises TargetError when it is not up."""
    known = stack_access(engine)
    if not engine.status().running:
        raise TargetError("The local stack is not running", "it was stopped, or it ended", "promthctl local up")
    return known


def local_target(access: Access) -> Target:
    """The stack's database."""
    return targets.from_url(access.db_url, local=True)
