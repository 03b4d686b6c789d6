"""promthctl diff"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import BAD, OK, differing, unread

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.drafting.differences import SchemaDiff


def highlighted(found: SchemaDiff) -> Iterator[RenderableType]:
    from rich.syntax import Syntax

    yield Syntax(found.sql, "sql", background_color="default", word_wrap=True)


def diff(found: SchemaDiff) -> Iterator[RenderableType]:
    """What is to be said beside the SQL."""
    if not found.differs:
        yield f"{OK} {escape(found.target)} has the schema that its migrations make"
    elif not (found.left or found.unread):
        yield f"{OK} Tried in a throw-away database: with this SQL the comparison finds no difference"
    else:
        number = count(len(found.left) + len(found.unread), "difference")
        yield f"{BAD} Tried in a throw-away database: this SQL leaves {number}"
    for one in found.left:
        yield from differing(one)
    yield from unread(found.unread)
    if found.unmanaged:
        kinds = escape(", ".join(found.unmanaged))
        yield f"Left out by the Supabase CLI's diff engine, and known by name alone: {kinds}"
    if found.pending:
        yield f"Not counted, for they are not applied: {escape(', '.join(found.pending))}"
