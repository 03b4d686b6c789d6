"""A file of keys, or standard input: opened, with a warning if others can read it, and its format recognised.

The name decides: .jsonl and .ndjson are JSON Lines, .csv is CSV. Otherwise the first line does: a whole JSON object
with an api_key is JSON Lines; a line that is not JSON, with api_key, a comma, a semicolon or a tab, is CSV; everything
else is read as one JSON document.

What can be read only once, standard input or a pipe, is kept while it is needed: in memory, or from one megabyte on in
an unnamed temporary file that only its owner can read and that is gone when promthctl ends, however it ends.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from promthctl.errors import UsageError
from promthctl.keys.key import Key, KeySource
from promthctl.keys.key_file_formats import csv_warnings, decoded_lines, parse_document, read_csv, read_json_lines
from promthctl.keys.key_record import RecordContext, parse_json
from promthctl.keys.providers import Provider

_IN_MEMORY = 1024 * 1024  # bytes
_LARGEST_DOCUMENT = 1024 * 1024  # bytes; fourteen agents need two thousand
_BLOCK = 64 * 1024  # bytes
_STDIN = "standard input"

Reader = Callable[[BinaryIO, RecordContext], Iterator[Key]]


@dataclass(frozen=True)
class _StreamedKeys:
    """A source that is read again each time it is iterated over, and never held in memory."""

    file: BinaryIO
    read: Reader
    context: RecordContext
    warnings: tuple[str, ...]

    @property
    def origin(self) -> str:
        return self.context.origin

    def __iter__(self) -> Iterator[Key]:
        return self.read(self.file, self.context)


@contextmanager
def open_key_file(
    path: Path | None, stdin: BinaryIO | None, provider: Provider, base_url: str | None
) -> Iterator[KeySource]:
    """The keys of a file, or of standard input where path is None. base_url: overrides that of every key.

    Raises UsageError, naming the place, when it cannot be read or its format is not known.
    """
    with _rereadable(path, stdin) as (file, warnings):
        origin = str(path) if path else _STDIN
        context = RecordContext(provider, origin, base_url or provider.base_url, base_url is not None)
        read = _format(path.suffix.lower() if path else "", file, origin)
        if read is not None:
            if read is read_csv:
                warnings += csv_warnings(file, context)
            yield _StreamedKeys(file, read, context, warnings)
        else:
            yield parse_document(_document_text(file, origin), origin, provider, base_url, warnings)


@contextmanager
def _rereadable(path: Path | None, stdin: BinaryIO | None) -> Iterator[tuple[BinaryIO, tuple[str, ...]]]:
    """A file that can be read again from its start, and a warning if other users of this machine can read it."""
    if path is None:
        if stdin is None:
            raise _unreadable(_STDIN, "it is closed", "pipe the keys into the command, or name a file")
        with _spooled(stdin, _STDIN) as file:
            yield file, ()
        return
    try:
        file = path.open("rb")
        status = os.fstat(file.fileno())
    except IsADirectoryError:
        raise _unreadable(str(path), "it is a directory", "name a file with --keys FILE") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "that is not a file name"
        raise _unreadable(str(path), why.lower(), "correct the name, or the file's permissions") from None
    with file:
        if not stat.S_ISREG(status.st_mode):
            with _spooled(file, str(path)) as spool:
                yield spool, ()
            return
        open_to_others = os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077
        yield file, (f"{path} can be read by other users of this machine: chmod 600 {path}",) if open_to_others else ()


@contextmanager
def _spooled(stream: BinaryIO, origin: str) -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        try:
            while block := stream.read(_BLOCK):
                if b"\0" in block:  # now, before an endless device fills the disk
                    raise _unreadable(origin, "it is binary, or UTF-16 text", "save it as UTF-8 text")
                spool.write(block)
        except (OSError, ValueError) as error:
            raise _unreadable(origin, getattr(error, "strerror", None) or "it is closed", "run again") from None
        yield cast(BinaryIO, spool)


def _format(suffix: str, file: BinaryIO, origin: str) -> Reader | None:
    """The reader of the file's format, None for a JSON document."""
    if suffix in (".jsonl", ".ndjson"):
        return read_json_lines
    if suffix == ".csv":
        return read_csv
    try:
        first = next((line.strip() for line in decoded_lines(file, origin) if line.strip()), "")
        value = parse_json(first) if first.startswith("{") else None
    except (UsageError, ValueError, RecursionError):
        return None  # reading the document names the place
    if first.startswith(("{", "[")) or suffix == ".json":
        return read_json_lines if isinstance(value, dict) and "api_key" in value else None
    return read_csv if "api_key" in first.lower() or any(mark in first for mark in ",;\t") else None


def _document_text(file: BinaryIO, origin: str) -> str:
    file.seek(0)
    raw = file.read(_LARGEST_DOCUMENT + 1)
    if len(raw) > _LARGEST_DOCUMENT:
        why = "it is larger than one megabyte, so it is not a JSON document of keys"
        raise _unreadable(origin, why, "for many keys write JSON Lines (.jsonl) or CSV (.csv)")
    position, why = raw.find(b"\0"), "binary, or UTF-16 text"
    if position < 0:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            position, why = error.start, "not UTF-8 text"
    line = raw.count(b"\n", 0, position) + 1
    raise _unreadable(origin, f"line {line} is {why}", "save it as UTF-8 text")


def _unreadable(origin: str, why: str, hint: str) -> UsageError:
    return UsageError(f"The keys in {origin} cannot be read", why, hint)
