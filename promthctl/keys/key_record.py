"""How a record (a JSON object, a row of CSV) becomes a key: the members it must have, and their types.

    api_key       required
    endpoint_id   required, unless the provider has a name for it
    id            the agent's number, required in a document of a provider with numbered agents
    name          default: "Agent <id>"; without a number the endpoint id, and without that the provider's title
    description, base_url, user
                  optional; user is an e-mail address or a UUID

Other members are ignored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promthctl.errors import UsageError
from promthctl.keys.key import Key, unusable
from promthctl.keys.providers import Provider
from promthctl.redact import remember_briefly

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_LARGEST_NUMBER = 1_000_000  # of an agent; a longer one may be a key in the wrong place, and would be shown
_LONGEST_USER = 320  # characters: the longest e-mail address (RFC 3696, erratum 1690)
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    float: "a fraction",
    type(None): "null",
}


class _DuplicateMember(dict[str, Any]):
    """An object that has a member twice; `member` is its name, which may be a key in the wrong place."""

    member = ""


@dataclass(frozen=True)
class RecordContext:
    """What holds for all records of a source.

    origin: the source's name, for people. base_url: that of records that bring none; forced: of all records.
    numbered: every record needs an agent's number.
    """

    provider: Provider
    origin: str
    base_url: str
    forced: bool = False
    numbered: bool = False


def parse_json(text: str) -> Any:
    """The value of JSON text. Raises json.JSONDecodeError, and RecursionError when it is nested too deeply.

    What Python accepts although it is not JSON, such as NaN or a duplicate member, is refused where it is used.
    """
    return _DECODER.decode(text)


def as_object(value: Any, path: str, origin: str) -> dict[str, Any]:
    """`value` if it is an object without duplicate members; raises UsageError for anything else. path: its place."""
    if not isinstance(value, dict):
        raise wrong_type(origin, path, "an object", value)
    if isinstance(value, _DuplicateMember):
        known = value.member if value.member in _KNOWN else "a member"
        raise UsageError(f"{path} has {known} twice", f"{origin}: which of the two is meant?", "remove one of the two")
    return value


def key_from_record(record: Any, path: str, at: Callable[[str], str], context: RecordContext) -> Key:
    """The key that a record describes. path: the record's place. at: the place of a field, given its name.

    Raises UsageError when a member is missing or of a wrong type.
    """
    record = as_object(record, path, context.origin)
    if isinstance(api_key := record.get("api_key"), str):
        remember_briefly(api_key)  # before anything can fail, so that no message can show it
    number = record.get("id")
    if number is not None or context.numbered:
        if type(number) is not int:
            raise wrong_type(context.origin, at("id"), "a whole number", number, missing="id" not in record)
        if abs(number) > _LARGEST_NUMBER:
            raise unusable(at("id"), f"it is larger than {_LARGEST_NUMBER:,}", "give the number of the agent")

    def text(name: str) -> str:
        value = record.get(name)
        if not isinstance(value, str):
            raise wrong_type(context.origin, at(name), "text", value, missing=name not in record)
        return value

    endpoint = context.provider.endpoint
    endpoint_id = endpoint if endpoint is not None and "endpoint_id" not in record else text("endpoint_id")
    if "name" in record:
        name = text("name")
    elif number is not None:
        name = f"Agent {number}"
    else:
        name = context.provider.title if endpoint_id == endpoint else endpoint_id
    if not name.strip() and "name" in record:
        raise unusable(at("name"), f"{context.origin}: it is empty", "fill it in, or leave it out")
    return Key(
        at=at,
        number=number,
        name=name,
        endpoint_id=endpoint_id,
        api_key=text("api_key"),
        base_url=context.base_url if context.forced or "base_url" not in record else text("base_url"),
        description=text("description") if record.get("description") is not None else None,
        user=_user(text("user"), at) if record.get("user") is not None else None,
    )


def wrong_type(origin: str, path: str, wanted: str, value: Any, *, missing: bool = False) -> UsageError:
    """The error for a value that must be of another type, or that is missing. wanted: the type, in words."""
    infinite = value in (math.inf, -math.inf) or value != value
    kind = "not a finite number" if infinite else _KINDS.get(type(value), "a number")
    found = "it is missing" if missing else f"it is {kind}"
    return UsageError(f"{path} must be {wanted}", f"{origin}: {found}", "correct that place and run again")


def canonical_user(text: str) -> str | None:
    """An e-mail address or a UUID in the one form it is compared in, None for anything else."""
    text = text.strip().lower()
    usable = len(text) <= _LONGEST_USER and text.isprintable() and (UUID.fullmatch(text) or EMAIL.fullmatch(text))
    return text if usable else None


def _user(text: str, at: Callable[[str], str]) -> str:
    if (user := canonical_user(text)) is None:
        hint = "write name@example.com, or the id that Supabase Auth shows"
        raise unusable(at("user"), "it is neither an e-mail address nor a UUID", hint)
    return user


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    names = [name for name, _ in pairs]
    duplicate = _DuplicateMember(made)
    duplicate.member = next(name for name in names if names.count(name) > 1)
    return duplicate


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else math.inf  # Python refuses very long ones without naming the place


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole_number)
_KNOWN = {"id", "name", "api_key", "endpoint_id", "description", "base_url", "user", "provider", "agents"}
