"""Tries many rows as many callers in one round trip: a block of PL/pgSQL on the server, every attempt of it undone.

A block has variations (what the rows hold) and callers. For each pair it makes the row, tells which alternatives of the
policies are true for the caller, and tries what the caller's probes say; then it goes back to where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from psycopg.errors import QueryCanceled

from promthctl.isolation.sandbox import Sandbox

_PAIRS = 150  # of variation and caller in one block, so that no block runs into the statement timeout
_STOPPED = 4  # blocks that may take too long

# The place of the made row, `@` in a probe, is known only there. PT001 undoes an attempt, PT002 a variation.
_BLOCK = sql.SQL("""
do $promthctl_block$
declare
  plan jsonb := current_setting('promthctl.plan')::jsonb;
  found jsonb := '[]'; v jsonb; caller jsonb; probe jsonb; hits jsonb; holds jsonb; failed jsonb; stored jsonb;
  each text; place text; met boolean; ok boolean; n bigint; r record; made refcursor := 'promthctl_made';
begin
  for v in select value from jsonb_array_elements(plan -> 'variations') loop
    for caller in select plan -> 'callers' -> value::int from jsonb_array_elements_text(v -> 'callers') loop
      hits := '[]'; holds := '[]'; failed := '[]'; met := null;
      begin
        for each in select value from jsonb_array_elements_text((v -> 'before') || (caller -> 'before')) loop
          execute each;
        end loop;
        if jsonb_array_length(v -> 'acts') > 0 then
          if v ? 'row' then
            open made for execute v ->> 'row';
            fetch made into r;
          end if;
          execute caller ->> 'become';
          for each in select value from jsonb_array_elements_text(v -> 'acts') loop
            execute each;
            get diagnostics n = row_count;
            if n = 0 then raise sqlstate 'PT002'; end if;
          end loop;
          execute plan ->> 'return';
          if v ? 'row' then close made; end if;
        end if;
        if v -> 'forged' ? (caller ->> 'role') then
          begin
            execute caller ->> 'become';
            execute v -> 'forged' ->> (caller ->> 'role');
            get diagnostics n = row_count;
            if n > 0 and plan ? 'is_forged' then
              execute plan ->> 'return';
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
        execute replace(plan ->> 'stored', '@', place) into stored;
        if plan ? 'meets' then execute replace(plan ->> 'meets', '@', place) into met; end if;
        for probe in select value from jsonb_array_elements(caller -> 'alternatives') loop
          begin
            execute caller ->> 'become';
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
              open made for execute replace(plan ->> 'row', '@', place);
              fetch made into r;
            end if;
            execute caller ->> 'become';
            if probe ? 'cursor' then
              begin
                execute probe ->> 'cursor';
                get diagnostics n = row_count;
              exception when feature_not_supported or invalid_cursor_state then
                execute replace(probe ->> 'sql', '@', place);
                get diagnostics n = row_count;
              end;
            else
              execute replace(probe ->> 'sql', '@', place);
              get diagnostics n = row_count;
            end if;
            if n > 0 and probe ? 'seen' then
              execute plan ->> 'return';
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
          found := found || jsonb_build_array(jsonb_build_array(v -> 'id', caller -> 'id', hits, holds, met, failed));
        when sqlstate 'PT002' then null;
        when others then
          found := found || jsonb_build_array(jsonb_build_array(v -> 'id', caller -> 'id', null, null, null, sqlerrm));
      end;
    end loop;
  end loop;
  perform set_config('promthctl.found', found::text, true);
end $promthctl_block$; select current_setting('promthctl.found')""")


@dataclass(frozen=True)
class Probe:
    """verb: what it shows if it reaches a row. statement: `@` stands for the condition that finds the row.

    through_cursor: the same without the condition, at the cursor's row. seen: whether it had the effect, asked by the
    connection's own role.
    """

    verb: str
    statement: str
    through_cursor: str | None = None
    seen: str | None = None


@dataclass(frozen=True)
class Caller:
    """become: SQL that takes the role and the claims. before: SQL of the connection's own role, in every variation.

    alternatives: by number, the question whether one of the policies' alternatives is true of the row ($1, as JSON).
    """

    name: str
    role: str
    become: str
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


@dataclass(frozen=True)
class TrialMatrix:
    """stored, row, meets: SQL of the connection's own role with `@`: the row as JSON, the row, whether it is public.

    is_forged: whether a row inserted by a caller is as the caller wanted. come_back: SQL that takes the own role.
    """

    callers: Sequence[Caller]
    stored: str
    row: str
    come_back: str
    meets: str | None = None
    is_forged: str | None = None

    def run(self, sandbox: Sandbox, variations: Sequence[Variation]) -> list[Result]:
        """Every pair whose row could be made. Raises psycopg.Error where a block is stopped, by a timeout for one.

        A block that takes too long is tried in halves.
        """
        found: list[Result] = []
        step = max(_PAIRS // max(len(self.callers), 1), 1)
        waiting = [variations[start : start + step] for start in range(0, len(variations), step)]
        stopped = 0
        while waiting:
            part = waiting.pop(0)
            try:
                answer = sandbox.run(
                    sql.SQL("select set_config('promthctl.plan', {}, true); ").format(json.dumps(self._plan(part)))
                    + _BLOCK
                )  # fmt: skip
            except QueryCanceled:  # all of it together takes too long, or one of it
                stopped += 1
                if len(part) == 1 or stopped > _STOPPED:
                    raise
                half = (len(part) + 1) // 2
                waiting[:0] = [part[:half], part[half:]]
                continue
            for number, caller, hits, holds, met, failed in json.loads(answer[0][0]):
                if hits is not None:
                    shown = {part[number].shows} if part[number].shows else hits
                    found.append(Result(part[number], self.callers[caller], frozenset(shown), frozenset(holds),
                                        bool(met), tuple(failed)))  # fmt: skip
        return found

    def _plan(self, variations: Sequence[Variation]) -> dict[str, Any]:
        everyone = list(range(len(self.callers)))
        plan: dict[str, Any] = {
            "stored": self.stored,
            "row": self.row,
            "return": self.come_back,
            "callers": [self._caller(number, each) for number, each in enumerate(self.callers)],
            "variations": [
                {"id": number, "make": each.make, "before": list(each.before), "acts": list(each.acts),
                 "forged": dict(each.forged), "callers": everyone if each.callers is None else list(each.callers),
                 **({"row": each.row} if each.row else {})}
                for number, each in enumerate(variations)
            ],
        }  # fmt: skip
        return plan | {name: text for name, text in (("meets", self.meets), ("is_forged", self.is_forged)) if text}

    @staticmethod
    def _caller(number: int, caller: Caller) -> dict[str, Any]:
        probes = []
        for each in caller.probes:
            probe = {"verb": each.verb, "sql": each.statement}
            probes.append(probe | {name: text for name, text in (("cursor", each.through_cursor), ("seen", each.seen))
                                   if text})  # fmt: skip
        return {"id": number, "role": caller.role, "become": caller.become, "before": list(caller.before),
                "probes": probes, "alternatives": [list(each) for each in caller.alternatives.items()]}  # fmt: skip
