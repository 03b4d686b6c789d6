"""promthctl types"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.views.common import BAD, OK

if TYPE_CHECKING:
    from promthctl.typegen.generating import TypesResult


def types(result: TypesResult) -> Iterator[str]:
    file, database = escape(result.file or ""), escape(result.database)
    if result.written:
        yield f"Written: {file}"
    elif result.changed:
        yield f"{BAD} {file} is not what {database} has now"
    else:
        yield f"{OK} {file} is what {database} has"
