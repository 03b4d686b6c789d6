"""docs/commands.md and docs/configuration.md: what the commands and settings are now, and nothing left out."""

from __future__ import annotations

import re

import pytest

from promthctl.keys.providers import PROVIDERS
from promthctl.setting_names import TOOL, VARIABLES
from promthctl.settings import _MACHINE
from tests.promthctl_runner import REPOSITORY
from tests.reference import DOCS, pages
from tests.unit.test_help import COMMANDS

# Written for an app, or given to a program that is started; promthctl does not read them.
_WRITTEN = {"SUPABASE_ANON_KEY", "SUPABASE_DB_URL", "NEXT_PUBLIC_SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_ANON_KEY"}


@pytest.mark.parametrize("name", ["commands.md", "configuration.md"])
def test_a_page_is_what_the_program_says_now(name: str) -> None:
    assert (DOCS / name).read_text() == pages()[name], "run .venv/bin/python -m tests.reference"


def test_every_command_has_its_heading() -> None:
    headings = re.findall(r"^#+ promthctl (.*)$", pages()["commands.md"], re.MULTILINE)
    assert sorted(headings) == sorted(" ".join(words) for words in COMMANDS if words)


def test_every_variable_that_is_read_is_described() -> None:
    asked = re.compile(r'(?:\.get\(|check_variable\(\w+, |environ\[)"([A-Z][A-Z0-9_]{3,})"')
    read = {name for file in (REPOSITORY / "promthctl").rglob("*.py") for name in asked.findall(file.read_text())}
    ours = {name for name in read if name.startswith(("PROMTHCTL", "SUPABASE", "PG", "DOCKER", "ENCRYPTION"))}
    assert {"PROMTHCTL_ENGINE", "SUPABASE_URL", "DOCKER_HOST", "PGPASSWORD"} <= ours
    assert ours - {one.name for one in VARIABLES} == set()


def test_every_variable_of_the_example_is_described() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    names = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    prefixes = tuple(one.variables for one in PROVIDERS.values())
    described = {one.name for one in VARIABLES} | _WRITTEN
    assert len(names) > 15 and {name for name in names if not name.startswith(prefixes)} <= described
    page = pages()["configuration.md"]
    assert [name for name in names if re.sub(r"_\d+$", "_n", name) not in page] == []


def test_what_a_project_may_not_set_is_told() -> None:
    told = {one.name for one in VARIABLES if one.shell_only}
    assert "DOCKER_CONFIG" in told & _MACHINE
    assert not told & set(re.findall(r"^(\w+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))


def test_settings_are_named_once() -> None:
    for settings in (TOOL, VARIABLES):
        names = [one.name for one in settings]
        assert len(names) == len(set(names))
