"""Tries many rows as many callers in one round trip: a block of PL/pgSQL on the server, every attempt of it undone.

A block has variations (what the rows hold) and callers. For each pair it makes the row, tells which alternatives of the
policies are true for the caller, and tries what the caller's probes say; then it goes back to where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import QueryCanceled

from promthctl.isolation.sandbox import Sandbox

_PAIRS = 150  # of variation and caller in one block, so that no block runs into its time limit
_TOO_LONG = "an attempt took too long"
_STOPPED = 4  # blocks that may take too long
_PAIR_MS = 3_000
_BLOCK_MS = _PAIR_MS + 1_000  # of all pairs in a message, so that what began late has time, too

# The place of the made row, HERE in a probe, is known only there. PT001 undoes an attempt, PT002 a variation.
_BLOCK = sql.SQL("""
do $promthctl_block$
declare
  plan jsonb; found jsonb := '[]'; v jsonb; caller jsonb; probe jsonb; hits jsonb; holds jsonb; failed jsonb;
  stored jsonb; each text; place text; met boolean; ok boolean; n bigint; r record; made refcursor := 'promthctl_made';
  began timestamptz; canceled boolean := false;
begin
 for plan in select value from jsonb_array_elements(current_setting('promthctl.plan')::jsonb) loop
  for v in select value from jsonb_array_elements(plan -> 'variations') loop
    for caller in select plan -> 'callers' -> value::int from jsonb_array_elements_text(v -> 'callers') loop
      exit when canceled;
      hits := '[]'; holds := '[]'; failed := '[]'; met := null; began := clock_timestamp();
      begin
        for each in select value from jsonb_array_elements_text((v -> 'before') || (caller -> 'before')) loop
          execute each;
        end loop;
        if jsonb_array_length(v -> 'acts') > 0 then
          if v ? 'row' then
            open made for execute v ->> 'row';
            fetch made into r;
          end if;
          perform set_config(key, value, true) from jsonb_each_text(caller -> 'become');
          for each in select value from jsonb_array_elements_text(v -> 'acts') loop
            execute each;
            get diagnostics n = row_count;
            if n = 0 then raise sqlstate 'PT002'; end if;
          end loop;
          perform set_config('role', plan ->> 'return', true);
          if v ? 'row' then close made; end if;
        end if;
        if v -> 'forged' ? (caller ->> 'role') then
          begin
            perform set_config(key, value, true) from jsonb_each_text(caller -> 'become');
            execute v -> 'forged' ->> (caller ->> 'role');
            get diagnostics n = row_count;
            if n > 0 and plan ? 'is_forged' then
              perform set_config('role', plan ->> 'return', true);
              execute plan ->> 'is_forged';
              get diagnostics n = row_count;
            end if;
            if n > 0 then hits := hits || '["insert"]'; end if;
            raise sqlstate 'PT001';
          exception
            when sqlstate 'PT001' or insufficient_privilege then null;
            when others then failed := failed || to_jsonb('insert: ' || sqlerrm);
          end;
        end if;
        execute v ->> 'make' into place;
        if place is null then raise sqlstate 'PT002'; end if;
        if plan ? 'find' then execute replace(plan ->> 'find', 'promthctl_here()', place) into place; end if;
        execute replace(plan ->> 'stored', 'promthctl_here()', place) into stored;
        if plan ? 'meets' then execute replace(plan ->> 'meets', 'promthctl_here()', place) into met; end if;
        for probe in select value from jsonb_array_elements(caller -> 'alternatives') loop
          begin
            perform set_config(key, value, true) from jsonb_each_text(caller -> 'become');
            execute probe ->> 1 into ok using stored;
            if ok then holds := holds || (probe -> 0); end if;
            raise sqlstate 'PT001';
          exception
            when sqlstate 'PT001' then null;
            when others then null;
          end;
        end loop;
        for probe in select value from jsonb_array_elements(caller -> 'probes') loop
          begin
            if probe ? 'cursor' then
              open made for execute replace(plan ->> 'row', 'promthctl_here()', place);
              fetch made into r;
            end if;
            perform set_config(key, value, true) from jsonb_each_text(caller -> 'become');
            if probe ? 'cursor' then
              begin
                execute probe ->> 'cursor';
                get diagnostics n = row_count;
              exception when feature_not_supported or invalid_cursor_state then
                execute replace(probe ->> 'sql', 'promthctl_here()', place);
                get diagnostics n = row_count;
              end;
            else
              execute replace(probe ->> 'sql', 'promthctl_here()', place);
              get diagnostics n = row_count;
            end if;
            if n > 0 and probe ? 'seen' then
              perform set_config('role', plan ->> 'return', true);
              execute probe ->> 'seen';
              get diagnostics n = row_count;
            end if;
            if n > 0 then hits := hits || jsonb_build_array(probe -> 'verb'); end if;
            raise sqlstate 'PT001';
          exception
            when sqlstate 'PT001' or insufficient_privilege then null;
            when others then failed := failed || to_jsonb((probe ->> 'verb') || ': ' || sqlerrm);
          end;
        end loop;
        raise sqlstate 'PT003';
      exception
        when sqlstate 'PT003' then
          found := found || jsonb_build_array(jsonb_build_array(plan -> 'id', v -> 'id', caller -> 'id',
            hits, holds, met, failed));
        when sqlstate 'PT002' then null;
        when query_canceled then
          canceled := true;
          found := found || jsonb_build_array(jsonb_build_array(plan -> 'id', v -> 'id', caller -> 'id', null, null,
            null, sqlerrm, extract(epoch from clock_timestamp() - began) * 1000));
        when others then
          found := found || jsonb_build_array(jsonb_build_array(plan -> 'id', v -> 'id', caller -> 'id',
            null, null, null, sqlerrm));
      end;
    end loop;
  end loop;
 end loop;
  perform set_config('promthctl.found', found::text, true);
end $promthctl_block$""")


@dataclass(frozen=True)
class Probe:
    """verb: what it shows if it reaches a row. statement: HERE stands for the condition that finds the row.

    through_cursor: the same without the condition, at the cursor's row. seen: whether it had the effect, asked by the
    connection's own role.
    """

    verb: str
    statement: str
    through_cursor: str | None = None
    seen: str | None = None


@dataclass(frozen=True)
class Caller:
    """become: the settings that say who calls. before: SQL of the connection's own role, in every variation.

    alternatives: by number, the question whether one of the policies' alternatives is true of the row ($1, as JSON).
    """

    name: str
    role: str
    become: Mapping[str, str]
    probes: Sequence[Probe]
    alternatives: Mapping[int, str]
    before: Sequence[str] = ()


@dataclass(frozen=True)
class Variation:
    """make: SQL that makes the row and returns the condition that finds it. before: SQL that makes the rows around it.

    told: the values that differ, for people. acts: what the caller does first. forged: by role, an insert of the row
    by the caller. callers: by number; None for everyone. shows: the verb that reached a row if one is found afterwards.
    row: finds the row on which the acts are, through the cursor promthctl_made.
    """

    told: str
    make: str
    before: Sequence[str] = ()
    acts: Sequence[str] = ()
    forged: Mapping[str, str] = field(default_factory=dict)
    callers: Sequence[int] | None = None
    shows: str = ""
    row: str = ""


@dataclass(frozen=True)
class Result:
    """hits: the verbs that reached the row. holds: the alternatives that are true. met: whether the row is one of
    those declared public. failed: what was stopped by an error, and by which."""

    variation: Variation
    caller: Caller
    hits: frozenset[str]
    holds: frozenset[int]
    met: bool
    failed: tuple[str, ...]

    @property
    def effort(self) -> tuple[int, bool, int]:
        """How much has to be so for it: the least is told."""
        told = self.variation.told
        return len(self.variation.acts), "," in self.caller.name, told.count(" and ") + bool(told)


@dataclass(frozen=True)
class TrialMatrix:
    """stored, row, meets: SQL of the connection's own role with HERE: the row as JSON, the row, whether it is public.

    find: the row's place, where `make` returns another condition. is_forged: whether a row inserted by a caller is as
    the caller wanted. own_role: its name.
    """

    callers: Sequence[Caller]
    stored: str
    row: str
    own_role: str
    find: str = ""
    meets: str | None = None
    is_forged: str | None = None

    def plan(self, number: int, variations: Sequence[Variation]) -> dict[str, Any]:
        """What the block does with some of them, as JSON."""
        everyone = list(range(len(self.callers)))
        plan: dict[str, Any] = {
            "id": number,
            "stored": self.stored,
            "row": self.row,
            "return": self.own_role,
            "callers": [self._caller(number, each) for number, each in enumerate(self.callers)],
            "variations": [
                {"id": place, "make": each.make, "before": list(each.before), "acts": list(each.acts),
                 "forged": dict(each.forged), "callers": everyone if each.callers is None else list(each.callers),
                 **({"row": each.row} if each.row else {})}
                for place, each in enumerate(variations)
            ],
        }  # fmt: skip
        return plan | {name: text for name, text in self._asked if text}

    @property
    def _asked(self) -> tuple[tuple[str, str | None], ...]:
        return ("find", self.find), ("meets", self.meets), ("is_forged", self.is_forged)

    @staticmethod
    def _caller(number: int, caller: Caller) -> dict[str, Any]:
        probes = []
        for each in caller.probes:
            probe = {"verb": each.verb, "sql": each.statement}
            probes.append(probe | {name: text for name, text in (("cursor", each.through_cursor), ("seen", each.seen))
                                   if text})  # fmt: skip
        return {"id": number, "role": caller.role, "become": dict(caller.become), "before": list(caller.before),
                "probes": probes, "alternatives": [list(each) for each in caller.alternatives.items()]}  # fmt: skip


@dataclass
class Trial:
    """A matrix with what is tried in it.

    results: of every pair whose row could be made. unfinished: why not all was tried.
    """

    matrix: TrialMatrix
    variations: Sequence[Variation]
    results: list[Result] = field(default_factory=list)
    unfinished: str = ""
    stopped: int = 0  # blocks that took too long

    def parts(self) -> list[Sequence[Variation]]:
        """The variations, few enough for one block."""
        step = max(_PAIRS // max(len(self.matrix.callers), 1), 1)
        return [self.variations[start : start + step] for start in range(0, len(self.variations), step)]


_Part = tuple[Trial, Sequence[Variation]]


def try_together(sandbox: Sandbox, trials: Sequence[Trial]) -> None:
    """Fill in the results of all of them, with few round trips. Raises psycopg.Error where the connection is lost.

    A block whose time is over goes on in another one, without the trial of a pair that took too long by itself.
    """
    waiting = list(_blocks([(trial, part) for trial in trials for part in trial.parts()]))
    while waiting:
        block = [(trial, part) for trial, part in waiting.pop(0) if not trial.unfinished]
        try:
            left = _run(sandbox, block)
        except psycopg.Error as error:
            if sandbox.connection.broken:
                raise
            if len(block) > 1:
                half = len(block) // 2
                waiting[:0] = [block[:half], block[half:]]
                continue
            trial, part = block[0]
            trial.stopped += 1
            if len(part) == 1 or trial.stopped > _STOPPED or not isinstance(error, QueryCanceled):
                trial.unfinished = why_unfinished(error)
                continue
            half = (len(part) + 1) // 2
            waiting[:0] = [[(trial, part[:half])], [(trial, part[half:])]]
        else:
            waiting[:0] = [left] if left else []


def why_unfinished(error: psycopg.Error) -> str:
    """What an error says of the rest that was not tried."""
    why = error.diag.message_primary
    if isinstance(error, QueryCanceled):
        return f"{_TOO_LONG}: {why}"
    return f"its conditions could not be tried: {why or error}"


def _blocks(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    block: list[_Part] = []
    pairs = 0
    for trial, part in parts:
        size = len(part) * len(trial.matrix.callers)
        if block and pairs + size > _PAIRS:
            yield block
            block, pairs = [], 0
        block.append((trial, part))
        pairs += size
    if block:
        yield block


def _run(sandbox: Sandbox, block: Sequence[_Part]) -> list[_Part]:
    """Fill in the results of a block; what is left of it where its time was over."""
    if not block:
        return []
    plan = json.dumps([trial.matrix.plan(number, part) for number, (trial, part) in enumerate(block)])
    answer = sandbox.run_limited(
        _BLOCK,
        sql.SQL("select current_setting('promthctl.found')"),
        _BLOCK_MS,
        sql.SQL("select set_config('promthctl.plan', {}, true)").format(plan),
    )
    for number, place, caller, hits, holds, met, failed, *spent in json.loads(answer[0][0]):
        trial, part = block[number]
        if spent:
            return _left(block, number, place, caller, spent[0], failed)
        if hits is not None:
            shown = {part[place].shows} if part[place].shows else hits
            trial.results.append(Result(part[place], trial.matrix.callers[caller], frozenset(shown),
                                        frozenset(holds), bool(met), tuple(failed)))  # fmt: skip
    return []


def _left(block: Sequence[_Part], number: int, place: int, caller: int, spent: float, why: str) -> list[_Part]:
    """What of the block was not tried when this pair of a variation and a caller was canceled, after milliseconds."""
    trial, part = block[number]
    chosen = part[place].callers
    callers = list(range(len(trial.matrix.callers)) if chosen is None else chosen)
    first = number == place == 0 and caller == callers[0]
    trial.stopped += 1
    if spent >= _PAIR_MS or first or trial.stopped > _STOPPED:
        trial.unfinished = f"{_TOO_LONG}: {why}"
        return list(block[number + 1 :])
    rest = replace(part[place], callers=callers[callers.index(caller) :])
    return [(trial, [rest, *part[place + 1 :]]), *block[number + 1 :]]
