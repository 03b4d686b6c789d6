"""The contract of --json (docs/json.md): one envelope, whatever comes of the command; and --quiet."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from promthctl.cli import Commands
from promthctl.cli.invocation import Invocation
from promthctl.errors import CODES, PromthctlError, RefusedError
from promthctl.output import Output
from tests import json_schemas
from tests.error_messages import PACKAGE, Sources
from tests.promthctl_runner import REPOSITORY, Project

DOCUMENT = (REPOSITORY / "docs" / "json.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def envelope(project: Project, *words: str, code: int = 0, **env: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.run("--json", *words, code=code, **env).stdout)
    return found


def test_the_schemas_are_those_of_the_classes() -> None:
    """python -m tests.json_schemas writes them."""
    there = {path.name: path.read_text(encoding="utf-8") for path in json_schemas.FOLDER.iterdir()}
    assert there == json_schemas.rendered()


def test_every_schema_is_one() -> None:
    for text in json_schemas.rendered().values():
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


def leaves(words: tuple[str, ...], command: Any) -> Iterator[str]:
    if getattr(command, "commands", None):
        for name, inner in command.commands.items():
            yield from leaves((*words, name), inner)
    else:
        yield " ".join(words)


def test_every_command_has_a_schema() -> None:
    import importlib

    import typer

    found = set[str]()
    for name, (module, _) in Commands.lazy.items():
        found |= {*leaves((name,), typer.main.get_command(importlib.import_module(f"promthctl.cli.{module}").app))}
    assert found <= json_schemas.RESULTS.keys()
    assert json_schemas.RESULTS.keys() - found == {"", "local mail"}  # which are groups that do something themselves


def test_numbers_say_their_unit() -> None:
    """A size or a time has its unit in its name, or in what the schema says of it."""
    unclear = re.compile("size|time|memory|duration|age|oldest|unused|kept|snapshots")
    for name, text in json_schemas.rendered().items():
        for kind, schema in json.loads(text).get("$defs", {}).items():
            for field, said in schema["properties"].items():
                number = re.search('"(integer|number)"', json.dumps(said)) is not None
                if number and unclear.search(field) and not re.search("bytes|seconds|milliseconds", field):
                    told = said.get("description", "")
                    assert re.search("bytes|seconds|milliseconds", told), (name, kind, field, told)


def test_the_codes_are_documented() -> None:
    section = DOCUMENT.partition("## Codes")[2].partition("## ")[0]
    listed = dict(re.findall(r"^\| `([a-z_.]+)` \| (.*?) \|$", section, re.MULTILINE))
    assert listed == CODES
    assert all(code.partition(".")[0] in CODES for code in CODES)


def test_an_error_has_no_other_codes() -> None:
    given = set()
    for _, call in Sources(PACKAGE).raised():
        codes = (word.value for word in call.keywords if word.arg == "code")
        given |= {code.value for code in codes if isinstance(code, ast.Constant)}
    problems = [call.args[0] for _, call in Sources(PACKAGE).calls["problem"]]
    given |= {code.value for code in problems if isinstance(code, ast.Constant)}
    kinds = [PromthctlError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert given | {kind.code for kind in kinds} <= CODES.keys() and given


@pytest.mark.parametrize(
    ("words", "command", "code", "error"),
    [
        (["loca"], "", 2, "usage.command_line"),
        (["--colour"], "", 2, "usage.command_line"),
        (["local"], "local", 2, "usage.command_line"),
        (["local", "status", "--colour"], "local status", 2, "usage.command_line"),
        (["migrations", "down"], "migrations down", 2, "usage"),
        (["local", "env"], "local env", 4, "target"),
        (["status", "-q", "-v"], "local", 2, "usage"),
        (["push", "--db-url", "postgresql://me:fake-pw@127.0.0.1:1/x"], "push", 4, "target.unreachable"),
        (["migrations", "lint", "--format", "json", "no.sql"], "migrations lint", 2, "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failure_is_an_envelope(project: Project, words: list[str], command: str, code: int, error: str) -> None:
    told = envelope(project, *words, code=code)
    assert (told["command"], told["status"], told["data"]) == (command, "error", None)
    assert [(one["code"], one["exit_code"]) for one in told["errors"]] == [(error, code)]


def test_what_a_command_finds_is_no_error(project: Project) -> None:
    told = envelope(project, "local", "status", code=1)
    assert told["status"] == "success" and told["errors"] == [] and told["data"]["running"] is False


def test_a_refusal_without_a_terminal(project: Project) -> None:
    (project.path / ".env").write_text("VANCHIN_BASE_URL=http://127.0.0.1:1/\n")
    told = envelope(project, "local", "down", "--purge", code=5)
    assert told["errors"][0]["code"] == "refused.confirmation" and told["status"] == "error"


@pytest.mark.parametrize("words", [["--help"], ["local", "status", "--help"], ["--version"]], ids=" ".join)
def test_help_is_text(project: Project, words: list[str]) -> None:
    assert "promthctl" in project.run(*words).stdout
    assert project.run(*words).stdout == project.run("--json", *words).stdout


def run_main(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, where `local status` does what `body` says."""
    program = f"""
        import sys
        from promthctl import cli, local_stack

        def status(*_):
            {body}

        local_stack.status = status
        sys.argv = ["promthctl", *{arguments!r}]
        cli.main()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=30, check=False)


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        ("raise KeyboardInterrupt", 130, "interrupted"),
        ("raise ZeroDivisionError", 1, "bug"),
        ("raise OSError(28, 'No space left on device')", 1, "failed"),
    ],
)
def test_an_accident_is_an_envelope(tmp_path: Path, body: str, code: int, error: str) -> None:
    done = run_main(body, "-C", str(tmp_path), "local", "status", "--json")
    assert done.returncode == code and "Traceback" not in done.stderr
    assert json_schemas.check(done.stdout) is None
    told = json.loads(done.stdout)
    assert [one["code"] for one in told["errors"]] == [error] and told["command"] == "local status"


def finished(capsys: pytest.CaptureFixture[str], output: Output) -> dict[str, Any]:
    output.finish()
    output.finish()  # it is printed once
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_an_error_after_the_result_is_partial(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.show({"a": 1}, lambda _: ())
    output.error(RefusedError("what", "why", "next"))
    told = finished(capsys, output)
    assert (told["status"], told["data"]) == ("partial", {"a": 1})


def test_a_stream_ends_as_json_where_it_breaks_off(capsys: pytest.CaptureFixture[str]) -> None:
    written = []

    def pages() -> Iterator[list[int]]:
        yield [1, 2]
        written.append(capsys.readouterr().out)
        yield [3]
        raise PromthctlError("what", "why", "next")

    output = Output(as_json=True)
    output.envelope.command += ["keys", "list"]
    with pytest.raises(PromthctlError) as caught:
        output.show_pages(pages(), lambda _: ())
    output.error(caught.value)
    output.finish()
    assert written[0].endswith("1,\n2")  # nothing is kept until the end
    told = json.loads(written[0] + capsys.readouterr().out)
    assert (told["command"], told["status"], told["data"]) == ("keys list", "partial", [1, 2, 3])
    assert [one["code"] for one in told["errors"]] == ["failed"]


def test_a_stream_without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.show_pages(iter([]), lambda _: ())
    assert finished(capsys, output)["data"] == []


def test_logs_that_do_not_end_are_lines_and_the_envelope_is_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.log_lines([("api", "a"), ("api", "b")], endless=True)
    output.finish()
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert lines == [{"service": "api", "line": "a"}, {"service": "api", "line": "b"}]
    assert last["status"] == "success" and last["data"] is None


def test_quiet_leaves_results_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(quiet=True)
    run = Invocation(output, None, False)
    output.note("a note")
    with output.step("a step") as update, output.board(["a row"]) as row, output.progress("bar", 10) as advance:
        update("detail")
        row(0, "text")
        advance(10)
    with output.downloads("images", ["a"]) as progress:
        progress.finish("a")
    run.warn(["mind this"])
    output.show("result", lambda text: [text])
    output.error(RefusedError("what", "why", "next"))
    shown = capsys.readouterr()
    assert shown.out == "result\n"
    assert shown.err == "warning: mind this\nerror: what\n  why: why\n next: next\n"


def test_quiet_shows_what_a_question_is_about(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(quiet=True)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    output.note("what it is about")
    assert Invocation(output, None, False).ask("Do it? ") == "y\n"
    assert capsys.readouterr().err.startswith("what it is about\nDo it? ")


def test_quiet_on_the_command_line(project: Project) -> None:
    loud, quiet = (project.run("migrations", "list", *more) for more in ([], ["-q"]))
    assert "example" in loud.stderr and quiet.stderr == "" and quiet.stdout == loud.stdout != ""


def test_the_example_of_the_document(project: Project) -> None:
    """What jq would do, in Python: docs/json.md has both."""
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    command = [sys.executable, "-m", "promthctl", "-C", str(project.path), "local", "status"]
    words = [sys.executable, "-c", program, *command]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPOSITORY, timeout=30, check=False)
    assert done.stdout == "success: 0 errors\n", done.stdout + done.stderr
    words[-2:] = ["local", "env"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPOSITORY, timeout=30, check=False)
    assert done.stdout == "target: promthctl local up\nerror: 1 errors\n", done.stdout + done.stderr
