"""What trying rows sets off that no rollback undoes, going by the text of the trigger functions.

Only a table's own trigger functions are read, not the functions they call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from promthctl.isolation.table_reading import read_tables
from promthctl.isolation.tables import ProbedCatalog

if TYPE_CHECKING:
    from psycopg import Connection

# What a trigger function's text says when it acts outside the transaction, or only once that is committed.
_OUTSIDE = {
    r"\bdblink": "dblink",
    r"(?<!net\.)\bhttp(?:_(?:get|post|put|patch|delete|head))?\(": "http",
    r"\bnextval\s*\(": "nextval",
    r"\bpg_logical_emit_message\b": "a logical message",
    r"\bprogram\b.*\bcopy\b|\bcopy\b.*\bprogram\b": "copy … program",
}
_UNTRUSTED = {"plpython3u", "plpythonu", "plperlu", "pltclu"}
_ON_COMMIT = {
    r"\bnet\.http_|\bsupabase_functions\.http_request\b": "pg_net",
    r"\bpg_notify\b|\bnotify\s+\w": "notify",
}


def find_side_effects(connection: Connection[Any], schemas: Sequence[str] = ("public",)) -> tuple[str, ...]:
    """What a proof would set off that no rollback undoes, to be shown beforehand. Only reads. Raises psycopg.Error."""
    return side_effects_of(read_tables(connection, schemas))


def side_effects_of(catalog: ProbedCatalog) -> tuple[str, ...]:
    """One line for each trigger that reaches beyond the transaction, on the tables that a proof writes to."""
    written = [*catalog.exposed, *([catalog.users] if catalog.users else [])]
    found = []
    for table in written:
        for trigger in table.triggers:
            where = f"trigger {trigger.name} on {table.label} ({trigger.function})"
            ways = [name for pattern, name in _OUTSIDE.items() if re.search(pattern, trigger.source, re.I | re.S)]
            if trigger.language in _UNTRUSTED:
                ways.append(trigger.language)
            if ways:
                found.append(f"{where} uses {', '.join(ways)}: what it does outside the database is not undone")
            later = [name for pattern, name in _ON_COMMIT.items()
                     if re.search(pattern, f"{trigger.function} {trigger.source}", re.I)]  # fmt: skip
            if later:
                found.append(f"{where} uses {', '.join(later)}: nothing is sent, because nothing is committed")
    return tuple(found)
