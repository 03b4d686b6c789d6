"""`promthctl verify`: is the schema what the migrations make, and is everyone's data their own?

The Supabase CLI's advisors need a second to start, so they run beside our own checks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promthctl import database, shadow, supabase_cli
from promthctl.database.connection_errors import unreachable
from promthctl.errors import PromthctlError, UsageError
from promthctl.isolation import IsolationReport, SideEffect, find_side_effects, prove_isolation
from promthctl.migration_set import supabase_folder
from promthctl.mr_promth.lifecycle import LifecycleResult, check_lifecycles
from promthctl.mr_promth.public import PUBLIC_FLAGS
from promthctl.redact import redact
from promthctl.schema import Catalog, Difference, compare, snapshot
from promthctl.settings import Settings
from promthctl.steps import Silent, Steps
from promthctl.targets import Target
from promthctl.verify.advice import Advice, advise

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class VerifyResult:
    """What was found. With `only`, isolation and the fields after it were not checked: None and empty.

    lifecycles: those for which the database has the tables.

    ok: nothing was found, apart from advice of level info, and everything was proven. migrations: how many the schema
    was compared with. advisors: what the Supabase CLI's advisors found, one line each; None where they could not run,
    and then `unasked` says why. untried: why the isolation, and what comes after it, could not be tried although it
    was wanted; empty where it was tried.
    """

    target: str
    ok: bool
    migrations: int
    differences: tuple[Difference, ...]
    isolation: IsolationReport | None = None
    lifecycles: tuple[LifecycleResult, ...] = ()
    advice: tuple[Advice, ...] = ()
    advisors: tuple[str, ...] | None = None
    unasked: str = ""
    untried: str = ""
    catalog: Catalog | None = field(default=None, repr=False)


def side_effects(target: Target) -> tuple[SideEffect, ...]:
    """What trying rows on the target would set off that no rollback undoes. Raises TargetError."""
    with database.connect(target) as connection:
        return tuple(one for one in find_side_effects(connection) if not one.harmless)


def verify(
    settings: Settings, target: Target, only: Collection[str] | None, steps: Steps, agreed: bool = False
) -> VerifyResult:
    """Run the checks; the target is left as it was.

    only: kinds of objects to compare, e.g. tables, rls, indexes; None for every check.
    agreed: also make rows that set off what no rollback undoes; on the local stack that needs no agreement.
    Raises TargetError when the target cannot be reached, and what the shadow raises for migrations that fail.
    """
    import psycopg

    try:
        return _verify(settings, target, only, steps, agreed or target.local)
    except psycopg.OperationalError as error:
        raise unreachable(target, str(error)) from None
    except psycopg.Error as error:
        why = redact(str(error)).strip().splitlines()[0]
        hint = "use the role `postgres`, which owns what migrations make: --db-url postgresql://postgres@HOST:5432/postgres"
        raise PromthctlError(f"{target.label} could not be verified", why, hint) from None


def _verify(
    settings: Settings, target: Target, only: Collection[str] | None, steps: Steps, agreed: bool
) -> VerifyResult:
    migrations = supabase_folder.expected_migrations(
        settings, supabase_folder.plan_project_sync(settings, (), force=True)
    )
    with database.connect(target) as connection, ThreadPoolExecutor(1) as beside:
        advisors = beside.submit(_advisors, settings, target, Silent()) if only is None else None
        privileges = shadow.default_privileges_of(connection)
        major = connection.info.server_version // 10000
        expected = shadow.catalog_after_all(settings, migrations, steps, major, privileges)
        with steps.step("Comparing the schema"):
            actual = snapshot(connection)
            differences = compare(expected, actual, only)
        if advisors is None:
            return VerifyResult(target.label, not differences, len(migrations), differences, catalog=actual)
        with steps.step("Trying to reach other users' rows"):
            _keep_attempts_out_of_the_log(connection)
            try:
                isolation = prove_isolation(connection, settings.declared, PUBLIC_FLAGS, spare=not agreed)
                tried = check_lifecycles(connection, spare=not agreed)
                lifecycles = tuple(one for one in tried if one.state != "skipped")  # not applicable is not passed
                untried = ""
            except UsageError:  # of pyproject.toml
                raise
            except PromthctlError as error:  # what was compared by now is kept
                isolation, lifecycles, untried = None, (), f"{error.what}: {error.why}; {error.hint}"
            advice = advise(connection)
        lines, unasked = advisors.result()
    return VerifyResult(
        target=target.label,
        ok=(
            not (differences or lines or any(one.level != "info" for one in advice))
            and isolation is not None
            and isolation.ok
            and all(one.ok for one in lifecycles)
        ),
        migrations=len(migrations),
        differences=differences,
        isolation=isolation,
        lifecycles=lifecycles,
        advice=advice,
        advisors=lines,
        unasked=unasked,
        untried=untried,
        catalog=actual,
    )


def _keep_attempts_out_of_the_log(connection: psycopg.Connection[Any]) -> None:
    """Hundreds of attempts are meant to be denied: the server's log tells of none, where the role may decide that."""
    import psycopg

    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute("set log_min_messages = fatal")


def _advisors(settings: Settings, target: Target, steps: Steps) -> tuple[tuple[str, ...] | None, str]:
    """The CLI's findings; or None, and why it could not be asked."""
    try:
        return supabase_cli.find_database_cli(settings, steps).advisors(target), ""
    except PromthctlError as error:
        return None, error.why.splitlines()[0]
