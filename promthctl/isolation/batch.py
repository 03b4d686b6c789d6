"""Many things tried in one message: each in a savepoint of its own, as whoever tries it, and undone before the next.

A block of PL/pgSQL on the server does what Sandbox.attempt does for one statement, so that a database 50 ms away
costs one round trip for all calls of a function. What a result shows is looked for on the server: no row comes back.

What is asked after a trial can be a long query over many tables: it is asked only where the trial wrote to one of them,
which PostgreSQL counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from promthctl.isolation.sandbox import Actor, Sandbox, settings_of

GUARDS = -1  # the place, in what is asked after a trial, of what guards the tables
_AT_ONCE = 120  # trials in one message
_SINGLE_MS = 3_000
_BATCH_MS = _SINGLE_MS + 1_000  # of all trials in a message, so that what began late has time, too
_CANCELED = errors.QueryCanceled.sqlstate
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
  watched oid[] := {watched};
  written text;
  began timestamptz;
begin
  if watched <> '{{}}' and current_setting('track_counts')::bool then
    watched := array(
      with recursive below (oid) as (
        select unnest(watched) union select inhrelid from pg_inherits join below on inhparent = oid)
      select oid from below) || array['pg_catalog.pg_attribute'::regclass, 'pg_catalog.pg_class'::regclass,
        'pg_catalog.pg_policy'::regclass]::oid[];
  else
    watched := null;
  end if;
  for i in 1 .. cardinality(statements) loop
    began := clock_timestamp();
    begin
      if watched is not null then
        written := {count};
      end if;
      perform set_config(key, value, true) from jsonb_each_text(settings -> actors[i]);
      execute statements[i] into found;
      perform set_config('role', {own_role}, true);
      left_behind := null;
      if after <> '' then
        if {settled} then
          set constraints all immediate;
        end if;
        if watched is null or written is distinct from {count} then
          begin
            execute after into left_behind;
          exception when undefined_table or undefined_column then  -- it is gone
            left_behind := jsonb_build_object({guards},
              jsonb_build_array('{{}}'::jsonb, jsonb_build_object('', sqlerrm)));
          end;
        end if;
      end if;
      raise exception using errcode = {undo}, message = jsonb_build_array(found, left_behind)::text;
    exception when sqlstate {undo} then
      results := results || jsonb_build_array(jsonb_build_array('') || sqlerrm::jsonb);
    when query_canceled then
      results := results || jsonb_build_array(jsonb_build_array(sqlstate, sqlerrm,
        extract(epoch from clock_timestamp() - began) * 1000));
      exit;
    when others then
      results := results || jsonb_build_array(jsonb_build_array(sqlstate, sqlerrm, null));
    end;
  end loop;
  perform set_config({name}, results::text, true);
end
"""

# A truncation is not counted, but gives a table another file.
_COUNT = """(
  select concat_ws(' ', sum(pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
    + pg_stat_get_xact_tuples_deleted(oid)), sum(pg_relation_filenode(oid)::bigint)) from unnest(watched) each (oid))"""


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
        return self.state == _CANCELED


def try_all(
    sandbox: Sandbox, trials: Sequence[Trial], after: str = "", settled: bool = True, watched: Sequence[int] = ()
) -> Iterator[TrialResult]:
    """The result of each trial, in order; nothing of them stays.

    after: a query for one text, run by the connection's own role after each statement that went through. settled: the
    deferred constraints are met before the trials, so they are checked before that query. watched: oids of tables: the
    query yields nothing unless the statement has changed one of them; none if that is not so. Raises psycopg.Error when
    the connection is lost.
    """
    for start in range(0, len(trials), _AT_ONCE):
        yield from _some(sandbox, trials[start : start + _AT_ONCE], after, settled, watched)


def _some(
    sandbox: Sandbox, trials: Sequence[Trial], after: str, settled: bool, watched: Sequence[int]
) -> Iterator[TrialResult]:
    """What took too long by itself has the rest, which could take as long, not tried."""
    done = 0
    while done < len(trials):
        try:
            results = _send(sandbox, trials[done:], after, settled, watched)
        except psycopg.Error as error:
            if sandbox.connection.broken:
                raise
            results = [(error.sqlstate or "", str(error).partition("\n")[0], None)]
            if len(trials) - done > 1:  # one of them ended the block
                results = _send_alone(sandbox, trials[done], after, settled, watched)
        for place, (state, one, two) in enumerate(results):
            if state == _CANCELED:
                if place == 0 or two is None or two >= _SINGLE_MS:
                    yield from (TrialResult(None, None, state, one) for _ in trials[done:])
                    return
                break  # what was before it took the time
            yield TrialResult(None, None, state, one) if state else TrialResult(one, two)
            done += 1


def _send_alone(
    sandbox: Sandbox, trial: Trial, after: str, settled: bool, watched: Sequence[int]
) -> list[tuple[str, Any, Any]]:
    try:
        return _send(sandbox, [trial], after, settled, watched)
    except psycopg.Error as error:
        if sandbox.connection.broken:
            raise
        return [(error.sqlstate or "", str(error).partition("\n")[0], None)]


def _send(
    sandbox: Sandbox, trials: Sequence[Trial], after: str, settled: bool, watched: Sequence[int]
) -> list[tuple[str, Any, Any]]:
    """For each trial what it found and what was left behind, or the SQLSTATE, the message and, of one that was
    canceled, its milliseconds: after that one none was tried."""
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
        watched=sql.SQL("{}::oid[]").format(sql.Literal("{" + ",".join(map(str, watched)) + "}")),
        count=sql.SQL(_COUNT),
        own_role=sql.Literal(sandbox.own_role),
        undo=sql.Literal(_UNDO),
        guards=sql.Literal(str(GUARDS)),
        name=sql.Literal(_RESULTS),
    )
    found = sandbox.run_limited(
        sql.SQL("do language plpgsql {}").format(sql.Literal(block.as_string(sandbox.connection))),
        sql.SQL("select current_setting({})").format(sql.Literal(_RESULTS)),
        _BATCH_MS,
    )
    return list(json.loads(found[0][0]))
