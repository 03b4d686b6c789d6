"""What the Mr.Promth app does with its rows from creation to deletion, tried in a transaction that is rolled back.

The schema's guide asks people to try these after applying it: a command-line session is created, touched and closed; an
API key keeps its endpoint's id; updated_at changes; deleting a user deletes all their rows. now() does not advance
within a transaction, so a row starts with a time stamp from long ago and has to get another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import sql

from promthctl.isolation import ownership
from promthctl.isolation.row_maker import RowMaker, RowNotMade
from promthctl.isolation.sample_row import SampleRow, Values, assignments, matching
from promthctl.isolation.sandbox import Actor, Sandbox, StatementResult
from promthctl.isolation.side_effects import SideEffects, not_tried
from promthctl.isolation.table_reading import read_tables
from promthctl.isolation.tables import ProbedTable
from promthctl.mr_promth.public import FIRST_TABLES

if TYPE_CHECKING:
    from psycopg import Connection

LifecycleState = Literal["passed", "failed", "skipped"]

_STATEMENT_MS = 3_000
_LOCK_MS = 1_000
_LONG_AGO = "2000-01-01 00:00:00+00"
_ENDPOINT = "ep-lifecycle-check"
# The schema's tables, parents first, and a column of those with updated_at that their owner would change.
_TABLES = ("user_profiles", "api_keys", "chat_sessions", "messages", "prompts", "projects", "agent_logs",
           "cli_sessions", "deployment_logs", "tool_executions")  # fmt: skip
_STAMPED = {"api_keys": "provider", "chat_sessions": "title", "prompts": "title", "projects": "name",
            "user_profiles": "name", "cli_sessions": "machine_name", "deployment_logs": "deployment_url"}  # fmt: skip


@dataclass(frozen=True)
class LifecycleResult:
    """One scenario. detail: what happened, why it failed, or why it was skipped: its tables are missing."""

    name: str
    state: LifecycleState
    detail: str

    @property
    def ok(self) -> bool:
        return self.state != "failed"


class _Broken(Exception):
    """A scenario went wrong; str() says how."""


class _Missing(Exception):
    """The tables are missing; str() says which."""


def check_lifecycles(connection: Connection[Any], spare: bool = False) -> tuple[LifecycleResult, ...]:
    """Run every scenario; nothing is left behind.

    connection: of a role that may write auth.users and act as authenticated: `postgres`. If it is in a transaction,
    everything happens in a savepoint of that. spare: change no rows where that sets off what no rollback undoes; the
    scenario fails then. Raises psycopg.Error when the connection breaks.
    """
    with Sandbox.opened(connection, _STATEMENT_MS, _LOCK_MS) as sandbox:
        scenarios = _Scenarios(sandbox, SideEffects(connection) if spare else None)
        return tuple(
            _run_scenario(sandbox, name, scenario)
            for name, scenario in (
                ("A CLI session is created, touched and closed", scenarios.session),
                ("An API key's metadata holds its endpoint", scenarios.endpoint),
                ("updated_at changes with every update", scenarios.stamps),
                ("Deleting a user deletes all their rows", scenarios.deletion),
            )
        )


def _run_scenario(sandbox: Sandbox, name: str, scenario: Callable[[], str]) -> LifecycleResult:
    try:
        with sandbox.stage():
            return LifecycleResult(name, "passed", scenario())
    except _Missing as error:
        return LifecycleResult(name, "skipped", str(error))
    except (_Broken, RowNotMade) as error:
        return LifecycleResult(name, "failed", str(error))
    except psycopg.Error as error:
        if sandbox.connection.broken:
            raise
        return LifecycleResult(name, "failed", (error.diag.message_primary or str(error)).partition("\n")[0])


class _Scenarios:
    """Each method runs one scenario and describes it. Raises _Missing, _Broken, RowNotMade, psycopg.Error."""

    def __init__(self, sandbox: Sandbox, effects: SideEffects | None) -> None:
        self._sandbox, self._effects = sandbox, effects
        self._catalog = read_tables(sandbox.connection, ("public",))
        self._ownerships = ownership.find_ownerships(self._catalog)
        there = {
            table.name: table
            for table in self._catalog.exposed
            if table.schema == "public" and table.name in _TABLES and self._ownerships[table.oid].known
        }
        self._there = there if set(there) >= FIRST_TABLES else {}

    def session(self) -> str:
        table = self._table("cli_sessions", "last_seen_at", "status")
        owner, row = self._start(table, {"last_seen_at": _LONG_AGO})
        if row.values["status"] != "connected":
            raise _Broken(f"a new session's status is {row.values['status']}, not connected")
        touched = self._change(
            owner, row, {"cli_version": "1.0.0"} if "cli_version" in table.column else {"status": "connected"}
        )
        if touched["last_seen_at"] == row.values["last_seen_at"]:
            raise _Broken("an update does not change last_seen_at")
        closed = self._change(owner, row, {"status": "disconnected"})
        if closed["status"] != "disconnected":
            raise _Broken(f"a closed session's status is {closed['status']}")
        return "it starts connected, an update changes last_seen_at, and it ends disconnected"

    def endpoint(self) -> str:
        table = self._table("api_keys", "metadata")
        owner, row = self._start(table, {"metadata": f'{{"endpoint_id": "{_ENDPOINT}"}}'})
        self._sandbox.mark()
        found = self._sandbox.attempt(
            owner,
            sql.SQL("select 1 from {} where {} and metadata ->> 'endpoint_id' = {}").format(
                table.identifier, row.keyed, _ENDPOINT
            ),
        )
        self._expect(found, "the owner does not find the key by its endpoint_id")
        return "the owner finds the key by metadata ->> 'endpoint_id'"

    def stamps(self) -> str:
        moved = []
        for name, column in _STAMPED.items():
            table = self._there.get(name)
            if table is None or not {"updated_at", column} <= set(table.column):
                continue
            with self._sandbox.stage():
                owner, row = self._start(table, {"updated_at": _LONG_AGO, column: "before"})
                changed = self._change(owner, row, {column: "after"})
                if changed["updated_at"] == row.values["updated_at"]:
                    raise _Broken(f"an update of {name} does not change updated_at")
                moved.append(name)
        if not moved:
            raise _Missing(f"no table of {', '.join(_STAMPED)} has updated_at")
        return f"in {', '.join(moved)}"

    def deletion(self) -> str:
        if not self._there:
            raise _Missing("the schema's tables are missing")
        assert self._catalog.users is not None
        self._agreed(self._catalog.users)
        maker, user = self._maker_and_user()
        rows = [maker.row(self._there[name], user) for name in _TABLES if name in self._there]
        try:
            self._sandbox.run(
                sql.SQL("delete from {} where id = {}").format(self._catalog.users.identifier, sql.Literal(user))
            )
        except psycopg.Error as error:
            raise _Broken(f"a user with rows cannot be deleted: {error.diag.message_primary}") from error
        left = [row.table.name for row in rows if self._read(row) is not None]
        if left:
            raise _Broken(f"rows are left in {', '.join(left)}")
        return f"from {', '.join(row.table.name for row in rows)}"

    def _table(self, name: str, *columns: str) -> ProbedTable:
        table = self._there.get(name)
        if table is None:
            raise _Missing(f"there is no table {name}")
        if absent := [column for column in columns if column not in table.column]:
            raise _Missing(f"{name} has no column {', '.join(absent)}")
        return table

    def _agreed(self, table: ProbedTable) -> None:
        """Raises RowNotMade where changing the table's rows would set off what is to be spared."""
        if self._effects and (reason := not_tried(self._effects.of(table))):
            raise RowNotMade(reason)

    def _maker_and_user(self) -> tuple[RowMaker, str]:
        maker = RowMaker(self._sandbox, self._catalog, self._ownerships, self._effects)
        user = maker.user()
        maker.third = user
        return maker, user

    def _start(self, table: ProbedTable, values: Values) -> tuple[Actor, SampleRow]:
        """A new user with a row of the table that has the values; a row that a trigger has made is replaced."""
        self._agreed(table)
        maker, user = self._maker_and_user()
        maker.parents(table, user)
        with self._sandbox.stage():
            row = maker.row(table, user)
        if row.found:
            self._sandbox.run(sql.SQL("delete from {} where {}").format(table.identifier, row.where))
        row = maker.insert(table, user, {**row.given, **values})
        return Actor("owner", "authenticated", user), row

    def _change(self, owner: Actor, row: SampleRow, values: Values) -> Values:
        """Update the row as its owner, for good; the values it has then."""
        statement = sql.SQL("update {} set {} where {}").format(
            row.table.identifier, assignments(row.table, values), row.keyed
        )
        self._sandbox.mark()
        self._expect(self._sandbox.attempt(owner, statement), f"the owner cannot update {', '.join(values)}")
        self._sandbox.inspect(sql.SQL("select 1"))  # the connection's own role again
        changed = self._read(row)
        if changed is None:
            raise _Broken("the row is gone after an update")
        return changed

    def _read(self, row: SampleRow) -> Values | None:
        names: Sequence[str] = tuple(row.table.column)
        columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        key = {name: row.values[name] for name in row.table.primary_key}
        found = self._sandbox.run(
            sql.SQL("select {} from {} where {}").format(
                columns, row.table.identifier, matching(row.table, key) if key else row.where
            )
        )
        return dict(zip(names, found[0], strict=True)) if found else None

    def _expect(self, result: StatementResult, failure: str) -> None:
        if result.error is not None:
            raise _Broken(f"{failure}: {result.error.diag.message_primary}")
        if not result.rows:
            raise _Broken(f"{failure}: they do not see the row")
