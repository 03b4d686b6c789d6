"""Words that were meant: help and version as commands, local commands without `local`, mistakes, and completion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from promthctl import __version__
from tests import fork_server
from tests.promthctl_runner import Project, data


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def run(project: Project, words: str, **env: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = fork_server.run(words.split(), project.environment(**env), project.path)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        ("-h", "promthctl [OPTIONS] COMMAND"),
        ("help", "promthctl [OPTIONS] COMMAND"),
        ("push -h", "promthctl push"),
        ("local snapshot save -h", "promthctl local snapshot save"),
        ("help local up", "promthctl local up"),
        ("help up", "promthctl local up"),
        ("local help up", "promthctl local up"),
        ("migrations help", "promthctl migrations"),
        ("down --help", "promthctl local down"),
    ],
)
def test_help_is_there_by_any_of_its_names(project: Project, words: str, usage: str) -> None:
    assert f"Usage: {usage}" in run(project, words)[1]


def test_the_version_is_a_word_too(project: Project) -> None:
    assert run(project, "version") == (0, f"promthctl {__version__}\n", "")


def test_a_local_command_needs_no_local(project: Project) -> None:
    assert run(project, "status") == run(project, "local status")
    assert data(run(project, "status --json")[1])["running"] is False


@pytest.mark.parametrize(
    ("words", "why", "following"),
    [
        ("snapshot", "there is no command promthctl snapshot", "promthctl local snapshot"),
        ("snapshot save x", "there is no command promthctl snapshot", "promthctl local snapshot save"),
        ("adopt --db-url URL", "there is no command promthctl adopt", "promthctl migrations adopt"),
        ("migrations lsit", "there is no command promthctl migrations lsit", "promthctl migrations list"),
        ("local start", "there is no command promthctl local start", "promthctl local up"),
        ("undo", "there is no command promthctl undo", "promthctl --help"),
        # what loses something is offered for reading only
        ("rest", "there is no command promthctl rest", "promthctl reset --help"),
        ("restore", "there is no command promthctl restore", "promthctl local snapshot restore --help"),
        ("reset --undo", "promthctl reset has no option --undo", "promthctl local reset --undo"),
        ("local up --engne x", "promthctl local up has no option --engne", "promthctl local up --engine NAME"),
        ("local status --jsn", "promthctl local status has no option --jsn", "promthctl local status --json"),
        ("local up --api-port 99999", "--api-port 99999 is not a port (0 to 65535)", "promthctl local up --help"),
        ("local up --api-port many", "--api-port many is not a port (0 to 65535)", "promthctl local up --help"),
        ("local logs --tail -1", "--tail -1 is not a number (0 or more)", "promthctl local logs --help"),
        ("rollback --conflicts x", "--conflicts x is none of stop, keep, replace", "promthctl rollback --help"),
        ("push --db-url", "--db-url needs URL after it", "promthctl push --help"),
        ("pull", "NAME is missing: What the migration does, e.g. add_tags", "promthctl pull --help"),
        ("logs a b", "promthctl local logs takes no further word, and there is: b", "promthctl local logs --help"),
        ("push --yess", "promthctl push has no option --yess", "promthctl push --help"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_plain_words_with_what_was_meant(
    project: Project, words: str, why: str, following: str
) -> None:
    code, _, told = run(project, words)
    assert code == 2 and f"  why: {why}\n next: {following}\n" in told


def completed(project: Project, words: str, shell: str = "bash") -> list[str]:
    """What a shell offers for the last word, by the protocol of its completion script."""
    env = {
        "COMP_WORDS": f"promthctl {words}",
        "COMP_CWORD": str(words.count(" ") + 1),
        "_TYPER_COMPLETE_ARGS": f"promthctl {words}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code, told, mistakes = run(project, "", _PROMTHCTL_COMPLETE=f"complete_{shell}", **env)
    assert (code, mistakes) == (0, "")
    return told.split()


def test_values_are_completed(project: Project) -> None:
    (project.path / "pyproject.toml").write_text(
        '[tool.promthctl]\nmigrations = "db"\n[tool.promthctl.targets.live]\nproject_ref = "abcdefghijklmnopqrst"\n'
        "production = true\n"
    )
    (project.path / "db").mkdir()
    (project.path / "db" / "001_first.sql").write_text("select 1;")
    here = f"-C {project.path}"
    assert completed(project, f"{here} push --target ") == ["live"]
    assert completed(project, f"{here} push --target ", "zsh") == ["_arguments", "'*:", """:(("live":"production"))'"""]
    assert completed(project, f"{here} push --target ", "fish") == ["live", "production"]
    assert completed(project, f"{here} rollback --to ") == ["001"]
    assert completed(project, f"{here} local logs p") == ["postgres"]
    assert completed(project, "local up --engine d") == ["docker"]
    assert completed(project, "local up --services db,re") == ["db,rest", "db,realtime"]
    assert completed(project, "keys remove 14") == ["14"]
    assert completed(project, "pus") == ["push"]


def test_no_command_loads_before_it_runs_what_it_works_with() -> None:
    """Otherwise a Tab, or its --help, waits for it. rich is loaded to show a help, and by no completion."""
    heavy = ("promthctl.settings", "promthctl.process", "promthctl.push.applying", "psycopg", "rich.console", "pglast")
    loaded = (
        "import importlib, pkgutil, sys; import promthctl.cli as cli\n"
        "for one in pkgutil.iter_modules(cli.__path__): importlib.import_module(f'promthctl.cli.{one.name}')\n"
        f"print(sorted({{*{heavy}}} & {{*sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_completion_tells_no_mistake_of_a_file(project: Project) -> None:
    (project.path / "pyproject.toml").write_text("[tool.promthctl\n")
    assert completed(project, f"-C {project.path} push --target ") == []
