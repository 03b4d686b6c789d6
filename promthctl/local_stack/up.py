"""Bringing the stack up, with the project's migrations applied."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

from promthctl import database, push, seeds, shadow, supabase_cli
from promthctl.engines import Access, Engine, Filling
from promthctl.engines.access import local_target
from promthctl.engines.app_secret import make_app_secret
from promthctl.local_stack.filling import Filler
from promthctl.locks import alone
from promthctl.migration_set import Migration, SyncPlan, supabase_folder
from promthctl.migration_set.source import find_source
from promthctl.push import PushResult
from promthctl.seeds import SeedResult
from promthctl.settings import Settings
from promthctl.steps import Steps

# Tables and views that neither clients nor a server can use through the API; those of an extension are its own.
# Closed by the default privileges, which leave an API role TRUNCATE: a table without an entry of theirs was revoked.
_WITHOUT_GRANTS = """
select c.relname from pg_class c
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
   and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
   and not exists (select from unnest(array['anon', 'authenticated', 'service_role']) role
                    where has_any_column_privilege(role, c.oid, 'select, insert, update')
                       or has_table_privilege(role, c.oid, 'delete'))
   and (c.relacl is null
        or exists (select from aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
                    where r.rolname in ('anon', 'authenticated', 'service_role')))
 order by 1"""


# Whether public has Mr.Promth's table of keys, and whether there is a key in it.
_KEYS_TABLE = """
select exists (select from pg_attribute
                where attrelid = to_regclass('public.api_keys') and attname = 'encrypted_key' and not attisdropped)"""
_ANY_KEY = "select exists (select from public.api_keys)"


@dataclass(frozen=True)
class UpResult:
    """started: False when everything ran already. applied: the names of the files applied now. total: of all files.

    source, source_kind: the folder of the migrations and where it comes from, see migration_set.source.
    seeds: what was run of them, None if nothing had to be. unseeded: those that were not run on this database.
    unreachable: the tables and views of public that no role of the API may read or write; None when nothing was
    started or applied, so that nobody looked. removed: copies in supabase/migrations whose source is gone. copied: how
    many of `applied` came with the copy of a database that had the same ones. without_keys: the project has a table for
    API keys, none is stored, and none is configured to be. declared: there are schema files, for migrations.
    """

    engine: str
    why: str
    started: bool
    api_url: str
    studio_url: str | None
    access: Access = field(repr=False)
    synced: tuple[str, ...]
    foreign: tuple[str, ...]
    applied: tuple[str, ...]
    total: int
    source: str
    source_kind: str
    seeds: SeedResult | None = None
    unseeded: tuple[str, ...] = ()
    unreachable: tuple[str, ...] | None = None
    removed: tuple[str, ...] = ()
    copied: int = 0
    without_keys: bool = False
    declared: bool = False


def up(settings: Settings, engine: Engine, why: str, steps: Steps, *, seeding: bool = True) -> UpResult:
    """Bring the stack up, sync the migrations, apply what is pending. Changes nothing when all that is done.

    On a new database supabase/roles.sql is run before the migrations, and the seeds after them if `seeding`.
    """
    supabase_cli.check_consent(settings)
    supabase_folder.check_enabled(settings)
    source = find_source(settings)
    supabase_folder.source_migrations(settings)  # a folder that cannot be used is reported before anything starts
    seeds.find_seeds(settings)  # and so are sql_paths
    outcome: list[tuple[SyncPlan, PushResult, seeds.Start, SeedResult | None]] = []
    copied: list[str] = []
    filler = Filler(settings, steps)

    def migrate(filling: Filling) -> None:
        target = local_target(filling.access)
        versions = tuple(database.fetch_history(target)) if filling.applied is None else filling.applied
        known = () if filling.copied else versions  # on a new database an edited file may replace its copy
        plan = supabase_folder.sync_project(settings, known, steps.note, history=known)
        start = seeds.before_migrations(
            settings,
            target,
            steps,
            roles_ran=engine.runs_roles,
            seeding=seeding,
            copied=filling.copied > 0,
        )
        apply = functools.partial(filler.apply, target, filling)
        pushed = push.apply_to_local_stack(settings, target, versions, steps, apply)
        copied.extend(filler.copied(filling))
        seeded = seeds.after_migrations(settings, target, start, steps, migrated=bool(pushed.applied or copied))
        outcome.append((plan, pushed, start, seeded))

    shadow.remove_leftovers(settings)
    with alone(settings, steps):
        make_app_secret(settings)  # before the stack is on record: `local env` need not wait for this `up` then
        access, started = engine.up(migrate, steps, filler.content)
        plan, pushed, start, seeded = outcome[0]
        unreachable = _tables_without_grants(access) if started or pushed.applied else None
        without_keys = bool(started or pushed.applied) and _keys_wanted(access) and not _keys_configured(settings)
    return UpResult(
        engine=engine.name,
        why=why,
        started=started,
        api_url=access.api_url,
        studio_url=access.studio_url,
        access=access,
        synced=tuple(sorted(file.filename for file in _copied(plan))),
        foreign=plan.foreign,
        applied=(*copied, *pushed.applied),
        total=pushed.total,
        source=str(source.folder),
        source_kind=source.kind,
        seeds=seeded,
        unseeded=tuple(file.name for file in start.waiting) if seeding and seeded is None else (),
        unreachable=unreachable,
        removed=plan.removed,
        copied=len(copied),
        without_keys=without_keys,
        declared=(settings.supabase_dir / "schemas").is_dir(),
    )


def _tables_without_grants(access: Access) -> tuple[str, ...]:
    with database.connect(local_target(access)) as connection:
        return tuple(str(name) for (name,) in connection.execute(_WITHOUT_GRANTS))


def _keys_wanted(access: Access) -> bool:
    with database.connect(local_target(access)) as connection:
        [(there,)] = connection.execute(_KEYS_TABLE).fetchall()
        return bool(there) and not connection.execute(_ANY_KEY).fetchall()[0][0]


def _keys_configured(settings: Settings) -> bool:
    """Whether `seed vanchin` would find keys: see promthctl.keys.sources."""
    return any(
        value.strip() and (name == "VANCHIN_KEYS_FILE" or name.startswith("VANCHIN_API_KEY"))
        for name, value in settings.env.items()
    )


def _copied(plan: SyncPlan) -> Iterator[Migration]:
    yield from plan.added
    yield from (difference.migration for difference in plan.overwritten)
    yield from (rename.migration for rename in plan.renamed)
