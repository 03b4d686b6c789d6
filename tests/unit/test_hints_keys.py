"""Hints about keys and where they come from: without a stack, as a dry run reads the keys only; see tests/hints.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hints import Edit, Instead, Leave, Option, Place, Put, Row, Run, Say, Set, follow
from tests.promthctl_runner import Project

KEY = "sk-FAKEfakeFAKEfake0123456789"
SECRET = "a-secret-of-tests-with-32-letters"
AT = "--db-url postgresql://postgres@127.0.0.1:1/x"
DRY = f"promthctl seed keys --provider openai --dry-run {AT}"
FOURTEEN = f"promthctl seed keys --provider vanchin --dry-run {AT}"
ROTATE = f"promthctl keys rotate {AT} --new-secret-env"
CUT = "cannot be reached"  # it came as far as the API

UNREADABLE = "keys/key_file.py · _unreadable"
UNUSABLE = "keys/key.py · unusable"
NUMBERS = "keys/key.py · check_numbers"
IN_PLACE = "keys/key.py · key_in_place"
ROTATION = "keys/rotation.py · rotation_secrets"
DOCUMENT = "keys/key_file_formats.py · parse_document"
WEAK = "keys/encryption.py · weak_secret_warnings"
NO_SECRET = "keys/encryption.py · derive_key"
WRONG_TYPE = "keys/key_record.py · wrong_type"


def line(**fields: object) -> str:
    return json.dumps({"api_key": KEY, **fields}) + "\n"


def document(*numbers: int, key: str = KEY) -> str:
    agents = [{"id": n, "api_key": f"{key}{n}", "endpoint_id": f"ep-2026010100000{n:02}-abcde"} for n in numbers]
    return json.dumps({"agents": agents})


def keys_file(key: str, name: str, text: str, good: str, says: str) -> Row:
    """A file of keys that is wrong, and what it is after the edit that the hint names."""
    return Row(key, f"{DRY} --keys {name}", Edit(name, good, says), files=((name, text),))


def numbered(text: str, good: str, says: str) -> Row:
    return Row(NUMBERS, f"{FOURTEEN} --keys x.json", Edit("x.json", good, says), files=(("x.json", text),))


ALL = document(*range(1, 15))
OTHER = json.dumps({"provider": "vanchin", "agents": [{"api_key": KEY}]})
COLUMNS = "api_key,endpoint_id,id,name,description,base_url,user"
ROWS = (
    Row(
        UNREADABLE,
        f"{DRY} --keys nothere.csv",
        Say("nothere", "keys", "name"),
        files=(("keys.csv", f"api_key\n{KEY}\n"),),
    ),
    Row(UNREADABLE, f"{DRY} --keys .", Option("--keys FILE", "keys.csv"), files=(("keys.csv", f"api_key\n{KEY}\n"),)),
    keys_file(UNREADABLE, "x.json", '{"a": "\0"}', f'{{"agents": [{line()}]}}', "UTF-8"),
    keys_file(UNREADABLE, "x.json", " " * 1_100_000, f'{{"agents": [{line()}]}}', "many keys"),
    keys_file("keys/key_file_formats.py · read_json_lines", "x.jsonl", "{", line(), "correct that line"),
    keys_file("keys/key_file_formats.py · _not_csv", "x.csv", 'api_key\n"a', f"api_key\n{KEY}\n", "correct that row"),
    keys_file("keys/key_file_formats.py · _document_value", "x.json", "{", f'{{"agents": [{line()}]}}', "correct"),
    keys_file(DOCUMENT, "x.json", '{"agents": []}', f'{{"agents": [{line()}]}}', "add the keys"),
    Row(
        DOCUMENT,
        f"{DRY} --keys x.json",
        Instead("promthctl .* --demo", adds=f"--dry-run {AT}"),
        files=(("x.json", '{"agents": []}'),),
    ),
    Row(
        DOCUMENT,
        f"{DRY} --keys x.json",
        Put("x.json", '"provider": "vanchin"', 'write ("provider": .*), or'),
        files=(("x.json", OTHER),),
    ),
    Row(
        DOCUMENT,
        f"promthctl seed keys --provider vanchin --keys x.json --dry-run {AT}",
        Instead("promthctl seed .*", (("NAME", "openai"),), f"--keys x.json --dry-run {AT}"),
        files=(("x.json", OTHER.replace("vanchin", "openai")),),
    ),
    keys_file(
        "keys/key_record.py · as_object", "x.jsonl", f'{{"api_key": "{KEY}", "api_key": "{KEY}"}}', line(), "remove one"
    ),
    keys_file(WRONG_TYPE, "x.jsonl", line(name=3), line(name="three"), "correct that place"),
    keys_file(UNUSABLE, "x.jsonl", line(api_key="short"), line(), "copy it again"),
    keys_file(UNUSABLE, "x.jsonl", line(api_key="sk-a...xyz"), line(), "copy the key itself"),
    keys_file(UNUSABLE, "x.jsonl", line(api_key=""), line(), "fill it in"),
    keys_file(UNUSABLE, "x.jsonl", line(name=KEY), line(name="n"), "put keys in api_key only"),
    keys_file(UNUSABLE, "x.jsonl", line(user="x"), line(), "write name@example.com"),
    keys_file(UNUSABLE, "x.jsonl", line(id=10**7), line(id=1), "give the number"),
    keys_file(UNUSABLE, "x.csv", f"api_key,name\n{KEY}\n", f"api_key,name\n{KEY},n\n", "correct that row"),
    keys_file(UNUSABLE, "x.csv", "api_key,api_key\n", f"api_key\n{KEY}\n", "remove one"),
    keys_file(UNUSABLE, "x.csv", f"{KEY},n\n", f"{COLUMNS}\n{KEY},,,,,,\n", f"begin .*{COLUMNS}"),
    Row(
        UNUSABLE,
        DRY,
        Set("OPENAI_BASE_URL", "https://api.openai.com/v1", "https://api.openai.com/v1"),
        env=(("OPENAI_BASE_URL", "x"), ("OPENAI_API_KEY", KEY)),
    ),
    numbered(document(1, *range(1, 15)), ALL, "its own number"),
    numbered(document(*range(1, 16)), ALL, "remove the extra"),
    numbered(document(1), ALL, "add the missing keys"),
    Row(IN_PLACE, f"{DRY} --keys {KEY}", Option("--keys -"), typed=f"api_key\n{KEY}\n"),
    Row(IN_PLACE, f"{DRY} --user {KEY}", Option("--user .*"), CUT, env=(("OPENAI_API_KEY", KEY),)),
    Row(IN_PLACE, f"{ROTATE} {KEY}", Option("--new-secret-env .*"), CUT, env=(("NEW_SECRET", KEY),)),
    keys_file("keys/key_batch.py · check_all", "x.csv", "api_key\n", f"api_key\n{KEY}\n", "add the keys"),
    keys_file(
        "keys/key_batch.py · _same_endpoint", "x.jsonl", line() * 2, line() + line(endpoint_id="o"), "correct one"
    ),
    Row(NO_SECRET, f"{DRY} --demo", Run("unset.*"), env=(("ENCRYPTION_SECRET", ""),)),
    Row(WEAK, f"{DRY} --demo", Option("--weak-secret"), env=(("ENCRYPTION_SECRET", "short"),)),
    Row(
        "keys/providers.py · find_provider",
        f"promthctl seed keys --provider x {AT} --demo --dry-run",
        Option("--provider openai"),
    ),
    Row(ROTATION, f"{ROTATE} 'a b'", Option("--new-secret-env .*"), CUT, env=(("NEW_SECRET", KEY),)),
    Row(ROTATION, f"{ROTATE} OTHER", Run("python3.*"), CUT),
    Row(ROTATION, f"{ROTATE} ENCRYPTION_SECRET", (Run("python3.*?(?= ;)"), Option("--new-secret-env .*")), CUT),
    Row("keys/seeding.py · seed_keys", f"{DRY} --keys x --demo", Leave("--keys x", "leave one")),
    Row("keys/seeding.py · seed_batch", f"{DRY.replace('--dry-run', '--yes')} --demo", Option("--user .*"), CUT),
    Row(
        "keys/sources.py · _expand_user",
        f"{DRY} --keys '~nobody-here/keys.csv'",
        Say("'~nobody-here/keys.csv'", "$PWD/keys.csv", "whole name"),
        files=(("keys.csv", f"api_key\n{KEY}\n"),),
    ),
    Row("keys/sources.py · _numbered_variables", FOURTEEN, Instead("promthctl .* --demo", adds=f"--dry-run {AT}")),
    Row(
        "keys/sources.py · _numbered_variables",
        FOURTEEN,
        Edit(".env", "VANCHIN_ENDPOINT_1=ep-20260101000001-abcde\n", r"add VANCHIN_ENDPOINT_1=… to \.env"),
        "There are keys for 1 of 14 agents",
        env=(("VANCHIN_API_KEY_1", KEY),),
    ),
    Row(
        "keys/sources.py · _single_variable",
        DRY,
        Edit(".env", f"OPENAI_API_KEY={KEY}\n", r"add OPENAI_API_KEY=… to \.env"),
    ),
    Row("keys/sources.py · _single_variable", DRY, Instead("promthctl .* --demo", adds=f"--dry-run {AT}")),
    Row("keys/users.py · find_user", f"{DRY} --demo --user x", Option("--user .*"), CUT),
    Row(
        "api/client.py · _check_access",
        f"{DRY} --demo --user a@b.c",
        Set("SUPABASE_URL", "https://127.0.0.1:1", "https://"),
        CUT,
        env=(("SUPABASE_URL", "http://db.example"),),
    ),
    Row(
        "api/client.py · _check_access",
        f"{DRY} --demo --user a@b.c",
        Set("SUPABASE_SERVICE_ROLE_KEY", "fake", "into SUPABASE_SERVICE_ROLE_KEY"),
        CUT,
        env=(("SUPABASE_SERVICE_ROLE_KEY", "a b"),),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, tmp_path: Path) -> None:
    api = {"SUPABASE_URL": "http://127.0.0.1:1", "SUPABASE_SERVICE_ROLE_KEY": "fake", "ENCRYPTION_SECRET": SECRET}
    follow(row, Place(Project(tmp_path, api)))
