"""The migration history that the Supabase CLI keeps in a target: read, never written.

Early versions of the CLI, and people, made its table with fewer columns: what a row lacks is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promthctl.database.connection import connect
from promthctl.database.lock_waits import LOCK_SECONDS, LockWatch, watching_locks
from promthctl.database.sqlstates import cause_of
from promthctl.errors import PromthctlError, TargetError
from promthctl.migration_set import HistoryEntry
from promthctl.redact import redact
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_TABLE = "supabase_migrations.schema_migrations"
# pg_class and pg_attribute can be read by everybody, also where to_regclass() refuses for want of USAGE.
_COLUMNS = """
select quote_ident(current_user), has_schema_privilege(n.oid, 'usage'),
       has_table_privilege(c.oid, 'select'),
       json_object_agg(coalesce(a.attname, ''), format_type(a.atttypid, a.atttypmod)), pg_backend_pid()
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where n.nspname = 'supabase_migrations' and c.relname = 'schema_migrations' and c.relkind in ('r', 'p', 'v')
 group by c.oid, n.oid"""


def fetch_history(target: Target) -> dict[str, HistoryEntry]:
    """The migration history by version; empty if no migration was ever applied. Raises as connect and read_history."""
    with connect(target) as connection:
        return read_history(connection, target)


def read_history(connection: psycopg.Connection[Any], target: Target) -> dict[str, HistoryEntry]:
    """See fetch_history. Source of the table's form: pkg/migration/history.go of the Supabase CLI.

    Raises PromthctlError where the role may not read it, naming the GRANT, where the table is not a history, and where
    somebody holds it locked for longer than the target's limit, on the local stack for longer than 10 s.
    """
    import psycopg

    watch = LockWatch(LOCK_SECONDS if target.lock_seconds is None else target.lock_seconds)
    try:
        return _read(connection, target, watch)
    except psycopg.Error as error:
        if connection.broken:
            raise
        if watch.explains(error.sqlstate):
            raise _unread(target, watch.too_long(), watch.remedy(longer=target.lock_seconds is not None)) from None
        cause = cause_of(error.sqlstate)
        why = redact(error.diag.message_primary or str(error)).strip()
        hint = cause.advice or "run the same command again when that is settled"
        raise _unread(target, why, hint, cause.by_target) from None


def _unread(target: Target, why: str, hint: str, by_target: bool = False) -> PromthctlError:
    what = f"The migration history of {target.label} could not be read"
    return TargetError(what, why, hint) if by_target else PromthctlError(what, why, hint)


def _read(connection: psycopg.Connection[Any], target: Target, watch: LockWatch) -> dict[str, HistoryEntry]:
    found = connection.execute(_COLUMNS).fetchone()
    if found is None:
        return {}
    role, usage, select, columns, pid = found
    if not (usage and select):
        missing = [*([] if usage else ["USAGE on its schema"]), *([] if select else ["SELECT"])]
        grants = [
            *([] if usage else [f"grant usage on schema supabase_migrations to {role};"]),
            *([] if select else [f"grant select on {_TABLE} to {role};"]),
        ]
        hint = f"as the owner of {_TABLE} (on Supabase: postgres): {' '.join(grants)}"
        raise _unread(target, f"the role {role} has no {' and no '.join(missing)}", hint)
    if "version" not in columns:
        hint = f"rename {_TABLE} if it is not the Supabase CLI's: alter table {_TABLE} rename to other;"
        raise _unread(target, f"{_TABLE} has no column version", hint)
    name = "coalesce(name::text, '')" if "name" in columns else "''"
    statements = "coalesce(statements::text[], '{}')" if "statements" in columns else "'{}'::text[]"
    if not str(columns.get("statements", "[]")).endswith("[]"):  # made by hand
        statements = "coalesce(array[statements::text], '{}')"
    with watching_locks(target, watch, lambda _: None, pid=pid):
        rows = connection.execute(
            f"select version::text, {name}, {statements} from {_TABLE} order by 1".encode()  # noqa: S608 - all ours
        )
    return {str(version): HistoryEntry(str(version), str(name), tuple(lines)) for version, name, lines in rows}
