"""Several migrations, or their down scripts, as the text of one."""

from __future__ import annotations

from collections.abc import Sequence

from promthctl import database
from promthctl.drafting.engine import State, every_difference, run
from promthctl.drafting.unread import unread_objects
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.migration_set.creating import is_unwritten
from promthctl.quantities import count
from promthctl.schema import snapshot
from promthctl.sql.committed import sends_each, sent_alone
from promthctl.sql.statements import NotSqlError, parse_statements
from promthctl.targets import Target

_RESET = "reset all;\n"  # before each file the CLI resets what the one before has set


def text(header: str, number: int, body: str) -> str:
    """The squashed file."""
    head = f"-- {count(number, 'migration')} in one, made by `promthctl migrations squash` and seen to make the same.\n"
    return f"{head}{header}\n{body.strip()}\n"


def joined(files: Sequence[Migration]) -> list[str]:
    """The files one after the other as they are written: in one transaction, and each in its own."""
    plain = _RESET.join(_titled(file, file.sql) for file in files)
    bracketed = _RESET.join(_titled(file, _bracketed(file.sql)) for file in files)
    apart = any(sends_each(file.sql) for file in files)  # then every statement outside of a begin is sent alone
    return list(dict.fromkeys((bracketed, plain) if apart else (plain, bracketed)))


def joined_downs(files: Sequence[Migration]) -> str:
    """Their down scripts, the last first; empty where one has none."""
    found = []
    for file in reversed(files):
        sql = "" if file.down is None else file.down.read_text(encoding="utf-8-sig", errors="replace")
        if is_unwritten(sql, f"{file.version}_{file.name}"):
            return ""
        found.append(_ended(sql))
    return "\n".join(found)


def parts(drafted: Sequence[str], rows: Sequence[str]) -> str:
    """Drafted SQL, each part in a transaction of its own where there are several, then what is done to rows."""
    if len(drafted) > 1:
        drafted = [f"begin;\n\n{part}\n\ncommit;" for part in drafted]
    data = ["-- What these migrations do to rows, as they are written.", *(f"{one};" for one in rows)] if rows else []
    return "\n\n".join((*drafted, *data))


def leads_back(target: Target, sql: str, start: State) -> bool:
    """Whether a down script leads from a database to the state before, tried in a transaction that is taken back."""
    with database.connect(target) as connection, connection.transaction(force_rollback=True):
        try:
            run(connection, sql)
        except (PromthctlError, NotSqlError):
            return False
        now = snapshot(connection)
        return not every_difference(start.catalog, now) and unread_objects(connection) == start.unread


def _titled(file: Migration, sql: str) -> str:
    return f"-- {file.filename}\n{_ended(sql)}"


def _ended(sql: str) -> str:
    """With its last statement ended, also where a comment follows it."""
    code = sql.rstrip()
    try:
        statements = parse_statements(code)
    except NotSqlError:
        return f"{code}\n"
    last = next((one for one in reversed(statements) if one.node is not None), None)
    ended = last is None or code[last.start + len(last.text) :].lstrip().startswith(";")
    return f"{code}\n" if ended else f"{code}\n;\n"


def _bracketed(sql: str) -> str:
    """In begin and commit, unless it has its own, or a statement that runs in no transaction."""
    try:
        alone = any(one.refused or sent_alone(one.text) for one in parse_statements(sql))
    except NotSqlError:
        alone = True
    return sql if alone or sends_each(sql) else f"begin;\n{_ended(sql)}commit;\n"
