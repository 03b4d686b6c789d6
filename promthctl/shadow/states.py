"""The catalog after each of several migrations: the first one whole, then only what each migration made different.

The Supabase CLI applies all files in one run. A trigger on its history table looks at the catalog each time the CLI
records a version, in the migration's own transaction, and keeps what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.schema import KINDS, SPELLING, Attributes, Catalog, statement

if TYPE_CHECKING:
    import psycopg

BEFORE = ""  # stands for the version of what is there before the first migration
# The history table is as the CLI makes it: CREATE_VERSION_TABLE in pkg/migration/history.go. The schema is one that
# the catalog's reading leaves out. "always": a migration may set session_replication_role.
_WATCH = """
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
create table supabase_migrations.promthctl_changes (
  number bigint generated always as identity, version text, kind text, identity text, attributes jsonb);
create function supabase_migrations.promthctl_look(version text) returns void language sql {settings}
begin atomic
  insert into supabase_migrations.promthctl_changes (version, kind, identity, attributes)
  select promthctl_look.version, coalesce(seen.kind, last.kind), coalesce(seen.identity, last.identity), seen.attributes
    from ({statement}) seen (kind, identity, attributes) full join (
      select distinct on (kind, identity) kind, identity, attributes from supabase_migrations.promthctl_changes
       order by kind, identity, number desc) last on last.kind = seen.kind and last.identity = seen.identity
   where seen.attributes is distinct from last.attributes;
end;
create function supabase_migrations.promthctl_recorded() returns trigger language plpgsql as $$
begin
  perform supabase_migrations.promthctl_look(new.version);
  return new;
end $$;
create trigger promthctl_recorded after insert on supabase_migrations.schema_migrations
  for each row execute function supabase_migrations.promthctl_recorded();
alter table supabase_migrations.schema_migrations enable always trigger promthctl_recorded;
"""
FINGERPRINT = hashlib.sha256(_WATCH.encode()).hexdigest()[:8]  # of what kept states were read with


@dataclass(frozen=True)
class Change:
    """An object of the catalog that a migration made, changed or dropped (attributes: None)."""

    kind: str
    name: str
    attributes: Attributes | None


@dataclass(frozen=True)
class States:
    """major: the server's version. changes: by version; those of BEFORE make the catalog of a fresh Supabase."""

    major: int
    changes: Mapping[str, tuple[Change, ...]]

    def of(self, version: str) -> tuple[Change, ...]:
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
        changes = {version: tuple(Change(*change) for change in listed) for version, listed in data["changes"].items()}
        return cls(int(data["major"]), changes)


def watch(connection: psycopg.Connection[Any]) -> None:
    """Have a fresh database keep what every migration changes."""
    settings = SPELLING.replace("set local", "set").replace(";", "")
    major = connection.info.server_version // 10000
    connection.execute(_WATCH.format(settings=settings, statement=statement(major)).encode(), prepare=False)
    connection.execute("select supabase_migrations.promthctl_look(%s)", (BEFORE,))


def read(connection: psycopg.Connection[Any]) -> States:
    """What a watched database kept."""
    changes: dict[str, list[Change]] = {}
    for version, *change in connection.execute(
        "select version, kind, identity, attributes from supabase_migrations.promthctl_changes order by number"
    ):
        changes.setdefault(version, []).append(Change(*change))
    major = connection.info.server_version // 10000
    return States(major, {version: tuple(listed) for version, listed in changes.items()})
