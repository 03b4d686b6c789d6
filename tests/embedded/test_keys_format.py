"""docs/keys.md tells the stored format: its readers, in Python and TypeScript, read what we write."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from promthctl.keys.encryption import decrypt, encrypt
from tests.promthctl_runner import REPOSITORY

SECRETS = [
    "0" * 31,
    "0123456789abcdef0123456789abcdef",
    "z" * 33,
    "é" * 16,  # 32 bytes
    "é" * 15 + "x",  # 31
    "ключ шифрования 🔑",
    " with spaces around ",
    "x",
]
TYPESCRIPT = """
const ts = require("typescript");
const source = require("node:fs").readFileSync(0, "utf8");
const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, strict: true };
const { outputText, diagnostics } = ts.transpileModule(source, { compilerOptions: options, reportDiagnostics: true });
if (diagnostics.length) throw new Error(JSON.stringify(diagnostics.map((one) => one.messageText)));
process.stdout.write(outputText);
"""
READ_ALL = """
const pairs = JSON.parse((await import("node:fs")).readFileSync(0, "utf8"));
const read = ([token, secret]) => { try { return readKey(token, secret); } catch { return null; } };
process.stdout.write(JSON.stringify(pairs.map(read)));
"""


def block(language: str) -> str:
    document = (REPOSITORY / "docs" / "keys.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture(scope="module")
def python_reader() -> Callable[..., str]:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    reader: Callable[..., str] = names["read_key"]
    return reader


@pytest.fixture(scope="module")
def node_reader(js_folder: Path, node: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Any]]:
    """Reads (token, secret) pairs, None for what it refuses, with the document's TypeScript compiled."""
    compiled = subprocess.run(
        [node, "--input-type=commonjs", "-e", TYPESCRIPT],
        input=block("typescript"),
        cwd=js_folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    program = tmp_path_factory.mktemp("reader") / "read.mjs"
    program.write_text(compiled + READ_ALL, encoding="utf-8")

    def read(pairs: Sequence[tuple[str, str]]) -> list[Any]:
        done = subprocess.run([node, program], input=json.dumps(pairs), capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout))

    return read


def random_keys(number: int) -> list[str]:
    """Keys as providers make them, and any other text there can be."""
    chance = random.Random(20261123)
    plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    strange = plain + " \t\n\0\"'\\/+=éßжщ漢字🔑\u202e\ufeff\uffff"
    return ["".join(chance.choices(chance.choice([plain, strange]), k=chance.randrange(200))) for _ in range(number)]


def test_both_readers_agree_with_ours_on_a_thousand_keys(
    python_reader: Callable[..., str], node_reader: Callable[..., list[Any]]
) -> None:
    keys = random_keys(1000)
    secrets = [SECRETS[place % len(SECRETS)] for place in range(len(keys))]
    pairs = [(encrypt(key, secret), secret) for key, secret in zip(keys, secrets, strict=True)]
    assert [decrypt(*pair) for pair in pairs] == keys
    assert [python_reader(*pair) for pair in pairs] == keys
    assert node_reader(pairs) == keys


def test_both_readers_refuse_another_secret_and_a_changed_token(
    python_reader: Callable[..., str], node_reader: Callable[..., list[Any]]
) -> None:
    token = encrypt("fake-key-of-a-test", SECRETS[1])
    changed = ("B" if token[0] == "A" else "A") + token[1:]
    pairs = [(token, SECRETS[0]), (changed, SECRETS[1]), (token, SECRETS[1])]
    assert node_reader(pairs) == [None, None, "fake-key-of-a-test"]
    for pair in pairs[:2]:
        with pytest.raises(Exception):  # noqa: B017 - whichever the library has
            python_reader(*pair)


def test_the_readers_are_as_short_as_promised() -> None:
    for language in ("python", "typescript"):
        assert len([line for line in block(language).splitlines() if line.strip()]) <= 10


def test_every_command_of_the_document_exists() -> None:
    document = (REPOSITORY / "docs" / "keys.md").read_text(encoding="utf-8")
    from promthctl.cli.keys import app

    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    named = set(re.findall(r"promthctl keys ([a-z]+)", document))
    assert named == known == {"list", "check", "rotate", "replace", "remove"}
