"""All migrations as one SQL file for the dashboard's SQL editor, which records the history as the Supabase CLI would.

    begin → the history table, locked → a DO block for each migration → commit

A block runs its migration only if the history does not have the version, so the file can be run again. It keeps the
statements in an array, runs one after the other, and records the very same array. A new transaction begins only after
a migration that adds a value to an enum, for PostgreSQL lets nobody use the value before it is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import Migration, supabase_folder
from promthctl.migration_set.problems import os_reason, shell_quote
from promthctl.migration_set.sync import replace_file
from promthctl.settings import Settings
from promthctl.sql.quoting import dollar_quoted, dollar_tag, literal
from promthctl.sql.statements import NotSqlError, Statement, parse_statements

_MARK = "-- promthctl migrations bundle"  # our own files begin with it
_WIDTH = 120
_HEAD = """{mark}: {number} for the SQL editor of the Supabase dashboard, or for psql.
-- Made from the migration files: change those, and make it again.
-- It can be run again: what the history has is left out, and what runs is recorded as `supabase db push` records it.
-- {failing}
"""
_ONE = "It is one transaction: if a statement fails, nothing at all is changed."
_SEVERAL = "It is {} transactions: if a statement fails, nothing of its transaction stays, and those before it do."
# The history table is created as the CLI does: pkg/migration/history.go. Others wait at the lock.
_BEGIN = """
begin;
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
lock table supabase_migrations.schema_migrations in share row exclusive mode;
"""
# Before each file the CLI, too, resets what the one before has set.
_BLOCK = """
{banner}

reset all;
do {tag}
declare
  statements text[] := array[
{statements}
  ]::text[];
  lines int[] := '{{{lines}}}';
  statement text;
  number int := 0;
  detail text;
  hint text;
begin
  if exists (select from supabase_migrations.schema_migrations where version = {version}) then
    return;
  end if;
{guards}  begin
    foreach statement in array statements loop
      number := number + 1;
{skip}      execute statement;
    end loop;
  exception when others then
    get stacked diagnostics detail = pg_exception_detail, hint = pg_exception_hint;
    raise exception using errcode = sqlstate, message = concat_ws(
      chr(10), {filename} || ', line ' || lines[number] || ': ' || sqlerrm, nullif(detail, ''), nullif(hint, ''));
  end;
  insert into supabase_migrations.schema_migrations (version, name, statements)
  values ({version}, {name}, statements);
end {tag};
"""
_GUARD = """\
  if {condition} then
    raise exception using message = {message};
  end if;
"""
_LATER = 'exists (select from supabase_migrations.schema_migrations where version collate "C" > {version})'
_MISSING = "not exists (select from supabase_migrations.schema_migrations where version = {version})"
_SKIP = "      continue when number in ({numbers});  -- begin and commit: this transaction is the bundle's\n"
_COMMIT = """
reset all;
commit;
"""
_LAST = """
select version, name from supabase_migrations.schema_migrations order by version;
"""


@dataclass(frozen=True)
class Bundle:
    """migrations: file names. transactions: how many it takes. file: where it is; None if `sql` has the text."""

    migrations: tuple[str, ...]
    transactions: int
    file: Path | None
    sql: str | None


def bundle(settings: Settings, file: Path | None, force: bool) -> Bundle:
    """Put together what push would apply to an empty database.

    file: where to write it, relative to the project; None for the text. force: overwrite any file.
    Raises PromthctlError for migrations that cannot be used or cannot run in a transaction, RefusedError for a file
    that should not be overwritten.
    """
    plan = supabase_folder.plan_project_sync(settings, (), force=True, history=())
    if refusal := plan.refusal:
        raise refusal
    migrations = supabase_folder.expected_migrations(settings, plan)
    parts = [(migration, _statements(migration)) for migration in migrations]
    sql, transactions = compose(parts)
    names = tuple(migration.filename for migration in migrations)
    if file is None:
        return Bundle(names, transactions, None, sql)
    path = settings.project_dir / file.expanduser()
    _check_destination(
        path, {migration.path.parent.resolve() for migration in migrations} | {plan.destination.resolve()}, force
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path.resolve(), sql.encode())
    except OSError as error:
        hint = f"ls -ld {shell_quote(str(path.parent))} shows who owns the folder; choose one you may write to"
        raise PromthctlError(f"{path} cannot be written", os_reason(error), hint) from None
    return Bundle(names, transactions, path, None)


def compose(parts: Sequence[tuple[Migration, Sequence[Statement]]]) -> tuple[str, int]:
    """The text for these migrations, in order, and the number of its transactions."""
    text, transactions, previous, broken = _BEGIN, 1, None, False
    for migration, statements in parts:
        if broken:
            text += _COMMIT + _BEGIN
            transactions += 1
        text += _block(migration, statements, previous if broken else None)
        previous, broken = migration, any(statement.adds_enum_value for statement in statements)
    number = f"{len(parts)} migration{'s' if len(parts) != 1 else ''}"
    failing = _ONE if transactions == 1 else _SEVERAL.format(transactions)
    return _HEAD.format(mark=_MARK, number=number, failing=failing) + text + _COMMIT + _LAST, transactions


def _block(migration: Migration, statements: Sequence[Statement], needs: Migration | None) -> str:
    """needs: the last migration of the transaction before, which may have failed without stopping the run."""
    version = literal(migration.version)
    later = f"{migration.filename} was not run: the history has a later version; promthctl push --dry-run explains"
    guards = _GUARD.format(condition=_LATER.format(version=version), message=literal(later))
    if needs is not None:
        condition = _MISSING.format(version=literal(needs.version))
        message = f"{migration.filename} was not run: {needs.filename} before it has failed"
        guards += _GUARD.format(condition=condition, message=literal(message))
    skipped = ", ".join(str(number) for number, one in enumerate(statements, start=1) if one.brackets)
    quoted = ",\n".join(dollar_quoted(one.text) for one in statements)
    return _BLOCK.format(
        banner=f"-- {migration.filename} ".ljust(_WIDTH, "-"),
        tag=dollar_tag("promthctl", (quoted, migration.filename)),
        statements=quoted,
        lines=",".join(str(one.line) for one in statements),
        guards=guards,
        skip=_SKIP.format(numbers=skipped) if skipped else "",
        version=version,
        name=literal(migration.name),
        filename=literal(migration.filename),
    )


def _statements(migration: Migration) -> tuple[Statement, ...]:
    what = f"{migration.filename} cannot be part of a bundle"
    try:
        statements = parse_statements(migration.sql)
    except NotSqlError as error:
        raise PromthctlError(what, str(error), f"correct {migration.path} and run it again") from None
    for statement in statements:
        if statement.alone is not None:
            why = f"line {statement.line}: {statement.alone}, and the SQL editor runs everything in one"
            hint = f"promthctl push applies it as it is; or change {migration.path}, if it is not applied anywhere yet"
            raise PromthctlError(what, why, hint)
    return statements


def _check_destination(path: Path, folders: Iterable[Path], force: bool) -> None:
    """Raise RefusedError if a bundle would be taken for a migration, or somebody's work would be lost."""
    what = f"{path} was not written"
    if path.parent.resolve() in folders:
        raise RefusedError(what, "the Supabase CLI would take it for a migration there", "choose another folder")
    if not path.exists():
        return
    if not path.is_file():
        raise RefusedError(what, "it is not a file", "choose another name, or - for standard output")
    with path.open("rb") as file:
        ours = file.read(len(_MARK)) == _MARK.encode()
    if not ours and not force:
        raise RefusedError(
            what, "it exists already and is not a bundle", "choose another name, or overwrite it with --force"
        )
