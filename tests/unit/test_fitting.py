"""Tables on narrow terminals, and signs in encodings that lack them."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from promthctl.console import VisibleConsole
from promthctl.terminal import plain
from promthctl.views.common import OK, table

NAME = "add_metadata_and_cli_sessions"


def rendered(width: int, terminal: bool = True) -> str:
    shown = table("", "Version", "Name", "In supabase/", "Up", "Why")
    shown.add_row(OK, "003", NAME, "yes", "3 min 54 s", "made by hand before the import of last week")
    shown.add_row("", "004", "later", "no", "", "")
    stream = io.StringIO()
    console = VisibleConsole(file=stream, width=width, force_terminal=terminal, no_color=True, color_system=None)
    console.print(shown)
    return stream.getvalue()


@pytest.mark.parametrize("width", [44, 60, 80, 100, 140])
def test_no_word_is_broken_and_no_line_is_too_long(width: int) -> None:
    shown = rendered(width)
    assert max(map(len, shown.splitlines())) <= width
    for word in (NAME, "Version", "supabase/", "3 min 54 s", "import", "later", "004", "✔"):
        assert word in shown, shown


def test_rows_become_lines_only_where_words_do_not_fit() -> None:
    assert f"Name          {NAME}" in rendered(60)
    assert "Version  Name" in rendered(80) and "Version  Name" in rendered(140)


def test_what_is_no_terminal_gets_a_line_for_each_row() -> None:
    assert len(rendered(200, terminal=False).splitlines()) == 3


def test_a_word_that_fits_nowhere_is_broken_and_not_cut() -> None:
    assert NAME in "".join(rendered(24).split()) and "…" not in rendered(24)


def test_signs_have_a_form_in_every_encoding() -> None:
    import codecs

    codecs.register_error("tests-plain", plain)
    assert "✔ a → b …".encode("ascii", "tests-plain") == b"+ a -> b ..."
    assert "ก é \u2800".encode("ascii", "tests-plain") == b"\\u0e01 \\xe9 *"


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
def test_help_and_errors_are_printed_in_every_encoding(encoding: str) -> None:
    for words in (["--help"], ["local", "up", "--help"], ["push", "ก"]):
        done = subprocess.run(
            [sys.executable, "-m", "promthctl", *words],
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )
        assert done.returncode in (0, 2) and b"Traceback" not in done.stderr
        (done.stdout + done.stderr).decode(encoding)
