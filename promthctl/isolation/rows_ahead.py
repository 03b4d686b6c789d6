"""Rows of many tables inserted and read back in one message: those that their tables accept at once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from promthctl.isolation.sample_row import HERE, SampleRow, Values, insertion, returning, stored_row
from promthctl.isolation.sandbox import Sandbox
from promthctl.isolation.tables import ProbedTable

# A table's rows are there together, so that they do not collide later. PT003 undoes what is not to stay.
_BLOCK = """
do $promthctl_block$
declare
  plan jsonb := current_setting('promthctl.plan')::jsonb;
  found jsonb := '[]'; rows jsonb; one jsonb; part jsonb; stored jsonb; place text;
begin
  for part in select value from jsonb_array_elements(plan -> 'tables') loop
    rows := '[]';
    begin
      for one in select value from jsonb_array_elements(part) loop
        execute one ->> 'make' into place;
        if place is null then raise sqlstate 'PT002'; end if;
        execute replace(one ->> 'read', 'promthctl_here()', place) into stored;
        if stored is null then raise sqlstate 'PT002'; end if;
        rows := rows || jsonb_build_array(stored);
      end loop;
      if not (plan -> 'keep')::boolean then raise sqlstate 'PT003'; end if;
    exception
      when sqlstate 'PT003' then null;
      when others then rows := '[]';
    end;
    found := found || jsonb_build_array(rows);
  end loop;
  perform set_config('promthctl.found', found::text, true);
end $promthctl_block$; select current_setting('promthctl.found')"""


def insert_all(sandbox: Sandbox, wanted: Sequence[tuple[ProbedTable, str, Values]], keep: bool) -> list[SampleRow]:
    """The rows of those tables of which all are accepted; the others are left for one attempt after the other.

    wanted: (table, user, values), those of one table one after the other. keep: they stay until the stage ends.
    Raises psycopg.Error where the connection is lost.
    """
    groups = [list(group) for _, group in itertools.groupby(wanted, key=lambda one: one[0].oid)]
    if not groups:
        return []
    plan = {"keep": keep, "tables": [[_planned(table, values) for table, _, values in group] for group in groups]}
    before = sql.SQL("select set_config('promthctl.plan', {}, true); ").format(json.dumps(plan))
    try:
        answer = sandbox.run(before + sql.SQL(_BLOCK))
    except psycopg.Error:  # one after the other, then
        if sandbox.connection.broken:
            raise
        return []
    found: list[SampleRow] = []
    for group, rows in zip(groups, json.loads(answer[0][0]), strict=True):
        for (table, user, given), texts in zip(group, rows, strict=False):
            row = stored_row(table, user, given, texts)
            key = {name: row.values[name] for name in table.primary_key if not table.column[name].generated}
            row.given.update(key)
            found.append(row)
    return found


def _planned(table: ProbedTable, values: Values) -> dict[str, Any]:
    """What the block does for one row: it is found by its key or its place, and read as one JSON array."""
    found, _ = returning(table)
    read = sql.SQL("select to_jsonb(array[{}]) from {} where {}").format(
        _columns(table), table.identifier, sql.SQL(HERE)
    )
    return {"make": (insertion(table, values) + found).as_string(), "read": read.as_string()}


def _columns(table: ProbedTable) -> sql.Composable:
    texts = (sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in table.columns)
    return sql.SQL(", ").join([sql.SQL("ctid::text"), sql.SQL("tableoid::text"), *texts])
