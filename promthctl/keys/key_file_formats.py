"""The formats of a file of keys: JSON Lines, CSV, or one JSON document. Each holds records (promthctl.keys.key_record).

JSON Lines: an object on each line. CSV (RFC 4180; "," or ";" or a tab between the fields): the first line names the
columns. Both are read one key at a time, for any number of keys and users; empty lines are skipped, and an empty field
counts as left out. Line numbers count from 1; a row over several lines has the number of its first.

A JSON document is read whole:

    {provider, base_url, agents: [{id, name, api_key, endpoint_id, description?, base_url?, user?}]}

provider and base_url may be left out. If the provider has numbered agents, every user must have all of them, so that
a file that was cut off is noticed; JSON Lines and CSV have no such rule.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from promthctl.errors import UsageError
from promthctl.keys.key import Key, KeyList, check_numbers, check_url, joined, shared_key_warnings, unusable
from promthctl.keys.key_record import RecordContext, as_object, key_from_record, parse_json, wrong_type
from promthctl.keys.providers import Provider
from promthctl.redact import remember

_LONGEST_LINE = 1024 * 1024  # bytes
_NUMBER = re.compile(r"[0-9]{1,7}")
_COLUMNS = ("api_key", "endpoint_id", "id", "name", "description", "base_url", "user")


def read_json_lines(file: BinaryIO, context: RecordContext) -> Iterator[Key]:
    """The keys of JSON Lines. Raises UsageError, naming the line, for the first that is not of this form."""
    for number, text in enumerate(decoded_lines(file, context.origin), start=1):
        if not text.strip():
            continue
        place = f"line {number}"
        try:
            record = parse_json(text)
        except json.JSONDecodeError as error:
            why = f"column {error.colno}: {error.msg}"
        except RecursionError:
            why = "it is nested too deeply"
        else:
            yield key_from_record(record, place, f"{place}, ".__add__, context)
            continue
        raise UsageError(f"{place} of {context.origin} is not valid JSON", why, "correct that line and run again")


def read_csv(file: BinaryIO, context: RecordContext) -> Iterator[Key]:
    """The keys of CSV. Raises UsageError, naming the line, for the first row that is not of this form."""
    rows = _rows(file, context)
    columns = _columns(rows, context)
    for line, row in rows:
        place = f"line {line}"
        if len(row) != len(columns):
            why = f"{context.origin}: it has {len(row)} fields, and the first line names {len(columns)}"
            raise unusable(place, why, "correct that row; a field with a comma or a quote is quoted")
        record: dict[str, Any] = {name: value for name, value in zip(columns, row, strict=True) if value and name}
        if _NUMBER.fullmatch(record.get("id", "")):
            record["id"] = int(record["id"])
        yield key_from_record(record, place, f"{place}, ".__add__, context)


def csv_warnings(file: BinaryIO, context: RecordContext) -> tuple[str, ...]:
    """A sentence when columns are ignored, as one may be a misspelt `user`. Raises what read_csv raises."""
    columns = _columns(_rows(file, context), context)
    ignored = [str(place) for place, name in enumerate(columns, start=1) if not name]
    if not ignored:
        return ()
    noun = "column" if len(ignored) == 1 else "columns"
    return (f"{context.origin}: {noun} {joined(ignored)} ignored; the known ones are {', '.join(_COLUMNS)}",)


def parse_document(
    text: str, origin: str, provider: Provider, base_url: str | None, warnings: tuple[str, ...] = ()
) -> KeyList:
    """The keys that JSON text describes, by number. origin: its file, for messages. base_url: overrides the text's own.

    Raises UsageError with line and column when it is not JSON, with the path (agents[3].api_key) when it is not of
    this form, and what check_numbers raises.
    """
    document = as_object(_document_value(text, origin), "the document", origin)
    for member in ("provider", "base_url"):
        if member in document and not isinstance(document[member], str):
            raise wrong_type(origin, member, "text", document[member])
    if document.get("provider", provider.name) != provider.name:
        why = f'its provider is not "{provider.name}"'
        hint = f'write "provider": "{provider.name}", or: promthctl seed keys --provider NAME'
        raise UsageError(f"{origin} is for another provider", why, hint)
    agents = document.get("agents")
    if not isinstance(agents, list):
        raise wrong_type(origin, "agents", "a list", agents, missing="agents" not in document)
    if not agents:
        hint = f"add the keys, or try: {provider.command} --demo"
        raise UsageError(f"{origin} has no keys", "agents is an empty list", hint)
    for entry in agents:  # before anything can fail, so that no message can show one
        if isinstance(entry, dict) and isinstance(entry.get("api_key"), str):
            remember(entry["api_key"])
    own_url = document.get("base_url", provider.base_url)
    check_url(own_url, "base_url", provider)
    context = RecordContext(provider, origin, base_url or own_url, base_url is not None, provider.agents is not None)
    paths = [f"agents[{index}]" for index in range(len(agents))]
    keys = [
        key_from_record(entry, path, f"{path}.".__add__, context) for entry, path in zip(agents, paths, strict=True)
    ]
    if provider.agents is None:
        return KeyList(origin, keys, warnings)
    check_numbers(keys, provider.agents, origin, provider.command)
    keys.sort(key=lambda key: key.number or 0)  # stable: the users' keys stay in their order
    return KeyList(origin, keys, (*warnings, *shared_key_warnings(keys)))


def decoded_lines(file: BinaryIO, origin: str) -> Iterator[str]:
    """The lines of a file as text, from its beginning, with their line breaks.

    Raises UsageError, naming the line, for one that is not UTF-8 text, or too long to hold a key.
    """
    file.seek(0)
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) > _LONGEST_LINE:
            why = f"{origin}: it is longer than one megabyte, so it does not hold a key"
            raise unusable(f"line {number}", why, "name another file")
        if b"\0" in line:
            raise unusable(f"line {number}", f"{origin}: it is binary, or UTF-16 text", "save the file as UTF-8 text")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise unusable(f"line {number}", f"{origin}: it is not UTF-8 text", "save the file as UTF-8 text") from None


def _rows(file: BinaryIO, context: RecordContext) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, and the line each begins on."""
    lines = decoded_lines(file, context.origin)
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)

    def all_lines() -> Iterator[str]:
        yield first
        yield from lines

    reader = csv.reader(all_lines(), delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    begin = 1
    try:
        for row in reader:
            if any(row):
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise _not_csv(error, begin, context.origin) from None


def _columns(rows: Iterator[tuple[int, list[str]]], context: RecordContext) -> list[str]:
    """The names of the columns, "" for those that are ignored. Raises UsageError when they cannot be used.

    Messages repeat no unknown name: a file without this line begins with a key.
    """
    line, header = next(rows, (1, []))
    place = f"line {line}"
    names = [name.strip().lower() for name in header]
    for name in _COLUMNS:
        if names.count(name) > 1:
            raise unusable(place, f"{context.origin}: it names the column {name} twice", "remove one of the two")
    for name in ("api_key",) if context.provider.endpoint is not None else ("api_key", "endpoint_id"):
        if name not in names:
            why = f"{context.origin}: it names the columns, and {name} is not among them"
            raise unusable(place, why, f"begin the file with the names of its columns: {','.join(_COLUMNS)}")
    return [name if name in _COLUMNS else "" for name in names]


def _not_csv(error: csv.Error, line: int, origin: str) -> UsageError:
    """The csv module's own messages are for programmers, and may quote a character of the field."""
    message = str(error)
    if "field limit" in message or "unexpected end" in message:
        why = "a quote is opened and not closed, or a field is longer than 128 KB"
    elif "expected after" in message:
        why = "something follows a closing quote; a quote inside a quoted field is doubled"
    else:
        why = "it is not CSV as RFC 4180 describes it"
    return UsageError(f"line {line} of {origin} is not valid CSV", why, "correct that row and run again")


def _document_value(text: str, origin: str) -> object:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg}" if text.strip() else "it is empty"
    except RecursionError:
        why = "it is nested too deeply"
    raise UsageError(f"{origin} is not valid JSON", why, "correct that place and run again") from None
