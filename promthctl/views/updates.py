"""promthctl self check-update"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.doctor.updates import UpdateCheck


def checked(result: UpdateCheck) -> Iterator[RenderableType]:
    yield f"Asked {escape(result.index)} ({escape(result.named_by)}): the newest release is {escape(result.newest)}."
    if result.command is None:
        yield f"promthctl {escape(result.installed)} is as new."
    else:
        yield f"promthctl {escape(result.installed)} is here; to have the newer one:"
        yield f"  {escape(result.command)}"
