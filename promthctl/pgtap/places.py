"""Where tests run: on a copy of the local stack's database, on one that the migrations make, or on a target itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database, engines, seeds, shadow, toolchain
from promthctl.engines.embedded import default_privileges
from promthctl.engines.embedded.running_copy import running_copy
from promthctl.errors import PrerequisiteError
from promthctl.migration_set import supabase_folder
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

_PGTAP = "create extension if not exists pgtap with schema extensions"  # as `supabase test db`
_MAJOR = 17  # unless the project says otherwise


@dataclass(frozen=True)
class TestPlace:
    """guarded: nothing may stay in it. pgtap: what makes the extension in each transaction, empty if it is there."""

    __test__ = False

    target: Target
    guarded: bool = False
    pgtap: str = ""


@contextlib.contextmanager
def copied_stack(settings: Settings, local: Target, steps: Steps) -> Iterator[TestPlace]:
    """A copy of the running stack's database; on Docker that database itself, guarded.

    local: the stack's. Raises what copying raises, and PrerequisiteError where there is no pgTAP.
    """
    with contextlib.ExitStack() as held:
        copy = None
        if engines.current(settings).name == "embedded":
            with steps.step("Copying the local stack's database"):
                folder = toolchain.cache_root(settings) / shadow.FOLDER
                folder.mkdir(mode=0o755, parents=True, exist_ok=True)
                work = held.enter_context(shadow.work_folder(folder))
                copy = held.enter_context(running_copy(settings, work))
        if copy is None:
            yield guarded_target(local)
            return
        with database.connect(copy.target) as connection:
            connection.execute(_PGTAP)
        yield TestPlace(copy.target)


@contextlib.contextmanager
def from_migrations(settings: Settings, seeding: bool, steps: Steps) -> Iterator[TestPlace]:
    """A throw-away database with the migrations and, with `seeding`, the seeds; made once for each content.

    Raises PromthctlError naming file and statement for one that fails, and what the shadow raises.
    """
    plan = supabase_folder.plan_project_sync(settings, (), history=())
    if refusal := plan.refusal:
        raise refusal
    files = supabase_folder.expected_migrations(settings, plan)
    found = seeds.find_seeds(settings).files if seeding else ()
    key = (_PGTAP, *(f"{file.name} {file.sha256()}" for file in found))

    def build(_: psycopg.Connection[Any], own: psycopg.Connection[Any]) -> str:
        own.execute(_PGTAP.encode())
        if found:
            info = own.info
            url = f"postgresql://postgres@127.0.0.1:{info.port}/postgres"
            made = Target("a throw-away database", url, info.password, local=True)
            seeds.run_seeds(settings, made, steps, "promthctl test")
        return ""

    with contextlib.ExitStack() as held:
        with steps.step("Making a database from the migrations"):
            privileges = default_privileges.of_settings(settings)
            kept = held.enter_context(shadow.kept_database(settings, files, _MAJOR, privileges, key, build, steps))
        yield TestPlace(kept.target)


def guarded_target(target: Target) -> TestPlace:
    """A database that is tested itself. Raises PrerequisiteError where it has no pgTAP, TargetError out of reach."""
    with database.connect(target) as connection:
        found = connection.execute(
            "select exists (select from pg_extension where extname = 'pgtap'),"
            " exists (select from pg_available_extensions where name = 'pgtap'), to_regnamespace('extensions') is null"
        ).fetchone()
    made, available, plain = found or (False, False, False)
    if not made and not available:
        raise PrerequisiteError(
            f"{target.label} cannot be tested",
            "its server has no pgTAP",
            "promthctl test --from-migrations, which tests what the migrations make; or install the server's package "
            f"for pgTAP (Debian: postgresql-NN-pgtap), then promthctl test{command_line_options(target)}",
        )
    statement = _PGTAP.removesuffix(" with schema extensions") if plain else _PGTAP
    return TestPlace(target, guarded=True, pgtap="" if made else statement)
