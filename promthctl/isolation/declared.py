"""What pyproject.toml declares, held against the database: is a condition one expression, and is it needed?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from promthctl.declarations import Declaration, Declarations
from promthctl.errors import UsageError
from promthctl.sql.expressions import called_functions

if TYPE_CHECKING:
    from psycopg import Connection


def check_conditions(connection: Connection[Any], declared: Declarations) -> None:
    """Raises UsageError for a condition that is more than one, or that may change something when it is read."""
    for table, condition in declared.conditions.items():
        if why := why_unusable(connection, condition):
            raise UsageError(
                f"pyproject.toml has a wrong setting: public.{table}",
                why,
                f"give {table} in [tool.promthctl.public] a condition on its columns, such as is_public",
            )


def why_unusable(connection: Connection[Any], condition: str) -> str | None:
    """Why it cannot be the condition of public rows; None where it can."""
    called = called_functions(condition)
    if called is None:
        return "it is not exactly one SQL expression"
    volatile = connection.execute(
        "select proname::text from pg_proc where proname = any(%s) and provolatile = 'v' order by 1 limit 1",
        (sorted(called),),
    ).fetchone()
    return f"it calls {volatile[0]}, which may change something" if volatile else None


def unneeded(declared: Declarations, needed: Collection[Declaration]) -> Iterator[Declaration]:
    """What is declared and was not needed: without it nothing would have been found. needed: what was."""
    yield from (one for one in declared.all if one not in needed)
