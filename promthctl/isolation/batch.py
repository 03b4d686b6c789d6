"""Many things tried in one message: each in a savepoint of its own, as whoever tries it, and undone before the next.

A block of PL/pgSQL on the server does what Sandbox.attempt does for one statement, so that a database 50 ms away
costs one round trip for all calls of a function. What a result shows is looked for on the server: no row comes back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from promthctl.isolation.sandbox import Actor, Sandbox, settings_of

_AT_ONCE = 120  # trials in one message
_BATCH_MS = 10_000
_SINGLE_MS = 3_000
_UNDO = "PRMTH"  # the SQLSTATE with which a trial ends that went through
_RESULTS = "promthctl.results"

# A raised exception undoes the trial and carries what it found out of it.
_BLOCK = """
declare
  statements text[] := {statements};
  actors int[] := {actors};
  settings jsonb := {settings};
  after text := {after};
  results jsonb := '[]';
  found text;
  left_behind text;
begin
  for i in 1 .. cardinality(statements) loop
    begin
      perform set_config(key, value, true) from jsonb_each_text(settings -> actors[i]);
      execute statements[i] into found;
      perform set_config('role', {own_role}, true);
      left_behind := null;
      if after <> '' then
        if {settled} then
          set constraints all immediate;
        end if;
        execute after into left_behind;
      end if;
      raise exception using errcode = {undo}, message = jsonb_build_array(found, left_behind)::text;
    exception when sqlstate {undo} then
      results := results || jsonb_build_array(jsonb_build_array('') || sqlerrm::jsonb);
    when others then
      results := results || jsonb_build_array(jsonb_build_array(sqlstate, sqlerrm, null));
    end;
  end loop;
  perform set_config({name}, results::text, true);
end
"""


@dataclass(frozen=True)
class Trial:
    """A statement that yields one text, run as `actor` with more settings, such as request headers."""

    actor: Actor
    statement: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class TrialResult:
    """found: the statement's text, None for none. after: what the second query saw. state: SQLSTATE, empty for success.

    slow: it took too long.
    """

    found: str | None
    after: str | None
    state: str = ""
    message: str = ""

    @property
    def slow(self) -> bool:
        return self.state == errors.QueryCanceled.sqlstate


def try_all(sandbox: Sandbox, trials: Sequence[Trial], after: str = "", settled: bool = True) -> Iterator[TrialResult]:
    """The result of each trial, in order; nothing of them stays.

    after: a query for one text, run by the connection's own role after each statement that went through. settled: the
    deferred constraints are met before the trials, so they are checked before that query. Raises psycopg.Error when the
    connection is lost.
    """
    for start in range(0, len(trials), _AT_ONCE):
        yield from _some(sandbox, trials[start : start + _AT_ONCE], after, settled, _BATCH_MS)


def _some(sandbox: Sandbox, trials: Sequence[Trial], after: str, settled: bool, limit: int) -> Iterator[TrialResult]:
    try:
        results = _send(sandbox, trials, after, settled, limit)
    except psycopg.Error as error:
        if sandbox.connection.broken:
            raise
        if len(trials) == 1:
            yield TrialResult(None, None, error.sqlstate or "", str(error).partition("\n")[0])
            return
        for place, trial in enumerate(trials):  # one of them was cancelled, and with it the block
            result = next(_some(sandbox, [trial], after, settled, _SINGLE_MS))
            yield result
            if result.slow:  # the rest would take as long
                yield from (result for _ in trials[place + 1 :])
                return
        return
    for state, one, two in results:
        yield TrialResult(None, None, state, one) if state else TrialResult(one, two)


def _send(
    sandbox: Sandbox, trials: Sequence[Trial], after: str, settled: bool, limit: int
) -> list[tuple[str, Any, Any]]:
    actors: dict[str, int] = {}
    numbers = []
    for trial in trials:
        key = json.dumps({**dict(settings_of(trial.actor)), **trial.settings})
        numbers.append(actors.setdefault(key, len(actors)))
    block = sql.SQL(_BLOCK).format(
        statements=sql.Literal([trial.statement for trial in trials]),
        actors=sql.Literal(numbers),
        settings=sql.Literal(f"[{', '.join(actors)}]"),
        after=sql.Literal(after),
        settled=sql.Literal(settled),
        own_role=sql.Literal(sandbox.own_role),
        undo=sql.Literal(_UNDO),
        name=sql.Literal(_RESULTS),
    )
    found = sandbox.run_limited(
        sql.SQL("do language plpgsql {}").format(sql.Literal(block.as_string(sandbox.connection))),
        sql.SQL("select current_setting({})").format(sql.Literal(_RESULTS)),
        limit,
    )
    return list(json.loads(found[0][0]))
