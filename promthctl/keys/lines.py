"""Keys as lines, read one at a time: any number of them, for any number of users.

JSON Lines: an object on each line. CSV (RFC 4180; "," or ";" or a tab between the fields): the first line names the
columns. Both have the members of promthctl.keys.record; empty lines are skipped, and an empty field counts as left
out. Line numbers count from 1; of a row over several lines it is the first.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from promthctl.errors import UsageError
from promthctl.keys.key import Key, listed, wrong
from promthctl.keys.record import Frame, key_from, parse_json

_LONGEST_LINE = 1024 * 1024  # bytes

_NUMBER = re.compile(r"[0-9]{1,7}")
_COLUMNS = ("api_key", "endpoint_id", "id", "name", "description", "base_url", "user")


def read_json_lines(file: BinaryIO, frame: Frame) -> Iterator[Key]:
    """The keys of JSON Lines. Raises UsageError, naming the line, for the first that has not the form."""
    for number, text in enumerate(decoded(file, frame.origin), start=1):
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
            yield key_from(record, place, f"{place}, ".__add__, frame)
            continue
        raise UsageError(f"{place} of {frame.origin} is not valid JSON", why, "correct that line and run again")


def read_csv(file: BinaryIO, frame: Frame) -> Iterator[Key]:
    """The keys of CSV. Raises UsageError, naming the line, for the first row that has not the form."""
    rows = _rows(file, frame)
    columns = _columns(rows, frame)
    for line, row in rows:
        place = f"line {line}"
        if len(row) != len(columns):
            why = f"{frame.origin}: it has {len(row)} fields, and the first line names {len(columns)}"
            raise wrong(place, why, "correct that row; a field with a comma or a quote is quoted")
        record: dict[str, Any] = {name: value for name, value in zip(columns, row, strict=True) if value and name}
        if _NUMBER.fullmatch(record.get("id", "")):
            record["id"] = int(record["id"])
        yield key_from(record, place, f"{place}, ".__add__, frame)


def csv_warnings(file: BinaryIO, frame: Frame) -> tuple[str, ...]:
    """A sentence when columns are ignored: one of them may be a misspelt `user`. Raises what read_csv raises."""
    columns = _columns(_rows(file, frame), frame)
    ignored = [str(place) for place, name in enumerate(columns, start=1) if not name]
    if not ignored:
        return ()
    noun = "column" if len(ignored) == 1 else "columns"
    return (f"{frame.origin}: {noun} {listed(ignored)} ignored; the known ones are {', '.join(_COLUMNS)}",)


def decoded(file: BinaryIO, origin: str) -> Iterator[str]:
    """The lines of a file as text, from its beginning, with their line breaks.

    Raises UsageError, naming the line, for one that is not UTF-8 text or too long to be a key's.
    """
    file.seek(0)
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) > _LONGEST_LINE:
            why = f"{origin}: it is longer than one megabyte, so it is no key's"
            raise wrong(f"line {number}", why, "name another file")
        if b"\0" in line:
            raise wrong(f"line {number}", f"{origin}: it is binary, or UTF-16 text", "save the file as UTF-8 text")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise wrong(f"line {number}", f"{origin}: it is not UTF-8 text", "save the file as UTF-8 text") from None


def _rows(file: BinaryIO, frame: Frame) -> Iterator[tuple[int, list[str]]]:
    """The rows with something in them, and the line each begins on."""
    lines = decoded(file, frame.origin)
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
        raise _not_csv(error, begin, frame.origin) from None


def _columns(rows: Iterator[tuple[int, list[str]]], frame: Frame) -> list[str]:
    """The names of the columns, "" for those that are ignored. Raises UsageError when they cannot be used.

    No name is repeated in a message: a file without this line begins with a key.
    """
    line, header = next(rows, (1, []))
    place = f"line {line}"
    names = [name.strip().lower() for name in header]
    for name in _COLUMNS:
        if names.count(name) > 1:
            raise wrong(place, f"{frame.origin}: it names the column {name} twice", "remove one of the two")
    for name in ("api_key",) if frame.provider.endpoint is not None else ("api_key", "endpoint_id"):
        if name not in names:
            why = f"{frame.origin}: it names the columns, and {name} is not among them"
            raise wrong(place, why, f"begin the file with the names of its columns: {','.join(_COLUMNS)}")
    return [name if name in _COLUMNS else "" for name in names]


def _not_csv(error: csv.Error, line: int, origin: str) -> UsageError:
    """The csv module's own words are for programmers, and may quote a character of the field."""
    told = str(error)
    if "field limit" in told or "unexpected end" in told:
        why = "a quote is opened and not closed, or a field is longer than 128 KB"
    elif "expected after" in told:
        why = "something follows a closing quote; a quote inside a quoted field is doubled"
    else:
        why = "it is not CSV as RFC 4180 describes it"
    return UsageError(f"line {line} of {origin} is not valid CSV", why, "correct that row and run again")
