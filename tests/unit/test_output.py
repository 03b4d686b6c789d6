"""The renderer: three-line errors, JSON, masked secrets, plain text where nobody looks at a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from promthctl import redact
from promthctl.console import VisibleConsole
from promthctl.errors import PromthctlError, RefusedError, TargetError, UsageError
from promthctl.output import Output, to_json
from promthctl.steps import reaching
from tests.promthctl_runner import REPOSITORY

SECRET = "fake-secret-of-a-test"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redact, "_known", {SECRET, 'fake-"quoted"\\secret'})
    yield


@dataclass(frozen=True)
class Result:
    name: str
    paths: tuple[Path, ...] = ()
    hidden: str = field(default=SECRET, repr=False)


def printed(capsys: pytest.CaptureFixture[str], use: Callable[[Output], None]) -> dict[str, Any]:
    """The envelope of what `use` does with an output."""
    output = Output(as_json=True)
    use(output)
    output.finish()
    envelope: dict[str, Any] = json.loads(capsys.readouterr().out)
    return envelope


def test_an_error_is_three_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Output().error(UsageError("[x] is wrong", "it is [bold]y[/bold]", "promthctl --help"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: [x] is wrong\n  why: it is [bold]y[/bold]\n next: promthctl --help\n"


def test_more_lines_stand_under_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    Output().error(PromthctlError("what", "one\ntwo", "next"))
    assert capsys.readouterr().err.splitlines()[1:3] == ["  why: one", "       two"]


def test_an_error_as_json_stands_on_standard_output_too(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.error(RefusedError("what é", f"why {SECRET}", 'a "hint"'))
    output.finish()
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    (error,) = told["errors"]
    assert error == {"code": "refused", "what": "what é", "why": "why ********", "next": 'a "hint"', "exit_code": 5}
    assert told["status"] == "error" and told["data"] is None
    assert "é" in shown.out and shown.err.startswith("error: what é")


@pytest.mark.parametrize("width", ["20", "40", "200"])
def test_secrets_are_masked_however_narrow_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    output = Output(verbose=True)
    output.error(TargetError("what " + SECRET, "why postgresql://u:p@h/d " * 3 + SECRET, SECRET + " next"))
    output.note("a note " * 5 + SECRET)
    output.show(Result("n"), lambda _: [f"text [bold]{'x ' * 9}{SECRET}[/bold] postgresql://u:other@h/d"])
    output.log_lines([("api", f"line {SECRET}")], endless=True)
    with output.step("step " + SECRET) as update:
        update("detail " + SECRET)
    shown = capsys.readouterr()
    both = (shown.out + shown.err).replace("\n", "")
    assert "fake-secret" not in both and "of-a-test" not in both and "u:p@" not in both and "u:other@" not in both
    assert both.count("postgresql://u:********@h/d") == 4


@pytest.mark.parametrize("value", ["fake-secret-of-a-test", 'fake-"quoted"\\secret'])
def test_secrets_are_masked_in_json(capsys: pytest.CaptureFixture[str], value: str) -> None:
    shown = printed(capsys, lambda output: output.show(Result(f"a {value}", (Path("/x") / SECRET,)), lambda _: []))
    assert shown["data"] == {"name": "a ********", "paths": ["/x/********"]}  # without what is kept out of the repr
    shown = printed(capsys, lambda output: output.log_lines([("api", f"a {value}")], endless=False))
    assert shown["data"] == [{"service": "api", "line": "a ********"}]


def test_what_was_asked_for_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Output().secret({"A": SECRET, "B": "2"})
    Output().reveal(SECRET)
    shown = capsys.readouterr()
    assert shown.out == f"A={SECRET}\nB=2\n" and shown.err == f"{SECRET}\n"
    assert printed(capsys, lambda output: output.secret({"A": SECRET}))["data"] == {"A": SECRET}


def test_steps_are_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (False, True):
        with Output(verbose=verbose).step("Doing [it]") as update:
            update("the half of it")
    assert capsys.readouterr().err.splitlines() == ["Doing [it] …", "Doing [it] …", "  the half of it"]


def test_results_become_json_values() -> None:
    value = {1: [Result("a"), None, True], "b": (Path("/p"), {"c"}, 1.5)}
    assert to_json(value) == {"1": [{"name": "a", "paths": []}, None, True], "b": ["/p", ["c"], 1.5]}


def test_tables_keep_their_words_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None)
    for _ in range(6):
        table.add_column("c")
    table.add_row(*["word-of-twenty-letters"] * 6)
    Output().show(None, lambda _: [table])
    assert capsys.readouterr().out.count("word-of-twenty-letters") == 6


PROGRAM = """
from promthctl.errors import PromthctlError
from promthctl.output import Output
output = Output()
output.show(None, lambda _: ["[bold green]done[/bold green]"])
output.error(PromthctlError("what", "why", "next"))
with output.step("step [/1]") as update:
    update("detail")
with output.progress("Storing [/2]", 2000) as advance:
    advance(2000)
"""


def terminal(program: str = PROGRAM, **env: str) -> str:
    """What it shows on a terminal."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with os.fdopen(ours, "rb", buffering=0) as screen:
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            env=inherited | {"TERM": "xterm-256color"} | env,
            cwd=REPOSITORY,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := screen.read(4096):
                shown += piece
        except OSError:  # Linux says so when the other side is closed
            pass
        assert child.wait(20) == 0
    return shown.decode()


def test_a_terminal_gets_colours_unless_it_does_not_want_them() -> None:
    assert "\x1b[1;32mdone\x1b[0m" in terminal() and "\x1b[1;31merror:\x1b[0m" in terminal()
    for plain in (terminal(NO_COLOR="1"), terminal(TERM="dumb")):
        assert "done" in plain and " what" in plain
        assert not re.search(r"\x1b\[[\d;]*[349]\d[;m]", plain)  # bold and dim are no colours


def test_progress_is_a_bar_on_a_terminal() -> None:
    shown = terminal()
    assert "2000/2000" in shown and "Storing [/2]" in shown and "step [/1]" in shown


def test_progress_is_a_line_for_each_tenth_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress("Storing [keys]", 2500) as advance:
        for _ in range(25):
            advance(100)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert (lines[0], lines[-1]) == ("Storing [keys]: 300 of 2,500", "Storing [keys]: 2,500 of 2,500")


def test_progress_that_is_told_once_is_a_line_with_its_details(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(verbose=True).progress("Applying", 3, tenths=False) as advance:
        update = reaching(["a", "b", "c"], advance)
        for name in ("a", "c", "other"):
            update(name)
    assert capsys.readouterr().err.splitlines() == ["Applying …", "  a", "  c", "  other"]


def test_without_a_terminal_a_part_of_a_step_is_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    with output.step("whole"), output.progress("part", 3, tenths=False) as advance:
        advance(3, "detail")
    assert capsys.readouterr().err == "whole …\n"


def test_names_that_come_up_say_how_far_it_is() -> None:
    done: list[int] = []
    update = reaching(["a", "b", "c", "d"], lambda number, detail="": done.append(number))
    for name in ("b", "a", "d", "no name of these"):  # a try again begins at an earlier one
        update(name)
    assert done == [1, 0, 2, 0]


def test_a_terminal_has_one_thing_that_moves_at_a_time() -> None:
    """A bar takes the place of the spinner around it; what would move within it does not."""
    within = """
from promthctl.output import Output
output = Output()
with output.step("outer"):
    with output.progress("bar", 4) as advance:
        advance(4)
        with output.step("hidden step"), output.progress("hidden bar", 1) as none:
            none(1)
"""
    shown = terminal(program=within)
    assert "outer" in shown and "4/4" in shown and "hidden" not in shown


def test_a_pipe_gets_no_escapes() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, cwd=REPOSITORY, check=True, timeout=20)
    assert b"\x1b" not in done.stdout + done.stderr and done.stdout == b"done\n"


HOSTILE = "a\x1b[2J\x1b]0;title\x07\rb\x9b31m\u202ec\x7f"
SEEN = "a␛[2J␛]0;titleb<U+009B>31m<U+202E>c␡"  # rich leaves BEL and CR out


def test_what_others_wrote_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(verbose=True)
    output.note(HOSTILE)
    output.error(PromthctlError(HOSTILE, HOSTILE, HOSTILE))
    output.reveal(HOSTILE)
    output.log_lines([("api", HOSTILE)], endless=True)
    output.show(HOSTILE, lambda text: [escape(text), Text(text), table_of(escape(text))])
    output.aside(HOSTILE, lambda text: [escape(text)])
    with output.step(HOSTILE) as update, output.board([HOSTILE]) as row:
        update(HOSTILE)
        row(0, HOSTILE)
    with output.progress(HOSTILE, 1) as advance:
        advance(1)
    shown = "".join(capsys.readouterr()).replace("␇␍", "")  # the cells of a table are cut to its width
    assert shown.count(SEEN) == 14 and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)


def test_on_a_terminal_only_our_own_styles_are_sent() -> None:
    stream = io.StringIO()
    console = VisibleConsole(file=stream, force_terminal=True, color_system="standard")
    console.print(Text(HOSTILE, style="bold"))
    assert stream.getvalue() == f"\x1b[1m{SEEN}\x1b[0m\n"


def test_json_says_the_same_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.show(Result(HOSTILE), lambda _: [])
    output.finish()
    shown = capsys.readouterr().out
    assert json.loads(shown)["data"]["name"] == HOSTILE and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)


def table_of(text: str) -> Table:
    table = Table(text)
    table.add_row(text)
    return table
