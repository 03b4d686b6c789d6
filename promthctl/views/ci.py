"""promthctl ci --write"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.setting_up.ci_files import CiWritten

_SAYS = {"written": "Written", "replaced": "Written in place of another file", "unchanged": "Already there"}


def written(result: CiWritten) -> Iterator[RenderableType]:
    yield f"{_SAYS[result.state]}: {escape(str(result.file))}"
    yield from (f"Next: {escape(one)}" for one in result.next)
