"""Every `next:` changes the situation: it is run as it stands, and then the command that failed goes well.

To add a case, describe the situation, the command that fails in it, and what of its `next:` is to be run. Hints about
poolers and locks are run in tests/hosted, where these are.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.errors import PrerequisiteError
from promthctl.toolchain import node
from promthctl.toolchain.python_packages import install_command
from tests.promthctl_runner import Project

EARLY = ("001_initial_schema", "002_agent_chain_schema")  # the app's, before it had api_keys.metadata
BUILT_IN = Path(__file__).parents[2] / "promthctl" / "mr_promth" / "migrations"
UP = "promthctl local up"


@dataclass(frozen=True)
class Case:
    """files: the project's migrations. before: what was done. fails: the commands that fail, in a shell's words.

    code: how they fail. helps: what stands in each `next:`, to be run in that order. env: for all of them.
    """

    name: str
    fails: tuple[str, ...]
    code: int
    helps: tuple[str, ...]
    files: tuple[str, ...] = ("create table public.a (id int primary key);",)
    before: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()


SEED = "seed keys --provider openai"
KEYS = (("OPENAI_API_KEY", "sk-FAKEfakeFAKEfake0123456789"), ("ENCRYPTION_SECRET", "fake-secret-of-32-characters-long"))
CASES = (
    Case("no stack", ("local env", "push"), 4, (UP,)),
    Case("a purged stack", ("local env", "verify --only tables"), 4, (UP,), before=(UP, "local down --purge --yes")),
    Case("a stopped stack", ("push", "verify --only tables"), 4, (UP,), before=(UP, "local down")),
    Case("no table for keys", ("keys list", SEED), 1, ("promthctl init --keys", UP), before=(UP,), env=KEYS),
    Case("an early api_keys", ("keys list", SEED), 1, ("promthctl init --keys", UP), EARLY, before=(UP,), env=KEYS),
    Case("no such service", ("local logs kong",), 2, ("promthctl local logs",), before=(UP,)),
    Case(
        "--local and another", ("push --local --db-url postgresql://h/d",), 2, ("promthctl push --local",), before=(UP,)
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_comes_next_helps(case: Case, make_project: Callable[..., Project]) -> None:
    project = make_project(**dict(case.env))
    (project.path / "sql").mkdir()
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    for number, text in enumerate(case.files, start=1):
        name = f"{text}.sql" if text in EARLY else f"{number:03}_made.sql"
        (project.path / "sql" / name).write_text((BUILT_IN / name).read_text() if text in EARLY else text)
    for words in case.before:
        run(project, words)
    for words in case.fails:
        told = run(project, words, case.code)
        (advice,) = re.findall(r"^ next: (.*)$", told, re.MULTILINE)
        places = [advice.find(help_) for help_ in case.helps]
        assert -1 not in places and places == sorted(places), advice
    for help_ in case.helps:
        run(project, help_)
    for words in case.fails:
        if case.code != 2:  # a command line that was wrong stays wrong
            run(project, words)


def run(project: Project, words: str, code: int = 0) -> str:
    """What a command says on standard error. words: with or without the program's name."""
    split = shlex.split(words.removeprefix("promthctl "))
    ports = ["--api-port", "0", "--db-port", "0"] if split == ["local", "up"] else []
    return project.run(*split, *ports, code=code).stderr


@pytest.mark.parametrize("words", ["push --yes", "verify", "keys list", "reset", "rollback --to 0", "migrations adopt"])
def test_a_wrong_reference_is_corrected_in_the_same_command(project: Project, words: str) -> None:
    told = project.run(*words.split(), "--project-ref", "short", code=2).stderr
    assert "run the same command again with --project-ref" in told and "promthctl push" not in told


def test_a_cli_that_is_not_there_is_not_to_be_updated(project: Project, database_url: str) -> None:
    words = ("push", "--db-url", database_url, "--yes", "--supabase-cli")
    told = project.run(*words, "/nothere", code=3).stderr
    assert "there is no such file" in told and "update" not in told and "--supabase-cli pinned" in told
    project.run(*words, "pinned")


def test_a_python_package_is_installed_where_promthctl_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the environment that scripts/up makes, which pip does not know as a package."""
    command = install_command("psycopg>=3")
    assert sys.executable in command
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)  # it is there: nothing is downloaded
    monkeypatch.setattr(node, "_from_wheel", lambda: None)
    with pytest.raises(PrerequisiteError) as raised:
        node.find_node(settings.Settings(Path(), {"PATH": "/nowhere"}))
    assert install_command(node.WHEEL) in raised.value.hint
