"""Ten thousand damaged key files: none ends in a traceback, none reaches the API, none of their keys is shown."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from promthctl.api.client import ApiAccess
from promthctl.errors import PromthctlError, TargetError, UsageError
from promthctl.keys.seeding import seed_keys
from promthctl.resolve.api import ApiTarget
from promthctl.settings import Settings
from promthctl.steps import Silent

FILES, PARTS, QUICK = 10_000, 10, 2  # without --full only the first parts run
KEY = "QXZJ"  # the letters of every key, and of nothing else
SHOWN = re.compile(f"[{KEY}]{{5}}")
PLACE = re.compile(
    r"line \d+|agents\[\d+\]|agent |agents |agents$|the document|base_url|provider|has no keys|number \d+"
    r"|nested too deeply|is empty|binary|larger than one megabyte"
)

Fields = dict[str, Any]


@contextmanager
def counting() -> Iterator[tuple[ApiTarget, list[int]]]:
    """An API that takes connections, counts them and hangs up."""
    connections: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(1)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            access = ApiAccess(f"http://127.0.0.1:{listener.getsockname()[1]}", "anon", "service")
            yield ApiTarget("a test", access, local=True), connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def key(random: Random) -> str:
    return "".join(random.choices(KEY, k=random.randint(24, 48)))


def rows(random: Random, number: int) -> list[Fields]:
    return [
        {
            "id": n,
            "name": random.choice(["Planner", "Agent, the first", 'An "agent"', "Zwölf\nZeilen", "日本"]),
            "api_key": key(random),
            "endpoint_id": f"ep-fuzz-{n}",
            "description": random.choice(["", "plain", "a;b\tc"]),
            "base_url": "https://fuzz.example.com/v1",
            "user": random.choice(["ann@example.com", "0b5ecb1d-3f2b-4c55-9e53-3d1f2a1f0a01"]),
        }
        for n in range(1, number + 1)
    ]


def value(random: Random) -> Any:
    """Something that belongs into no field."""
    numbers: list[Any] = [None, True, 0, -1, 7.5, 10**9, 10**500, float("nan"), float("inf")]
    nested: list[Any] = [[], {}, [[[]]], {"a": {"b": [1]}}, [key(random)], {key(random): key(random)}]
    texts: list[Any] = ["", " ", "\0", "\ud800", "\u200b", "a b", "x" * 30_000, "ftp://fuzz.example.com", "ep-a-1"]
    misplaced: list[Any] = [
        key(random),
        f"{key(random)[:6]} {key(random)}",
        f"https://u:{key(random)}@a.example.com",
        f"sk-{key(random)}",
    ]
    return random.choice(random.choice([numbers, nested, texts, misplaced]))


def damage_fields(random: Random, entries: list[Any]) -> None:
    for _ in range(random.randint(1, 2)):
        index = random.randrange(len(entries))
        kind = random.randrange(6)
        if kind == 0:
            entries[index] = value(random)
        elif kind == 1:
            entries.insert(random.randrange(len(entries)), entries[index])
        elif isinstance(entries[index], dict):
            entry = entries[index] = dict(entries[index])
            name = random.choice(["id", "name", "api_key", "endpoint_id", "description", "base_url", "user"])
            if kind == 2:
                entry.pop(name, None)
            elif kind == 3:
                entry["endpoint_id"], entry["api_key"] = entry.get("api_key"), entry.get("endpoint_id")
            else:
                entry[name] = value(random)


def damage_text(random: Random, raw: bytes) -> bytes:
    at = random.randrange(len(raw) + 1)
    pieces = [
        b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"'", b"\\", b"{", b"}", b"]", b",", b"\n", b"\r", b"\r\n", b"\x1a",
        b'"api_key": "' + key(random).encode() + b'", ', b"NaN", b"[" * 5000, b"9" * 5000, random.randbytes(9), b"=1+1",
    ]  # fmt: skip
    match random.randrange(8):
        case 0:
            return raw[:at]
        case 1:
            return raw[at:]
        case 2:
            return raw[:at] + raw[at + random.randint(1, 20) :]
        case 3:
            return random.choice(
                [raw.decode(errors="replace").encode("utf-16"), gzip.compress(raw), random.randbytes(300), b""]
            )
        case 4:
            return raw[:at] + raw[random.randrange(len(raw) + 1) :]
        case _:
            return raw[:at] + random.choice(pieces) + raw[at:]


def as_document(random: Random, entries: list[Any]) -> bytes:
    document: Fields = {"provider": "vanchin", "base_url": "https://fuzz.example.com/v1", "agents": entries}
    if random.random() < 0.1:
        document[random.choice(list(document))] = value(random)
    return json.dumps(document, indent=random.choice([None, 1])).encode()


def as_lines(random: Random, entries: list[Any]) -> bytes:
    return "".join(json.dumps(entry) + random.choice(["\n", "\r\n", "\n\n"]) for entry in entries).encode()


def as_csv(random: Random, entries: list[Any]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=random.choice(",;\t"), quoting=random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    )
    columns = ["id", "name", "api_key", "endpoint_id", "description", "base_url", "user"]
    random.shuffle(columns)
    writer.writerow(columns if random.random() < 0.9 else columns[:-2] + columns[:1])
    for entry in entries:
        fields = [entry.get(name, "") for name in columns] if isinstance(entry, dict) else [entry]
        writer.writerow(fields if random.random() < 0.97 else fields[1:])
    return text.getvalue().encode(errors="surrogatepass")


def damaged_file(random: Random) -> tuple[str, bytes]:
    """A file's name and what is in it."""
    kinds: list[tuple[str, Callable[[Random, list[Any]], bytes], int]] = [
        ("keys.json", as_document, 14),
        ("keys.jsonl", as_lines, 4),
        ("keys.csv", as_csv, 4),
    ]
    name, write, number = random.choice(kinds)
    entries: list[Any] = rows(random, number)
    if name == "keys.json":
        for entry in entries:
            del entry["user"]
    damaged = random.randrange(3)
    if damaged > 0:
        damage_fields(random, entries)
    raw = write(random, entries)
    if damaged < 2:
        raw = damage_text(random, raw)
    return random.choice([name, name, "keys"]), raw


@pytest.mark.parametrize(
    "part", [*range(QUICK), *(pytest.param(part, marks=pytest.mark.full) for part in range(QUICK, PARTS))]
)
def test_a_damaged_file_is_refused_by_naming_the_place_and_nothing_is_sent(part: int, tmp_path: Path) -> None:
    random = Random(part)  # the same files each time
    settings = Settings(tmp_path, {"ENCRYPTION_SECRET": "a fake secret of the fuzz test"})
    accepted = 0
    with counting() as (target, connections):
        for number in range(FILES // PARTS):
            name, raw = damaged_file(random)
            path = tmp_path / name
            path.write_bytes(raw)
            piped = random.random() < 0.3
            try:
                seed_keys(
                    settings,
                    target,
                    Silent(),
                    provider="vanchin",
                    user="ann@example.com",
                    keys_file="-" if piped else str(path),
                    stdin=io.BytesIO(raw),
                    demo=False,
                    dry_run=False,
                    approve=lambda what: None,
                )
            except TargetError:  # the damage left a file that can be used
                accepted += 1
            except PromthctlError as error:
                told = f"part {part}, file {number}: {error.what} / {error.why} / {error.hint}"
                assert isinstance(error, UsageError), told
                assert not SHOWN.search(told), told
                assert PLACE.search(f"{error.what} / {error.why}"), told
    assert len(connections) == accepted
    assert accepted < FILES // PARTS / 4
