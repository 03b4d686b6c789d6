"""`promthctl verify`: is the schema what the migrations make, and is everyone's data their own?

The Supabase CLI's advisors need a second to start, so they run beside our own checks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from promthctl import database, shadow, supabase_cli
from promthctl.database.lock_waits import LockWatch, ending_waits
from promthctl.database.transactions import database_failure
from promthctl.errors import PromthctlError, UsageError
from promthctl.isolation import Finding, IsolationReport, Severity, SideEffect, find_side_effects, prove_isolation
from promthctl.migration_set import supabase_folder
from promthctl.mr_promth.lifecycle import LifecycleResult, check_lifecycles
from promthctl.mr_promth.public import PUBLIC_FLAGS, is_the_app
from promthctl.schema import Catalog, Difference, compare, selected_kinds, snapshot
from promthctl.settings import Settings
from promthctl.steps import Silent, Steps
from promthctl.targets import Target
from promthctl.verify.accepted import Accepted, no_longer_found, read_accepted
from promthctl.verify.advice import Advice, advise
from promthctl.verify.judging import DEFAULT_FAIL_ON, fails, findings_of, verdict_of

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class VerifyResult:
    """What was found. With `only`, isolation and the fields after it were not checked: None and empty.

    ok: nothing was found that fails this run, whose mildest failing severity is `fail_on`. verdict: one line on the
    whole. migrations: how many the schema was compared with. lifecycles: those for which the database has the tables.
    advisors: what the Supabase CLI's advisors found, one line each; None where they could not run, and then `unasked`
    says why. untried: why the isolation, and what comes after it, could not be tried although it was wanted; empty
    where it was tried. findings: all of it in one shape, the worst first, without what is accepted. accepted: what was
    found and the team knows. gone: what is accepted and was not found. unexposed: the schemas of tried tables that
    `[api] schemas` does not name: what was found there is reached by SQL alone.
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
    verdict: str = ""
    fail_on: Severity = DEFAULT_FAIL_ON
    findings: tuple[Finding, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    gone: tuple[Accepted, ...] = ()
    unexposed: tuple[str, ...] = ()
    catalog: Catalog | None = field(default=None, repr=False)

    @property
    def failing(self) -> tuple[Finding, ...]:
        """What makes the run fail."""
        return tuple(one for one in self.findings if fails(one.severity, self.fail_on))


def judged(result: VerifyResult, known: Collection[Accepted], fail_on: Severity) -> VerifyResult:
    """The result with what was found as one list, held against what is known and accepted."""
    every = findings_of(
        result.differences,
        result.isolation,
        result.untried,
        result.lifecycles,
        result.advice,
        result.advisors or (),
    )
    ids = {one.id: one for one in known}
    new = tuple(one for one in every if one.id not in ids)
    accepted = tuple(dict.fromkeys(ids[one.id] for one in every if one.id in ids))
    partial = result.isolation is None and not result.untried  # with `only`
    verdict = verdict_of(new, len(accepted), fail_on, result.isolation)
    if partial and verdict == "Verified":
        verdict = "Only the kinds of --only were compared: without it, the isolation of users is tried too"
    return replace(
        result,
        ok=not any(fails(one.severity, fail_on) for one in new),
        verdict=verdict,
        fail_on=fail_on,
        findings=new,
        accepted=accepted,
        gone=() if partial else no_longer_found(known, every),
    )


def side_effects(settings: Settings, target: Target, steps: Steps) -> tuple[SideEffect, ...]:
    """What trying rows on the target would set off that no rollback undoes. Raises as verify does."""
    with _connected(target, steps) as (connection, _):
        return tuple(one for one in find_side_effects(connection, exposed=settings.api_schemas) if not one.harmless)


def verify(
    settings: Settings,
    target: Target,
    only: Collection[str] | None,
    steps: Steps,
    agreed: bool = False,
    fail_on: Severity = DEFAULT_FAIL_ON,
) -> VerifyResult:
    """Run the checks; the target is left as it was.

    only: kinds of objects to compare, e.g. tables, rls, indexes; None for every check.
    agreed: also make rows that set off what no rollback undoes; on the local stack that needs no agreement.
    fail_on: the mildest severity that makes the result not ok.
    Raises UsageError for a kind that is none, TargetError when the target cannot be reached, PromthctlError for what it
    refuses and for a lock that somebody holds too long, and what the shadow raises for migrations that fail.
    """
    selected_kinds(only)
    known = read_accepted(settings.project_dir)
    return judged(_verify(settings, target, only, steps, agreed or target.local), known, fail_on)


@contextmanager
def _connected(target: Target, steps: Steps) -> Iterator[tuple[psycopg.Connection[Any], LockWatch]]:
    """A connection whose waits for locks are named and ended, and how it waits. Raises as verify does."""
    import psycopg

    watch = LockWatch()
    try:
        with database.connect(target) as connection, ending_waits(target, connection, steps.note) as watch:
            yield connection, watch
    except psycopg.Error as error:
        what = f"{target.label} could not be verified"
        raise database_failure(what, error, "nothing was changed", watch=watch) from None


def _verify(
    settings: Settings, target: Target, only: Collection[str] | None, steps: Steps, agreed: bool
) -> VerifyResult:
    migrations = supabase_folder.expected_migrations(
        settings, supabase_folder.plan_project_sync(settings, (), force=True)
    )
    with _connected(target, steps) as (connection, watch), ThreadPoolExecutor(1) as beside:
        advisors = beside.submit(_advisors, settings, target, Silent()) if only is None else None
        privileges = shadow.default_privileges_of(connection)
        major = connection.info.server_version // 10000
        expected = shadow.catalog_after_all(settings, migrations, steps, major, privileges)
        with steps.step("Comparing the schema"):
            actual = snapshot(connection)
            differences = compare(expected, actual, only)
        if advisors is None:
            return VerifyResult(target.label, False, len(migrations), differences, catalog=actual)
        with steps.step("Trying to reach other users' rows"):
            _keep_attempts_out_of_the_log(connection)
            try:
                the_app = is_the_app(actual.of("tables"))
                flags = PUBLIC_FLAGS if the_app else {}
                isolation = prove_isolation(
                    connection,
                    settings.declared,
                    flags,
                    exposed=settings.api_schemas,
                    spare=not agreed,
                    watched=partial(steps.progress, "Trying the tables", tenths=False),
                )
                tried = check_lifecycles(connection, spare=not agreed) if the_app else ()
                lifecycles = tuple(one for one in tried if one.state != "skipped")  # not applicable is not passed
                untried = ""
            except UsageError:  # of pyproject.toml
                raise
            except PromthctlError as error:  # what was compared by now is kept
                isolation, lifecycles, untried = None, (), f"{error.what}: {error.why}; {error.hint}"
            advice = advise(connection)
            if isolation is not None and watch.blockers:
                locked = f"while rows were tried, {watch.waited_for()}; {watch.remedy()}"
                isolation = replace(isolation, caveats=(*isolation.caveats, locked))
        lines, unasked = advisors.result()
    return VerifyResult(
        target=target.label,
        ok=False,
        migrations=len(migrations),
        differences=differences,
        isolation=isolation,
        lifecycles=lifecycles,
        advice=advice,
        advisors=lines,
        unasked=unasked,
        untried=untried,
        unexposed=_unexposed(settings, actual, isolation),
        catalog=actual,
    )


def _unexposed(settings: Settings, catalog: Catalog, isolation: IsolationReport | None) -> tuple[str, ...]:
    """The schemas of tried tables that the API does not expose."""
    labels = [proof.table for proof in isolation.tables] if isolation else []
    others = [name for name in catalog.of("schemas") if name.strip('"') not in settings.api_schemas]
    named = {label.partition(".")[0].strip('"') for label in labels if "." in label}
    return tuple(sorted(name for name in others if name.strip('"') in named))


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
