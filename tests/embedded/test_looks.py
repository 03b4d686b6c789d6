"""The main commands on terminals of several widths and kinds, and in locales without UTF-8."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from tests.promthctl_runner import REPOSITORY, Project

COMMANDS = (
    (),
    ("local", "status"),
    ("migrations", "list"),
    ("migrations", "lint"),
    ("push", "--dry-run"),
    ("local", "snapshot", "list"),
    ("keys", "list"),
    ("cache", "list"),
)
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(project: Project, width: int, *words: str, **env: str) -> bytes:
    """What a terminal of that width gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {"TERM": "xterm-256color"} | {
        name: value for name, value in project.environment(**env).items() if name != "COLUMNS"
    }
    running = subprocess.Popen(
        project.command(*words),
        env=environment | env,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    printed = b""
    try:
        while chunk := _read(ours):
            printed += chunk
    finally:
        os.close(ours)
        running.kill()
        running.wait()
    return printed


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


@pytest.fixture
def started(project: Project) -> Project:
    folder = project.path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (folder / "20261127000000_add_metadata_and_cli_sessions.sql").write_text("create table public.a (id int);")
    project.run("init", "--keys", code=None)
    project.up()
    project.run("local", "snapshot", "save", "before-the-import")
    return project


def test_what_matters_is_whole_at_every_width(started: Project) -> None:
    for width in (40, 80, 100, 140):
        for words in COMMANDS:
            text = MOVES.sub("", on_terminal(started, width, *words).decode())
            assert "Traceback" not in text and text.strip(), (width, words, text)
            if words == ("migrations", "list"):
                assert "In supabase/" in " ".join(text.split()) or "supabase/" in text, text
                assert ("add_metadata_and_cli_sessions" in text) is (width > 40), text
            if words == ("local", "snapshot", "list"):
                assert "before-the-import" in text and "made by hand" in text, text


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "", "LANG": "en_US.ISO-8859-1", "PYTHONIOENCODING": "iso-8859-1"},
    ],
    ids=["C", "latin-1"],
)
def test_signs_are_readable_without_utf_8(started: Project, env: dict[str, str]) -> None:
    for words in COMMANDS:
        printed = on_terminal(started, 100, *words, **env)
        assert b"Traceback" not in printed and b"\\u" not in printed and b"\\x" not in printed, (words, printed)
        printed.decode(env["PYTHONIOENCODING"])


def test_a_terminal_that_cannot_move_gets_lines_and_one_without_colour_no_colour(started: Project) -> None:
    for words in COMMANDS:
        assert b"\x1b" not in on_terminal(started, 80, *words, TERM="dumb"), words
        assert not re.search(rb"\x1b\[(?:3|4|9|10)[0-9]", on_terminal(started, 80, *words, NO_COLOR="1")), words
    assert "Running the migrations" in on_terminal(started, 80, "migrations", "lint", TERM="dumb").decode()
