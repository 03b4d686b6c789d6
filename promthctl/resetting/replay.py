"""A reset tried before it is carried out: in a throw-away database that has, and lacks, what the target does.

The migrations are applied there, what stays on the target after a reset is left there too, and the Supabase CLI resets
it: it fails where it would on the target, with nothing lost.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from promthctl import database, supabase_cli
from promthctl.database.transactions import changing
from promthctl.errors import PromthctlError, RefusedError, TargetError
from promthctl.migration_set import Migration
from promthctl.redact import redact
from promthctl.resetting.contents import GOING_SCHEMAS, KEPT_EXTENSIONS, reading
from promthctl.resetting.survivors import Survivor, read_survivors
from promthctl.settings import Settings
from promthctl.shadow import default_privileges_of, trial_database
from promthctl.sql.parsing import parse_migration
from promthctl.sql.quoting import identifier
from promthctl.steps import Silent, Steps
from promthctl.targets import Target

_PLATFORM_SCHEMAS = "select nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ({})"
_RANGE_TYPES = b"""
select format('drop type if exists %I.%I cascade', n.nspname, t.typname) from pg_type t
  join pg_namespace n on n.oid = t.typnamespace where n.nspname = 'public' and t.typtype = 'r'"""
_NOT_HERE = re.compile(r'extension "([^"]+)" is not available|(\w+) is not available on the embedded engine')
_EXISTS = re.compile(r"\(SQLSTATE (42P07|42710|42701|42723|42P06|23505)\)")
_REMOVALS_SHOWN = 3


@dataclass(frozen=True)
class Trial:
    """What came of it. tried: the reset succeeded there; otherwise unsure says why it could not be tried.

    tables: those that the migrations make, by schema and name. unsure: also where the target may differ from the trial.
    """

    tried: bool
    tables: frozenset[tuple[str, str]]
    unsure: tuple[str, ...]


@dataclass(frozen=True)
class _Premises:
    """What the target has once everything is dropped there. privileges: see default_privileges.of_target."""

    major: int
    superuser: bool
    roles: frozenset[str]
    schemas: frozenset[str]
    extensions: frozenset[str]
    available: frozenset[str]
    privileges: tuple[str, ...]


def try_reset(
    settings: Settings, target: Target, migrations: Sequence[Migration], left: Sequence[Survivor], steps: Steps
) -> Trial:
    """Try it. left: what the reset leaves on the target.

    Raises RefusedError, with the reason and the way out, where the reset of the target would fail.
    """
    import psycopg

    premises = _read_premises(target, steps)
    if missing := sorted(_extensions_needed(migrations) - premises.available):
        raise RefusedError(
            f"{target.label} was not reset",
            f"the migrations create extensions that this server does not have: {', '.join(missing)}",
            f"install {missing[0]} on that server, or take it out of the migrations; nothing was changed",
        )
    with (
        steps.step("Trying the reset in a throw-away database"),
        trial_database(settings, premises.major, premises.privileges) as trial,
    ):
        try:
            unsure = _make_alike(trial.superuser, premises)
            trial.apply(migrations)
            made_by_migrations = _tables(trial.target)
            _remove(trial.superuser, read_survivors(trial.target, Silent()), {one.key for one in left})
            drop_range_types(trial.target, Silent())
            supabase_cli.find_database_cli(settings, Silent()).reset(trial.target, migrations, Silent())
        except PromthctlError as error:
            if why := not_to_be_had(error):
                return Trial(False, frozenset(), (why,))
            raise for_the_person(target.label, error, left) from None
        except psycopg.Error as error:  # the throw-away database could not be made like the target
            return Trial(False, frozenset(), (redact(str(error)).strip().splitlines()[0],))
    return Trial(True, made_by_migrations, tuple(unsure))


def not_to_be_had(error: PromthctlError) -> str | None:
    """Why a failure on the embedded PostgreSQL says nothing of other servers; None where it does say something."""
    absent = _NOT_HERE.search(error.why)
    return f"the extension {absent[1] or absent[2]} cannot be had here" if absent else None


def for_the_person(label: str, error: PromthctlError, left: Iterable[Survivor] = ()) -> PromthctlError:
    """The error of a replay that was only tried, for the one whose database is still as it was.

    left: what a reset leaves there; what the error names of it is what stands in the way. An error that is about
    neither the migrations nor the database that they were tried in is returned as it is.
    """
    if isinstance(error, TargetError):
        return TargetError(f"{label} was not reset", f"{error.what}\n{error.why}", _unchanged(error.hint))
    if type(error) is not PromthctlError:
        return error
    exists = _EXISTS.search(error.why) is not None
    in_the_way = [one for one in left if exists and one.name.split(".")[-1].strip('"').split("(")[0] in error.why]
    if in_the_way:
        what = ", ".join(f"{one.kind} {one.name}" for one in in_the_way[:_REMOVALS_SHOWN])
        why = f"{error.what}\n{error.why}\na reset does not remove it from there: {what}"
        removals = "; ".join(one.remove for one in in_the_way[:_REMOVALS_SHOWN])
        hint = f"remove it there yourself ({removals}), or let the migration accept that it exists; then run it again"
        return RefusedError(f"{label} was not reset", why, f"{hint}; nothing was changed")
    hint = error.hint
    if exists:
        hint = "a new database or another migration has it already: take it out, and run the same command again"
    return PromthctlError(f"{label} was not reset", f"{error.what}\n{error.why}", _unchanged(hint))


def _unchanged(hint: str) -> str:
    """Without what it says of the database of the trial."""
    return f"{hint.split('; ')[0]}; nothing was changed"


def drop_range_types(target: Target, steps: Steps) -> None:
    """The CLI's reset fails on a range type in public, whose functions cannot be dropped without it (3.1.0)."""
    with changing(target, f"{target.label} was not reset", steps, keep=True) as change:
        for (statement,) in change.connection.execute(_RANGE_TYPES).fetchall():
            change.connection.execute(str(statement).encode())


def _read_premises(target: Target, steps: Steps) -> _Premises:
    with reading(target, steps) as (connection, _):

        def names(query: str) -> frozenset[str]:
            return frozenset(str(name) for (name,) in connection.execute(query.encode()).fetchall())

        superuser = names("select rolname from pg_roles where rolname = current_user and rolsuper")
        return _Premises(
            major=connection.info.server_version // 10000,
            superuser=bool(superuser),
            roles=names("select rolname from pg_roles"),
            schemas=names(_PLATFORM_SCHEMAS.format(GOING_SCHEMAS)),
            extensions=names("select extname from pg_extension") & frozenset(KEPT_EXTENSIONS),
            available=names("select name from pg_available_extensions"),
            privileges=default_privileges_of(connection) or (),
        )


def _make_alike(superuser: Target, premises: _Premises) -> list[str]:
    """Take from a fresh Supabase what the target does not have; what the trial cannot tell all the same."""
    with database.connect(superuser) as connection:

        def run(statement: str) -> None:
            connection.execute(statement.encode())

        def names(query: str) -> set[str]:
            return {str(name) for (name,) in connection.execute(query.encode()).fetchall()}

        for name in sorted(names("select extname from pg_extension where extname <> 'plpgsql'") - premises.extensions):
            run(f"drop extension {identifier(name)} cascade")
        for number, name in enumerate(sorted(names(_PLATFORM_SCHEMAS.format("'public'")) - premises.schemas)):
            if name not in ("information_schema", "supabase_migrations"):
                run(f"alter schema {identifier(name)} rename to promthctl_absent_{number}")
        roles = names(
            "select rolname from pg_roles where rolname !~ '^pg_' and rolname not in ('postgres', current_user)"
        )
        for number, name in enumerate(sorted(roles - premises.roles)):
            run(f"alter role {identifier(name)} rename to promthctl_absent_{number}")
        if premises.superuser:
            run("alter role postgres superuser")
        major = connection.info.server_version // 10000
    unsure = []
    if major != premises.major:
        unsure.append(f"it was tried on PostgreSQL {major}, and the target has {premises.major}")
    return unsure


def _remove(superuser: Target, made: Iterable[Survivor], left: set[tuple[str, str]]) -> None:
    """Remove what the migrations made and a reset leaves, unless it is on the target too."""
    import psycopg

    with database.connect(superuser) as connection:
        connection.execute("set search_path = pg_catalog, pg_temp")  # not what the migrations have put into public
        for one in made:
            if one.key in left:
                continue
            removal = one.remove if one.kind != "role" else f"drop owned by {one.name} cascade; {one.remove}"
            with contextlib.suppress(psycopg.Error):  # it went with another
                connection.execute(removal.encode())


def _tables(target: Target) -> frozenset[tuple[str, str]]:
    with database.connect(target) as connection:
        rows = connection.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p')"
        ).fetchall()
    return frozenset((str(schema), str(name)) for schema, name in rows)


def _extensions_needed(migrations: Iterable[Migration]) -> set[str]:
    """Those that the files create; in a DO block they may be for another server."""
    return {
        str(statement.node.extname)
        for file in migrations
        for statement in parse_migration(file.sql)
        if type(statement.node).__name__ == "CreateExtensionStmt" and not statement.inside
    }
