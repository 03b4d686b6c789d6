"""What a rehearsal has to know of its target first; of little weight, so that it is read while the rest is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from promthctl.engines.embedded import default_privileges
from promthctl.schema import Catalog, snapshot

if TYPE_CHECKING:
    import psycopg


class AsItIs(NamedTuple):
    """catalog: the target's. privileges: statements that give a new database its default privileges."""

    catalog: Catalog
    privileges: Sequence[str]


def read_as_it_is(connection: psycopg.Connection[Any]) -> AsItIs:
    """connection: in autocommit. Raises psycopg.Error."""
    return AsItIs(snapshot(connection), default_privileges.of_target(connection) or ())
