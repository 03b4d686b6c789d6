"""JSON Lines and CSV: any number of keys for any number of users, checked whole, each fault named by its line."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promthctl.errors import PromthctlError, UsageError
from promthctl.keys.key import Key, KeySource
from promthctl.keys.key_batch import checked_batch
from promthctl.keys.key_file import open_key_file
from promthctl.keys.key_file_formats import parse_document
from promthctl.keys.providers import find_provider
from promthctl.steps import Silent

VANCHIN, OPENAI = find_provider("vanchin"), find_provider("openai")
UUID = "0b5ecb1d-3f2b-4c55-9e53-3d1f2a1f0a01"

HEADER = "endpoint_id,name,api_key,user"


def fake_key(n: int) -> str:
    return f"fake-line-key-{n:02d}-zzzz"


def row(n: int, **changes: Any) -> dict[str, Any]:
    return {"endpoint_id": f"ep-fake-{n}", "name": f"Agent {n}", "api_key": fake_key(n), **changes}


def lines(*rows: Any) -> str:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in rows)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., list[Key]]:
    """Writes a file of that name, reads and checks it."""

    def loaded(text: str | bytes, name: str = "keys.jsonl", provider: Any = VANCHIN, base_url: Any = None) -> list[Key]:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        with (
            open_key_file(path, None, provider, base_url) as source,
            checked_batch(source, provider, Silent()) as checked,
        ):
            loaded.warnings = checked.warnings  # type: ignore[attr-defined]
            return list(checked)

    return loaded


def refusal(call: Callable[[], object]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        call()
    error = caught.value
    for part in (error.what, error.why, error.hint):
        assert part
        assert "\n" not in part
        assert "fake-line-key" not in part
    return error


# what is read


def test_json_lines_are_read_with_all_their_members(load: Callable[..., list[Key]]) -> None:
    full = row(1, id=7, description="plans", base_url="https://keys.example.com/v1", user=" Ann@Example.com ")
    first, second = load(lines(full, "", row(2, user=None)))
    assert (first.number, first.name, first.endpoint_id, first.api_key) == (7, "Agent 1", "ep-fake-1", fake_key(1))
    assert (first.description, first.base_url, first.user) == (
        "plans",
        "https://keys.example.com/v1",
        "ann@example.com",
    )
    assert (second.number, second.description, second.user, second.base_url) == (None, None, None, VANCHIN.base_url)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read_with_its_quotes_and_line_breaks(load: Callable[..., list[Key]], delimiter: str, end: str) -> None:
    rows = [
        ["Endpoint_ID", " name", "api_key", "id", "user", "description"],
        ["ep-fake-1", '"The ""first"", one\nof two"', fake_key(1), "12", UUID.upper(), ""],
        ["", "", "", "", "", ""],
        ["ep-fake-2", "", fake_key(2), "", "", "plain"],
    ]
    text = end.join(delimiter.join(fields) for fields in rows) + end + end
    first, second = load("\ufeff" + text, "keys.csv")
    assert (first.name, first.number, first.user, first.description) == ('The "first", one\nof two', 12, UUID, None)
    assert (second.name, second.number, second.user, second.description) == ("ep-fake-2", None, None, "plain")
    assert second.at("name") == "line 5, name"  # the row before it is empty, and the one before that has two lines


def test_any_number_of_keys_will_do_since_lines_are_no_complete_set(load: Callable[..., list[Key]]) -> None:
    assert len(load(lines(row(1)))) == 1
    assert len(load(lines(*(row(n) for n in range(1, 100))))) == 99


def test_the_same_endpoint_may_belong_to_several_users(load: Callable[..., list[Key]]) -> None:
    keys = load(lines(row(1), row(1, user="ann@example.com"), row(1, user="bob@example.com")))
    assert [key.user for key in keys] == [None, "ann@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("keys", lines(row(1))),
        ("keys.json", lines(row(1), row(2))),
        ("keys.ndjson", "\n" + lines(row(1))),
        ("keys.txt", f"{HEADER}\nep-fake-1,,{fake_key(1)},\n"),
        ("keys", f"endpoint_id;api_key\nep-fake-1;{fake_key(1)}\n"),
        ("keys", json.dumps({"agents": [row(n, id=n) for n in range(1, 15)]})),
        ("keys.CSV", f"{HEADER}\nep-fake-1,,{fake_key(1)},\n"),
    ],
)
def test_the_format_is_recognised_by_name_or_content(load: Callable[..., list[Key]], name: str, text: str) -> None:
    assert load(text, name)[0].api_key == fake_key(1)


def test_a_single_column_is_csv_too(load: Callable[..., list[Key]]) -> None:
    (key,) = load(f"api_key\nsk-{fake_key(1)}-aaaa\n", "keys", OPENAI)
    assert (key.endpoint_id, key.name, key.base_url) == ("default", "OpenAI", OPENAI.base_url)


def test_the_providers_base_url_variable_overrides_that_of_each_line(load: Callable[..., list[Key]]) -> None:
    (key,) = load(lines(row(1, base_url="https://keys.example.com")), base_url="http://127.0.0.1:1/v1")
    assert key.base_url == "http://127.0.0.1:1/v1"


def test_a_source_can_be_read_twice_also_when_it_is_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    text = lines(*(row(n) for n in range(5))).encode()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(text)
    with open_key_file(Path(f"/dev/fd/{reading}"), None, VANCHIN, None) as source:
        assert len(list(source)) == len(list(source)) == 5
    os.close(reading)


def test_what_is_kept_of_standard_input_has_no_name_and_is_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    many = lines(*(row(n, description="x" * 5000) for n in range(300))).encode()  # more than is kept in memory
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(many)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stdin, open_key_file(None, stdin, VANCHIN, None) as source:
        assert sum(1 for _ in source) == 300
        open_files = [name.stat() for name in Path("/dev/fd").iterdir() if name.exists()]
        kept = [each for each in open_files if each.st_size == len(many)]
        assert [(stat.S_IMODE(each.st_mode), each.st_nlink) for each in kept] == [(0o600, 0)]
        assert list(tmp_path.iterdir()) == []
    os.waitpid(child, 0)


def test_a_list_is_checked_in_memory_that_does_not_grow_with_it(tmp_path: Path) -> None:
    import tracemalloc

    def peak(number: int) -> int:
        path = tmp_path / f"{number}.csv"
        with path.open("w") as file:
            file.write("endpoint_id,api_key,user\n")
            file.writelines(f"ep-fake-{n},{fake_key(n)},u{n}@example.com\n" for n in range(number))
        tracemalloc.start()
        try:
            with (
                open_key_file(path, None, VANCHIN, None) as source,
                checked_batch(source, VANCHIN, Silent()) as checked,
            ):
                assert checked.count == number
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    small, large = peak(11_000), peak(33_000)  # up to ten thousand are kept, of more none
    assert large < small * 1.2


# what is warned about


def test_columns_that_are_ignored_are_told_by_their_place(load: Callable[..., list[Key]]) -> None:
    load(f"endpoint_id,usr,api_key,\nep-fake-1,ann@example.com,{fake_key(1)},\n", "keys.csv")
    (warning,) = load.warnings  # type: ignore[attr-defined]
    assert "columns 2 and 4 ignored" in warning
    assert "usr" not in warning


def test_keys_that_do_not_look_like_the_providers_are_stored_with_one_warning(load: Callable[..., list[Key]]) -> None:
    mine = row(1, api_key="sk-proj-fake-line-key-0123456789")
    assert len(load(lines(mine, row(2), row(3)), provider=OPENAI)) == 3
    (warning,) = load.warnings  # type: ignore[attr-defined]
    assert warning == "line 2, api_key and 1 more do not look like an OpenAI key (sk-…)."
    load(lines(mine), provider=OPENAI)
    assert load.warnings == ()  # type: ignore[attr-defined]


# what is refused


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        (lines(row(1), '{"api_key": }'), "line 2 of .*keys.jsonl is not valid JSON", "column 13"),
        (lines(row(1), "[" * 100_000), "line 2 of .* is not valid JSON", "nested too deeply"),
        (lines(row(1, endpoint_id=float("nan"))), "line 1, endpoint_id must be text", "not a finite number"),
        (lines(row(1), [1]), "line 2 must be an object", "a list"),
        (lines(row(1), "3"), "line 2 must be an object", "a number"),
        (lines({"endpoint_id": "ep-fake-1"}), "line 1, api_key must be text", "missing"),
        (lines({"api_key": fake_key(1)}), "line 1, endpoint_id must be text", "missing"),
        (lines(row(1, api_key=3)), "line 1, api_key must be text", "a number"),
        (lines(row(1, id="3")), "line 1, id must be a whole number", "text"),
        (lines(row(1, id=10**7)), "line 1, id cannot be used", "larger"),
        (lines(row(1, id=10**30)), "line 1, id must be a whole number", "not a finite number"),
        (lines(row(1, name=" ")), "line 1, name cannot be used", "empty"),
        (lines(row(1, base_url="keys.example.com")), "line 1, base_url cannot be used", "http"),
        (lines(row(1), row(2, user="ann")), "line 2, user cannot be used", "neither"),
        (lines(row(1, user="a@" + "b" * 400)), "line 1, user cannot be used", "neither"),
        (lines(row(1, user=fake_key(1))), "line 1, user cannot be used", "neither"),
        (lines(row(1, endpoint_id=fake_key(1))), "line 1, endpoint_id cannot be used", "looks like a key"),
        (lines(row(1, base_url=f"https://h.example.com/{fake_key(1)}")), "line 1, base_url", "the key is part of it"),
        (lines(row(1, name="sk-fake-line-key-0123456789")), "line 1, name cannot be used", "looks like a key"),
        (lines(row(1, api_key="fake...zzz")), "line 1, api_key cannot be used", "mask"),
        (lines(row(1, api_key="fake-line-key-" + "z" * 9000)), "line 1, api_key cannot be used", "longer"),
        (lines(row(1, description="x" * 20_000)), "line 1, description cannot be used", "longer"),
        (lines('{"api_key": "a", "api_key": "fake-line-key-1"}'), "line 1 has api_key twice", "which"),
        (lines('{"fake-line-key-1": 1, "fake-line-key-1": 2}'), "line 1 has a member twice", "which"),
        (lines(row(1), row(2), row(1)), "line 1, endpoint_id and line 3, endpoint_id are the same endpoint", "own"),
        ("", "has no keys", "no line"),
        (" \n\n", "has no keys", "no line"),
        (b'{"api_key": "\0"}', "line 1 cannot be used", "binary"),
        (lines(row(1)).encode() + b"\xff\n", "line 2 cannot be used", "not UTF-8"),
        (b"\n" + b"x" * (1024 * 1024 + 1), "line 2 cannot be used", "longer than one megabyte"),
    ],
)
def test_a_faulty_line_is_named(load: Callable[..., list[Key]], text: str | bytes, what: str, why: str) -> None:
    error = refusal(lambda: load(text))
    assert re.search(what, error.what)
    assert why in error.why


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        (f"{HEADER}\nep-fake-1,a,{fake_key(1)}\n", "line 2 cannot be used", "it has 3 fields"),
        (f"{HEADER}\nep-fake-1,a,{fake_key(1)},,\n", "line 2 cannot be used", "it has 5 fields"),
        (f"{HEADER}\nep-fake-1,a,{fake_key(1)},\n\nep-fake-2,b,,\n", "line 4, api_key must be text", "missing"),
        (
            f'{HEADER}\nep-fake-1,"a\nb",{fake_key(1)},\nep-2,"c,{fake_key(2)},\n',
            "line 4 of .* is not valid CSV",
            "quote",
        ),
        (f'{HEADER}\nep-fake-1,"a"b,{fake_key(1)},\n', "line 2 of .* is not valid CSV", "closing quote"),
        (f"{HEADER}\nep-fake-1,{'x' * 140_000},{fake_key(1)},\n", "line 2 of .* is not valid CSV", "128 KB"),
        (f"{HEADER}\rep-fake-1,a,{fake_key(1)},\r", "line 1 of .* is not valid CSV", "RFC 4180"),
        (f"{HEADER}\nep-fake-1,a,{fake_key(1)},,\n", "line 2 cannot be used", "first line names 4"),
        (f"ep-fake-1,Agent 1,{fake_key(1)},\n", "line 1 cannot be used", "api_key is not among them"),
        ("name,api_key\nAgent 1,fake-line-key-1\n", "line 1 cannot be used", "endpoint_id is not among them"),
        ("endpoint_id,api_key,API_KEY\n", "line 1 cannot be used", "twice"),
        (f"{HEADER}\n", "has no keys", "no line"),
        ("", "line 1 cannot be used", "not among them"),
        (f"endpoint_id,api_key,id\nep-fake-1,{fake_key(1)},first\n", "line 2, id must be a whole number", "text"),
    ],
)
def test_a_faulty_row_is_named(load: Callable[..., list[Key]], text: str, what: str, why: str) -> None:
    error = refusal(lambda: load(text, "keys.csv"))
    assert re.search(what, error.what)
    assert why in error.why


def test_what_is_neither_json_nor_csv(load: Callable[..., list[Key]]) -> None:
    assert "not valid JSON" in refusal(lambda: load("fake-line-key-01-zzzz\n", "keys")).what


def test_a_document_over_the_limit_is_pointed_to_the_other_formats(load: Callable[..., list[Key]]) -> None:
    text = json.dumps({"agents": [row(n, id=n, description="x" * 9000) for n in range(200)]})
    assert ".csv" in refusal(lambda: load(text, "keys.json")).hint


def test_an_endless_binary_device_is_refused_before_it_fills_the_disk() -> None:
    with pytest.raises(UsageError, match="binary"), open_key_file(Path("/dev/zero"), None, VANCHIN, None):
        pass


def test_of_many_rows_one_that_changed_after_the_check_is_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promthctl.keys.key_batch._KEPT_KEYS", 1)
    path = tmp_path / "keys.jsonl"
    path.write_text(lines(row(1), row(2)))
    with (
        open_key_file(path, None, VANCHIN, None) as source,
        checked_batch(source, VANCHIN, Silent()) as checked,
    ):
        path.write_text(lines(row(1), row(2, api_key="short")))
        refusal(lambda: list(checked))


def test_a_disk_without_room_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    class Full:
        origin, warnings = "a test", ()

        def __iter__(self) -> Iterator[Key]:
            raise sqlite3.OperationalError("database or disk is full")

    source: KeySource = Full()
    with pytest.raises(PromthctlError, match="disk is full"), checked_batch(source, VANCHIN, Silent()):
        pass


# documents for several users


def test_a_document_may_have_all_agents_of_several_users() -> None:
    agents = [row(n, id=n, user=user) for user in ("ann@example.com", "bob@example.com") for n in range(1, 15)]
    keys = parse_document(json.dumps({"agents": agents}), "a test", VANCHIN, None).keys
    assert len(keys) == 28
    error = refusal(lambda: parse_document(json.dumps({"agents": agents[:-1]}), "a test", VANCHIN, None))
    assert "13 of 14" in error.what
    assert "bob@example.com: number 14" in error.why
