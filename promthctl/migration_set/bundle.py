"""All migrations as one SQL file for the dashboard's SQL editor, which records the history as the Supabase CLI would.

    begin → the history table, locked → a DO block for each migration → commit

A block runs its migration only if the history does not have the version, so the file can be run again. It keeps the
statements in an array, runs one after the other, and records the very same array. The transaction is one, as far as it
can be. A new one begins where the CLI's matters: in a migration with its own BEGIN and COMMIT, around one with
something that lasts until the end of its transaction, and after one that adds a value to an enum, for PostgreSQL lets
nobody use the value before it is committed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.sql.quoting import dollar_quoted, dollar_tag, literal
from promthctl.sql.statements import NotSqlError, Statement, parse_statements

MARK = "-- promthctl migrations bundle"  # our own files begin with it
_WIDTH = 120
_HEAD = """{mark}: {number} for the SQL editor of the Supabase dashboard, or for psql.
-- Made from the migration files: change those, and make it again.
-- It can be run again: what the history has is left out, and what runs is recorded as `supabase db push` records it.
-- {failing}
"""
_ONE = "It is one transaction: if a statement fails, nothing at all is changed."
_PARTED = (
    "\n-- Of a file with its own COMMIT, as with `supabase db push`, what is committed stays when the rest of it fails."
)
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

{reset}do {tag}
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
{end}end {tag};
"""
_RECORD = """\
  insert into supabase_migrations.schema_migrations (version, name, statements)
  values ({version}, {name}, statements);
"""
_PART_DONE = "  perform set_config('promthctl.part', {part}, false);\n"
_PART_MISSING = "current_setting('promthctl.part', true) is distinct from {part}"
# What ends with the transaction, and what the end of a transaction checks. Where it is none, nothing is lost.
_SCOPED = re.compile(
    r"\bon\s+commit\b|\bset\s+(?:local|constraints|transaction)\b|\bset_config\s*\(|\bdeferr|_xact_|\btxid_",
    re.IGNORECASE,
)
_GUARD = """\
  if {condition} then
    raise exception using message = {message};
  end if;
"""
_LATER = 'exists (select from supabase_migrations.schema_migrations where version collate "C" > {version})'
_MISSING = "not exists (select from supabase_migrations.schema_migrations where version = {version})"
_SKIP = "      continue when number in ({numbers});  -- begin, commit, and what ran before\n"
_COMMIT = """
reset all;
commit;
"""
_PART_COMMIT = "\ncommit;\n"  # a migration keeps its settings to its end
_LAST = """
select version, name from supabase_migrations.schema_migrations order by version;
"""


def compose(migrations: Iterable[Migration], each_alone: bool) -> tuple[str, int]:
    """The text for these migrations, in order, and the number of its transactions.

    each_alone: a transaction for every migration; otherwise only for those that need one. Raises PromthctlError for one
    that no transaction of the bundle's can hold.
    """
    text, transactions, previous, fresh = _BEGIN, 1, None, True  # fresh: nothing has run in the transaction yet
    count, parted = 0, False
    for migration in migrations:
        statements = _statements(migration)
        parts = _transactions(migration, statements)
        alone = each_alone or len(parts) > 1 or any(map(_is_scoped, statements))
        for number in range(1, len(parts) + 1):
            if not fresh and (alone or number > 1):
                text += (_COMMIT if number == 1 else _PART_COMMIT) + _BEGIN
                transactions, fresh = transactions + 1, True
            text += _block(migration, statements, parts, number, previous if fresh and transactions > 1 else None)
            fresh = False
        if alone or any(statement.adds_enum_value for statement in statements):
            text += _COMMIT + _BEGIN
            transactions, fresh = transactions + 1, True
        previous, count, parted = migration, count + 1, parted or len(parts) > 1
    if fresh and transactions > 1:
        text, transactions = text.removesuffix(_COMMIT + _BEGIN), transactions - 1
    number_of = f"{count} migration{'s' if count != 1 else ''}"
    failing = _ONE if transactions == 1 else _SEVERAL.format(transactions)
    if parted:
        failing += _PARTED
    return _HEAD.format(mark=MARK, number=number_of, failing=failing) + text + _COMMIT + _LAST, transactions


def _is_scoped(statement: Statement) -> bool:
    """True where the end of the transaction matters: it has to be where the CLI has it."""
    return _SCOPED.search(statement.text) is not None


def _transactions(migration: Migration, statements: Sequence[Statement]) -> list[list[int]]:
    """The transactions in which the CLI runs a migration: the numbers of their statements, from 0.

    It is one; in a file with its own BEGIN and COMMIT it is each of those, and each statement outside of them.
    """
    if not any(statement.brackets for statement in statements):
        return [list(range(len(statements)))]
    found: list[list[int]] = []
    block: list[int] | None = None
    for number, statement in enumerate(statements):
        if not statement.brackets:
            if block is not None:
                block.append(number)
            elif statement.node is not None:
                found.append([number])
        elif statement.begins:
            block = block or []
        else:
            found += [block] if block else []
            block = None
    if block is not None:
        why = "its BEGIN has no COMMIT, so nothing after it would stay"
        hint = f"add the COMMIT, or take BEGIN out of {migration.path}: a migration is one transaction without it"
        raise PromthctlError(f"{migration.filename} cannot be part of a bundle", why, hint)
    return found or [[]]


def _block(
    migration: Migration,
    statements: Sequence[Statement],
    parts: Sequence[Sequence[int]],
    number: int,
    needs: Migration | None,
) -> str:
    """One part of a migration. number: the part's, from 1.

    needs: the last migration of the transaction before, which may have failed without stopping the run.
    """
    version = literal(migration.version)
    last = number == len(parts)
    guards = ""
    if number == 1:
        later = f"{migration.filename} was not run: the history has a later version; promthctl push --dry-run explains"
        guards += _GUARD.format(condition=_LATER.format(version=version), message=literal(later))
        if needs is not None:
            condition = _MISSING.format(version=literal(needs.version))
            message = f"{migration.filename} was not run: {needs.filename} before it has failed"
            guards += _GUARD.format(condition=condition, message=literal(message))
    else:
        condition = _PART_MISSING.format(part=literal(f"{migration.version} {number - 1}"))
        line = statements[parts[number - 1][0]].line
        message = f"{migration.filename} was not finished: what is before line {line} has failed"
        guards += _GUARD.format(condition=condition, message=literal(message))
    # The last part records them all, and so has them all.
    shown = list(range(len(statements))) if last else list(parts[number - 1])
    skipped = ", ".join(str(place) for place, one in enumerate(shown, start=1) if one not in parts[number - 1])
    quoted = ",\n".join(dollar_quoted(statements[one].text) for one in shown)
    end = (
        _RECORD.format(version=version, name=literal(migration.name))
        if last
        else _PART_DONE.format(part=literal(f"{migration.version} {number}"))
    )
    title = migration.filename if len(parts) == 1 else f"{migration.filename}, part {number} of {len(parts)}"
    return _BLOCK.format(
        banner=f"-- {title} ".ljust(_WIDTH, "-"),
        reset="reset all;\n" if number == 1 else "",
        tag=dollar_tag("promthctl", (quoted, migration.filename)),
        statements=quoted,
        lines=",".join(str(statements[one].line) for one in shown),
        guards=guards,
        skip=_SKIP.format(numbers=skipped) if skipped else "",
        version=version,
        filename=literal(migration.filename),
        end=end,
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
