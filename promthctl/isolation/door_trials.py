"""The SQL with which a function is called and a view is looked into, so that only what was looked for comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from promthctl.isolation.batch import Trial, TrialResult
from promthctl.isolation.door_arguments import Known, calls_of
from promthctl.isolation.door_texts import DoorText
from promthctl.isolation.function_reading import ApiFunction, ApiView
from promthctl.isolation.sandbox import Actor

_MARKERS = "promthctl.markers"
_UUID = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f@-])")
# The function is called even where nothing is looked for; which markers it shows comes back by their places.
_SEARCH = """
with promthctl_all as materialized ({source})
select concat((select count(text) from promthctl_all), ':', (
  select string_agg(w.place::text, ',')
    from jsonb_array_elements_text(current_setting('promthctl.markers')::jsonb) with ordinality w (marker, place)
   where exists (select from promthctl_all where strpos(text, w.marker) > 0)))
"""
_MARKED = """
exists (select from jsonb_array_elements_text(current_setting('promthctl.markers')::jsonb) m
         where strpos({text}, m) > 0)
"""
_COUNTED = "with promthctl_done as ({statement} returning 1) select count(*)::text from promthctl_done"


@dataclass(frozen=True)
class DoorTrial:
    """trial: what is sent. actor: who tries. given: the SQL of the arguments. told: the same for people.

    verb: select (a call, too), update or delete.
    """

    trial: Trial
    actor: Actor
    given: str = ""
    told: str = ""
    verb: str = "select"


def function_trials(
    function: ApiFunction, text: DoorText, known: Known, actors: Sequence[Actor], markers: Sequence[str]
) -> Iterator[DoorTrial]:
    """Every way to call it, as every actor. markers: what is looked for."""
    for call in calls_of(function, known):
        called = f"{function.identifier.as_string(None)}({call.sql})"
        column, place = (called, "") if function.bare else ("promthctl_row", f" from {called} promthctl_row")
        statement = _SEARCH.format(source=f"select lower({column}::text) as text{place}")
        for actor in actors:
            base = {_MARKERS: json.dumps(markers), "search_path": _path(function.schema)}
            for claimed in ({}, *claims_for(actor, text)):
                yield DoorTrial(Trial(actor, statement, {**base, **claimed}), actor, call.sql.lower(), call.told)


def view_trials(
    view: ApiView, condition: str | None, actors: Sequence[Actor], markers: Sequence[str]
) -> Iterator[DoorTrial]:
    """Looking into it, as every actor. condition: on the rows that are declared public, which are left out."""
    name = view.identifier.as_string(None)
    rest = f" where ({condition}) is not true" if condition else ""
    for actor in actors:
        if columns := view.columns.get(actor.role):
            source = f"select {_together(columns)} as text from {name}{rest}"  # noqa: S608 - names are quoted
            statement = _SEARCH.format(source=source)
            yield DoorTrial(Trial(actor, statement, {_MARKERS: json.dumps(markers)}), actor)


def copy_trial(view: ApiView, actor: Actor, own: Actor, markers: Sequence[str]) -> DoorTrial | None:
    """Looking into what a materialized view will hold when it is made again: its query, as whoever tries it.

    own: who may run the query, since nobody else need have the right to.
    """
    if columns := view.columns.get(actor.role):
        source = f"select {_together(columns)} as text from ({view.definition}) promthctl_copy"  # noqa: S608
        statement = _SEARCH.format(source=source)
        return DoorTrial(Trial(own, statement, {_MARKERS: json.dumps(markers)}), actor)
    return None


def write_trials(view: ApiView, actors: Sequence[Actor], markers: Sequence[str]) -> Iterator[DoorTrial]:
    """Updating and deleting through it, the rows of the owner alone; they may be ones that everybody reads."""
    name = view.identifier.as_string(None)
    for actor in actors:
        columns = view.columns.get(actor.role)
        if not columns:
            continue
        where = _MARKED.format(text=_together(columns))
        settings = {_MARKERS: json.dumps(markers)}
        for verb in view.may.get(actor.role, ()):
            if verb not in view.updatable:
                continue
            if verb == "delete":
                statement = f"delete from {name} where {where}"  # noqa: S608
            elif settable := [column for column in view.settable if column in columns]:
                one = _quoted(settable[0])
                statement = f"update {name} set {one} = {one} where {where}"  # noqa: S608
            else:
                continue
            yield DoorTrial(Trial(actor, _COUNTED.format(statement=statement), settings), actor, verb=verb)


def seen(trial: DoorTrial, result: TrialResult, markers: Sequence[str]) -> list[str]:
    """The markers in a result that the caller did not put there. markers: all, in the order in which they were sent."""
    places = (result.found or ":").partition(":")[2]
    found = [markers[int(place) - 1] for place in places.split(",") if place]
    return [marker for marker in found if marker not in trial.given]


def claims_for(actor: Actor, text: DoorText) -> Iterator[dict[str, str]]:
    """What a caller may claim of themselves: user_metadata is theirs to write, and so are the headers of a request."""
    if not text.editable:
        return
    constants, keys = text.constants
    skipped = {
        "user_metadata",
        "raw_user_meta_data",
        "app_metadata",
        "sub",
        "role" if "user_metadata" not in text.text else "",
    }
    names = [key for key in keys if key not in skipped] or ["role"]
    values: list[object] = [True, *constants[:5]]
    for value in values:
        claimed = dict.fromkeys(names, value)
        settings = {
            "request.headers": json.dumps({name.lower(): value for name in names}),
            "request.cookies": json.dumps(claimed),
        }
        if actor.user:
            claims = json.dumps({**actor.claims, "user_metadata": claimed})
            settings["request.jwt.claims"] = claims
        yield settings


def own_metadata(texts: Sequence[DoorText]) -> str:
    """What an attacker writes into auth.users.raw_user_meta_data, as JSON; empty where nothing asks for it."""
    claimed: dict[str, str] = {}
    for text in texts:
        if "raw_user_meta_data" in text.text:
            constants, keys = text.constants
            likely = sorted(constants, key=lambda each: "admin" not in each.lower())
            claimed |= dict.fromkeys(keys or ("role",), likely[0] if likely else "true")
    return json.dumps(claimed) if claimed else ""


def _path(schema: str) -> str:
    """The search_path that PostgREST sets, with its default extra path."""
    return f"{_quoted(schema)}, public, extensions"


def _together(columns: Sequence[str]) -> str:
    """A row as one text in lower case."""
    return f"lower(concat_ws(' ', {', '.join(f'{_quoted(column)}::text' for column in columns)}))"


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)


def all_ids(texts: Sequence[str]) -> bool:
    """Whether UUIDs are all there is: what helpers of policies take and give, such as the owner of a document."""
    return bool(texts) and all(_UUID.search(text) for text in ([texts] if isinstance(texts, str) else texts))


def shows_something(result: TrialResult) -> bool:
    """Whether a call or a view gave anything but nulls."""
    return result.found is not None and not result.found.startswith("0:")
