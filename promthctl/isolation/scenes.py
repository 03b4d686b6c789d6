"""Many attempts on many tables in one message: a block of PL/pgSQL on the server, every attempt of it undone.

A scene makes a row, or none, and has attempts, each of which starts from there. Several tables share a block: PL/pgSQL
makes its plans once for a block, and a database that is 50 ms away costs one round trip for all of them.

A statement's time limit ends one attempt and with it the block, because PostgreSQL starts its clock once for a message;
another message goes on after it. What took too long is not paid for twice: nothing more of that table is tried.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql

from promthctl.isolation.sandbox import Sandbox

_SINGLE_MS = 3_000
_BATCH_MS = _SINGLE_MS + 1_000  # of all attempts in a message, so that what began late has time, too
_CANCELED, _LOCKED = errors.QueryCanceled.sqlstate, errors.LockNotAvailable.sqlstate

# PT001 undoes an attempt, PT003 a scene.
_BLOCK = """
declare
  plan jsonb := current_setting('promthctl.plan')::jsonb;
  found jsonb := '[]'; scene jsonb; attempt jsonb; results jsonb; stored jsonb; seen jsonb;
  each text; place text; n bigint; r record; made refcursor := 'promthctl_made';
  began timestamptz; canceled boolean := false; locked text;
begin
  for scene in select value from jsonb_array_elements(plan -> 'scenes') loop
    exit when canceled;
    results := '[]'; stored := null; place := '';
    begin
      if scene ->> 'of' = locked then raise sqlstate 'PT003'; end if;
      if scene ? 'make' then
        execute scene ->> 'make' into place;
        if place is null then raise sqlstate 'PT003'; end if;
        if scene ? 'find' then
          execute replace(scene ->> 'find', 'promthctl_here()', place) into place;
        end if;
        execute replace(scene ->> 'stored', 'promthctl_here()', place) into stored;
      end if;
      for attempt in select value from jsonb_array_elements(scene -> 'attempts') loop
        n := 0; seen := null; began := clock_timestamp();
        begin
          for each in select value from jsonb_array_elements_text(attempt -> 'before') loop
            execute replace(each, 'promthctl_here()', place);
          end loop;
          if attempt ? 'cursor' then
            open made for execute replace(scene ->> 'row', 'promthctl_here()', place);
            fetch made into r;
            perform set_config(key, value, true) from jsonb_each_text(plan -> 'actors' -> (attempt ->> 'actor'));
            begin
              execute attempt ->> 'cursor';
              get diagnostics n = row_count;
            exception when feature_not_supported or invalid_cursor_state then
              execute replace(attempt ->> 'sql', 'promthctl_here()', place);
              get diagnostics n = row_count;
            end;
          else
            perform set_config(key, value, true) from jsonb_each_text(plan -> 'actors' -> (attempt ->> 'actor'));
            execute replace(attempt ->> 'sql', 'promthctl_here()', place);
            get diagnostics n = row_count;
          end if;
          if n > 0 and attempt ? 'seen' then
            perform set_config('role', plan ->> 'return', true);
            execute attempt ->> 'seen' into seen;
          end if;
          raise sqlstate 'PT001';
        exception
          when sqlstate 'PT001' then
            results := results || jsonb_build_array(jsonb_build_array(n, seen));
          when query_canceled then
            results := results || jsonb_build_array(jsonb_build_array(0, null, sqlstate, sqlerrm,
              extract(epoch from clock_timestamp() - began) * 1000));
            canceled := true;
          when others then
            results := results || jsonb_build_array(jsonb_build_array(0, null, sqlstate, sqlerrm));
            if sqlstate = '55P03' then locked := scene ->> 'of'; end if;
        end;
        exit when canceled or scene ->> 'of' = locked;
      end loop;
      raise sqlstate 'PT003';
    exception
      when sqlstate 'PT003' then null;
      when others then stored := null; results := '[]';
    end;
    found := found || jsonb_build_array(jsonb_build_array(stored, results));
  end loop;
  perform set_config('promthctl.found', found::text, true);
end
"""


@dataclass(frozen=True)
class Tried:
    """What became of an attempt. rows: how many it reached. seen: what was asked for afterwards. state: SQLSTATE, empty
    for success; message: what the database said. spent: milliseconds, where it was canceled."""

    rows: int
    seen: Any = None
    state: str = ""
    message: str = ""
    spent: float = 0

    @property
    def slow(self) -> bool:
        """Whether it was ended because it took too long."""
        return self.state in (_CANCELED, _LOCKED)


@dataclass(frozen=True)
class SceneAttempt:
    """actor: by name. before: SQL of the connection's own role. through_cursor: tried first, on the scene's row.

    seen: a query for one JSON value, by the own role, where a row was reached.
    """

    actor: str
    statement: str
    before: Sequence[str] = ()
    through_cursor: str | None = None
    seen: str | None = None

    def as_json(self) -> dict[str, Any]:
        plan = {"actor": self.actor, "sql": self.statement, "before": list(self.before)}
        return plan | {name: text for name, text in (("cursor", self.through_cursor), ("seen", self.seen)) if text}


@dataclass
class Scene:
    """make: SQL that makes the row and returns the condition that finds it; empty where it is there, or none is needed.

    find: SQL for the row's place, where it may have moved since. stored: a query for the row's values, as a JSON array.
    row: finds the row, for attempts through a cursor. sample_row.HERE stands for the row's condition in all but `make`.
    of: the table. After an attempt that took too long no other of the same table is made.
    """

    of: str
    make: str = ""
    find: str = ""
    stored: str = ""
    row: str = ""
    attempts: list[SceneAttempt] = field(default_factory=list)

    def as_json(self, attempts: Sequence[SceneAttempt] | None = None) -> dict[str, Any]:
        given = self.attempts if attempts is None else attempts
        plan: dict[str, Any] = {"of": self.of, "attempts": [each.as_json() for each in given]}
        texts = (("make", self.make), ("find", self.find), ("stored", self.stored), ("row", self.row))
        return plan | {name: text for name, text in texts if text}


@dataclass(frozen=True)
class Played:
    """What came of a scene. stored: the made row's values. tried: one for each attempt; none, if no row was made."""

    stored: Any
    tried: Sequence[Tried]

    @property
    def slow(self) -> bool:
        """Whether it ended with an attempt that took too long; those after it were not made."""
        return any(one.slow for one in self.tried)


def play(sandbox: Sandbox, actors: Mapping[str, Mapping[str, str]], scenes: Sequence[Scene]) -> list[Played]:
    """Every scene; nothing of it stays. actors: by name, the settings that say who calls.

    Raises psycopg.Error where the connection is lost.
    """
    played: list[Played] = []
    tried: list[Tried] = []  # of the first of the scenes that are left, where a message ended within it
    slow = ""  # the table of the last attempt that took too long
    while len(played) < len(scenes):
        left = scenes[len(played) :]
        if left[0].of == slow:
            played.append(Played(None, _padded((), left[0])))
            continue
        plans = [left[0].as_json(left[0].attempts[len(tried) :]), *(scene.as_json() for scene in left[1:])]
        try:
            found = _send(sandbox, actors, plans, _BATCH_MS)
        except psycopg.Error:
            if sandbox.connection.broken:
                raise
            return [*played, *_in_halves(sandbox, actors, left)]
        for number, (stored, results) in enumerate(found):
            scene, before = left[number], tried if number == 0 else []
            now = [Tried(*each) for each in results]
            if now and now[-1].state == _CANCELED and not _took_too_long(now, number):
                tried = [*before, *now[:-1]]  # what was before it took the time
                break
            ended = bool(now) and now[-1].slow
            slow = scene.of if ended else slow
            whole = [*before, *now]
            played.append(Played(stored, _padded(whole, scene) if whole or scene.of == slow else whole))
            tried = []
    return played


def _took_too_long(now: Sequence[Tried], number: int) -> bool:
    """Whether the last, which was canceled, had its time: it alone took so long, or nothing was before it."""
    return now[-1].spent >= _SINGLE_MS or (number == 0 and len(now) == 1)


def _padded(tried: Sequence[Tried], scene: Scene) -> list[Tried]:
    return [*tried, *(Tried(0) for _ in scene.attempts[len(tried) :])]


def _in_halves(sandbox: Sandbox, actors: Mapping[str, Mapping[str, str]], scenes: Sequence[Scene]) -> list[Played]:
    """As play, after a block that was ended as a whole."""
    if len(scenes) == 1:
        return [_one_by_one(sandbox, actors, scenes[0])]
    half = len(scenes) // 2
    return [*play(sandbox, actors, scenes[:half]), *play(sandbox, actors, scenes[half:])]


def _one_by_one(sandbox: Sandbox, actors: Mapping[str, Mapping[str, str]], scene: Scene) -> Played:
    """Its attempts alone, up to the first that takes too long: the others could take as long.

    What ends a whole block, such as a failed ASSERT, ends only the attempt here.
    """
    stored: Any = None
    tried: list[Tried] = []
    for attempt in scene.attempts:
        try:
            played = _played(*_send(sandbox, actors, [scene.as_json([attempt])], _SINGLE_MS)[0])
        except psycopg.Error as error:
            if sandbox.connection.broken:
                raise
            one = Tried(0, None, error.sqlstate or "", error.diag.message_primary or str(error))
            tried.append(one)
            if one.slow:
                return Played(stored, _padded(tried, scene))
            continue
        if not played.tried:
            return played
        stored = played.stored
        tried.extend(played.tried)
        if played.slow:
            return Played(stored, _padded(tried, scene))
    return Played(stored, tried)


def _played(stored: Any, tried: Sequence[Sequence[Any]]) -> Played:
    return Played(stored, [Tried(*each) for each in tried])


def _send(sandbox: Sandbox, actors: Mapping[str, Mapping[str, str]], scenes: Sequence[Any], limit: int) -> list[Any]:
    plan = {"actors": dict(actors), "return": sandbox.own_role, "scenes": scenes}
    found = sandbox.run_limited(
        sql.SQL("do $promthctl_block${}$promthctl_block$").format(sql.SQL(_BLOCK)),
        sql.SQL("select current_setting('promthctl.found')"),
        limit,
        sql.SQL("select set_config('promthctl.plan', {}, true)").format(json.dumps(plan)),
    )
    return list(json.loads(found[0][0]))
