"""What a project wants that needs the user's agreement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.trust import TrustResult


def trusted(result: TrustResult) -> Iterator[RenderableType]:
    if not result.wishes:
        yield "The project's files want nothing that needs your agreement."
    for wish in result.wishes:
        answer = "agreed" if wish.agreed else "not agreed"
        yield f"{escape(wish.place)}: {escape(wish.name)} = {escape(wish.value)}"
        yield f"  would {escape(wish.purpose)}: {answer}"
