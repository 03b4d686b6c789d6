"""The catalog after each of several migrations: the first one whole, then only what each migration changed.

The Supabase CLI applies all files in one run. A trigger on its history table reads the catalog each time the CLI
records a version, in the migration's own transaction, and records what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.schema import KINDS, SPELLING, Attributes, Catalog, catalog_query

if TYPE_CHECKING:
    import psycopg

BEFORE = ""  # the version under which the state before the first migration is recorded
# The history table is as the CLI makes it: CREATE_VERSION_TABLE in pkg/migration/history.go. Its schema is one that
# reading the catalog leaves out. The view's names are bound before a migration can shadow them, and PL/pgSQL keeps its
# plan, which takes as long to make as to run. "always": a migration may set session_replication_role.
_RECORDER = """
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
create table supabase_migrations.promthctl_changes (
  number bigint generated always as identity, version text, kind text, identity text, attributes jsonb);
create view supabase_migrations.promthctl_seen (kind, identity, attributes) as {statement};
create function supabase_migrations.promthctl_look(version text) returns void language plpgsql {settings} as $$
begin
  insert into supabase_migrations.promthctl_changes (version, kind, identity, attributes)
  select promthctl_look.version, coalesce(seen.kind, last.kind), coalesce(seen.identity, last.identity), seen.attributes
    from supabase_migrations.promthctl_seen seen full join (
      select distinct on (kind, identity) kind, identity, attributes from supabase_migrations.promthctl_changes
       order by kind, identity, number desc) last on last.kind = seen.kind and last.identity = seen.identity
   where seen.attributes is distinct from last.attributes;
end $$;
create function supabase_migrations.promthctl_recorded() returns trigger language plpgsql as $$
begin
  perform supabase_migrations.promthctl_look(new.version);
  return new;
end $$;
create trigger promthctl_recorded after insert on supabase_migrations.schema_migrations
  for each row execute function supabase_migrations.promthctl_recorded();
alter table supabase_migrations.schema_migrations enable always trigger promthctl_recorded;
"""
STATES_FINGERPRINT = hashlib.sha256(_RECORDER.encode()).hexdigest()[
    :8
]  # states in the cache are used only if this recorded them


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


def record_states(connection: psycopg.Connection[Any]) -> None:
    """Have a fresh database record what every migration changes."""
    settings = SPELLING.replace("set local", "set").replace(";", "")
    major = connection.info.server_version // 10000
    connection.execute(_RECORDER.format(settings=settings, statement=catalog_query(major)).encode(), prepare=False)
    connection.execute("select supabase_migrations.promthctl_look(%s)", (BEFORE,))


def read_states(connection: psycopg.Connection[Any]) -> States:
    """What the database recorded since `record_states`."""
    changes: dict[str, list[CatalogChange]] = {}
    for version, *change in connection.execute(
        "select version, kind, identity, attributes from supabase_migrations.promthctl_changes order by number"
    ):
        changes.setdefault(version, []).append(CatalogChange(*change))
    major = connection.info.server_version // 10000
    return States(major, {version: tuple(listed) for version, listed in changes.items()})
