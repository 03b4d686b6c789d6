"""The catalog after each of several migrations: the first one whole, then only what each migration changed.

The Supabase CLI applies all files in one run, and the database records what changes meanwhile (recording.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.schema import KINDS, Attributes, Catalog
from promthctl.shadow.recording import recording_script

if TYPE_CHECKING:
    import psycopg

BEFORE = ""  # the version under which the state before the first migration is recorded


@dataclass(frozen=True)
class CatalogChange:
    """An object of the catalog that a migration made, changed or dropped; attributes: None for dropped."""

    kind: str
    name: str
    attributes: Attributes | None


@dataclass(frozen=True)
class States:
    """major: the server's version. changes: by version; those of BEFORE make the catalog of a fresh Supabase."""

    major: int
    changes: Mapping[str, tuple[CatalogChange, ...]]

    def of(self, version: str) -> tuple[CatalogChange, ...]:
        """What this migration changed; nothing if it only touched rows."""
        return self.changes.get(version, ())

    def after(self, versions: Sequence[str]) -> Catalog:
        """The catalog after these first migrations, in their order."""
        kinds: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        for version in (BEFORE, *versions):
            for change in self.of(version):
                if change.attributes is None:
                    kinds[change.kind].pop(change.name, None)
                else:
                    kinds[change.kind][change.name] = change.attributes
        return Catalog(self.major, kinds)

    def to_json(self) -> str:
        return json.dumps(
            {
                "major": self.major,
                "changes": {
                    version: [(change.kind, change.name, change.attributes) for change in changes]
                    for version, changes in self.changes.items()
                },
            }
        )

    @classmethod
    def from_json(cls, text: str) -> States:
        """Raises ValueError, KeyError or TypeError for what to_json did not write."""
        data = json.loads(text)
        changes = {
            version: tuple(CatalogChange(*change) for change in listed) for version, listed in data["changes"].items()
        }
        return cls(int(data["major"]), changes)


class MissedChangeError(Exception):
    """A change of the catalog was found later than it was made."""


def record_states(connection: psycopg.Connection[Any], thorough: bool = False) -> None:
    """Have a fresh database record what every migration changes. thorough: by reading the whole catalog each time."""
    catalogs = connection.execute(
        "select oid::int, relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r'"
    ).fetchall()
    script = recording_script(connection.info.server_version // 10000, catalogs, thorough)
    connection.execute(script.encode(), prepare=False)
    connection.execute("select supabase_migrations.promthctl_look(%s, false)", (BEFORE,))


def read_states(connection: psycopg.Connection[Any]) -> States:
    """What the database recorded since `record_states`.

    Raises MissedChangeError when it is not what the catalog shows; it is where the record was thorough.
    """
    connection.execute("select supabase_migrations.promthctl_look(null, true)")
    if connection.execute("select look from supabase_migrations.promthctl_looks where missed").fetchone():
        raise MissedChangeError
    changes: dict[str, list[CatalogChange]] = {}
    for version, *change in connection.execute(
        "select version, kind, identity, attributes from supabase_migrations.promthctl_changes order by number"
    ):
        changes.setdefault(version, []).append(CatalogChange(*change))
    major = connection.info.server_version // 10000
    return States(major, {version: tuple(listed) for version, listed in changes.items()})
