"""A file of keys, or standard input: opened with an eye on who else can read it, and its format recognised.

By its name: .jsonl and .ndjson are JSON Lines, .csv is CSV. Else by its beginning: a line that is a whole JSON object
with an api_key is JSON Lines, a line with api_key, a comma, a semicolon or a tab that is no JSON is CSV; all else is
read as one JSON document (promthctl.keys.document).

What can be read only once, standard input or a pipe, is kept while it is needed: in memory, or from one megabyte on in
a temporary file without a name, for its owner alone, that is gone when promthctl ends, however it ends.
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
from promthctl.keys import document
from promthctl.keys.key import Key, Source
from promthctl.keys.lines import csv_warnings, decoded, read_csv, read_json_lines
from promthctl.keys.provider import Provider
from promthctl.keys.record import Frame, parse_json

_IN_MEMORY = 1024 * 1024  # bytes
_LARGEST_DOCUMENT = 1024 * 1024  # bytes; fourteen agents need two thousand
_BLOCK = 64 * 1024  # bytes
_STDIN = "standard input"

Reader = Callable[[BinaryIO, Frame], Iterator[Key]]


@dataclass(frozen=True)
class _Lines:
    """A source that is read as often as it is iterated over, and never held in memory."""

    file: BinaryIO
    read: Reader
    frame: Frame
    warnings: tuple[str, ...]

    @property
    def origin(self) -> str:
        return self.frame.origin

    def __iter__(self) -> Iterator[Key]:
        return self.read(self.file, self.frame)


@contextmanager
def opened(path: Path | None, stdin: BinaryIO | None, provider: Provider, base_url: str | None) -> Iterator[Source]:
    """The keys of a file, or of standard input where path is None. base_url: overrides that of every key.

    Raises UsageError, naming the place, when it cannot be read or is of no known format.
    """
    with _file(path, stdin) as (file, warnings):
        origin = str(path) if path else _STDIN
        frame = Frame(provider, origin, base_url or provider.base_url, base_url is not None)
        read = _format(path.suffix.lower() if path else "", file, origin)
        if read is not None:
            if read is read_csv:
                warnings += csv_warnings(file, frame)
            yield _Lines(file, read, frame, warnings)
        else:
            yield document.parse(_text(file, origin), origin, provider, base_url, warnings)


@contextmanager
def _file(path: Path | None, stdin: BinaryIO | None) -> Iterator[tuple[BinaryIO, tuple[str, ...]]]:
    """A file that can be read again from its beginning, and a warning if others on this machine may read it."""
    if path is None:
        if stdin is None:
            raise _unreadable(_STDIN, "it is closed", "pipe the keys into the command, or name a file")
        with _kept(stdin, _STDIN) as file:
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
            with _kept(file, str(path)) as kept:
                yield kept, ()
            return
        open_to_others = os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077
        yield file, (f"{path} can be read by other users of this machine: chmod 600 {path}",) if open_to_others else ()


@contextmanager
def _kept(stream: BinaryIO, origin: str) -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        try:
            while block := stream.read(_BLOCK):
                if b"\0" in block:  # before an endless device has filled the disk
                    raise _unreadable(origin, "it is binary, or UTF-16 text", "save it as UTF-8 text")
                spool.write(block)
        except (OSError, ValueError) as error:
            raise _unreadable(origin, getattr(error, "strerror", None) or "it is closed", "run again") from None
        yield cast(BinaryIO, spool)


def _format(suffix: str, file: BinaryIO, origin: str) -> Reader | None:
    """What reads the file's format, None for a JSON document."""
    if suffix in (".jsonl", ".ndjson"):
        return read_json_lines
    if suffix == ".csv":
        return read_csv
    try:
        first = next((line.strip() for line in decoded(file, origin) if line.strip()), "")
        value = parse_json(first) if first.startswith("{") else None
    except (UsageError, ValueError, RecursionError):
        return None  # the document's reader names the place
    if first.startswith(("{", "[")) or suffix == ".json":
        return read_json_lines if isinstance(value, dict) and "api_key" in value else None
    return read_csv if "api_key" in first.lower() or any(mark in first for mark in ",;\t") else None


def _text(file: BinaryIO, origin: str) -> str:
    file.seek(0)
    raw = file.read(_LARGEST_DOCUMENT + 1)
    if len(raw) > _LARGEST_DOCUMENT:
        why = "it is larger than one megabyte, so it is no JSON document of keys"
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
