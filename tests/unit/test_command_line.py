"""The command line as such: options, help, mistakes, and what is loaded to answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from promthctl import __version__
from promthctl.cli import Commands
from promthctl.cli.groups import hoist_global_options
from tests.promthctl_runner import REPOSITORY, Project, data

COMMANDS = [
    [],
    *([name] for name in Commands.lazy),
    *(["local", name] for name in ("up", "down", "status", "logs", "env", "reset")),
    *(["migrations", name] for name in ("list", "sync")),
    ["seed", "vanchin"],
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty folder, in which nothing is started."""
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("words", "hoisted"),
    [
        ("local up", "local up"),
        ("local status --json", "--json local status"),
        ("--json local status -v -y", "--json -v -y local status"),
        ("push -C dir --yes --db-url URL", "-C dir --yes push --db-url URL"),
        ("push --project-dir dir", "--project-dir dir push"),
        ("push --project-dir=dir -Cdir", "--project-dir=dir -Cdir push"),
        ("push --supabase-cli system --local", "--supabase-cli system push --local"),
        ("push --supabase-cli=./supabase", "--supabase-cli=./supabase push"),
        ("local logs -- --json -v", "local logs -- --json -v"),
        ("local env --write --json -- -y", "--json local env --write -- -y"),
        ("push --yes -C", "-C"),  # Typer says what is missing
        ("", ""),
    ],
)
def test_global_options_come_to_the_front(words: str, hoisted: str) -> None:
    assert hoist_global_options(words.split()) == hoisted.split()


@pytest.mark.parametrize("words", [["--json", "local", "status"], ["local", "--json", "status"]])
def test_global_options_work_wherever_they_stand(project: Project, words: list[str]) -> None:
    assert data(project.run(*words, code=1).stdout)["running"] is False
    other = project.path / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text("[tool.promthctl]\nx = 1\n")
    assert "unknown setting: x" in project.run("local", "status", "-C", str(other), code=2).stderr


def test_the_version(project: Project) -> None:
    assert project.run("--version").stdout == f"promthctl {__version__}\n"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(project: Project, words: list[str]) -> None:
    shown = project.run(*words, "--help")
    assert "Usage: promthctl" in shown.stdout and "--help" in shown.stdout and shown.stderr == ""
    assert "\x1b" not in shown.stdout


def test_help_lists_every_command_with_its_line(project: Project) -> None:
    shown = " ".join(project.run("--help").stdout.split())
    for name, (_, summary) in Commands.lazy.items():
        assert f" {name} " in shown and summary.split(":")[0] in shown
    for option in ("--json", "--project-dir", "--verbose", "--yes", "--version"):
        assert option in shown


@pytest.mark.parametrize(
    ("words", "told", "helps"),
    [
        (["loca"], "loca", "promthctl local"),
        (["local", "start"], "start", "promthctl local up"),
        (["local", "status", "--colour"], "--colour", "promthctl local status --help"),
        (["local", "up", "--api-port", "many"], "many", "promthctl local up --help"),
        (["local", "up", "--api-port", "65536"], "65536", "promthctl local up --help"),
        (["local", "up", "--engine", "podman"], "podman", "leave it out"),
        (["local", "env", "--write"], "--write", "--help"),
        (["local", "status", "more"], "more", "promthctl local status --help"),
        (["push", "--db-url"], "--db-url", "--help"),
        (["--colour"], "--colour", "promthctl --help"),
        (["local", "status", "-C"], "-C", "promthctl --help"),
        (["local", "status", "-C", "no/such/folder"], "no/such/folder", "mkdir"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_told_in_three_lines(project: Project, words: list[str], told: str, helps: str) -> None:
    done = project.run(*words, code=2)
    lines = done.stderr.splitlines()[-3:]
    assert [line.partition(":")[0].strip() for line in lines] == ["error", "why", "next"], done.stderr
    assert told in done.stderr and helps in lines[2] and done.stdout == ""
    told_as_json = [
        (one["code"].partition(".")[0], one["exit_code"]) for one in project.errors("--json", *words, code=2)
    ]
    assert told_as_json == [("usage", 2)]


@pytest.mark.parametrize("words", [["local"], ["migrations"], ["seed"]], ids=" ".join)
def test_a_group_alone_shows_its_help(words: list[str]) -> None:
    command = [sys.executable, "-m", "promthctl", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=30, check=False)
    assert done.returncode == 2 and "Usage: promthctl" in done.stdout + done.stderr and "error:" not in done.stderr


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("pyproject.toml", b"[tool.promthctl\n"),
        ("pyproject.toml", b"[tool.promthctl]\npostgres = 9\n"),
        ("supabase/config.toml", b"[api]\nport = 'x'\n"),
        (".env", b"A=\xff\n"),
    ],
)
def test_a_wrong_file_is_named(project: Project, file: str, content: bytes) -> None:
    (project.path / file).parent.mkdir(exist_ok=True)
    (project.path / file).write_bytes(content)
    for words in (["local", "status"], ["push"], ["migrations", "list"], ["seed", "vanchin", "--demo"]):
        told = project.run(*words, code=2).stderr
        assert file in told or "[tool.promthctl]" in told


def test_a_half_filled_env_file_hinders_nothing(project: Project) -> None:
    (project.path / ".env").write_text("ENCRYPTION_SECRET=\nSUPABASE_DB_PASSWORD=\nVANCHIN_API_KEY_1\n")
    project.run("local", "status", code=1)
    project.run("migrations", "list")


HEAVY = ("supabase", "docker", "psycopg", "cryptography", "httpx", "rich.table", "psutil", "filelock", "dotenv")


@pytest.mark.parametrize("words", [None, ["--help"], ["--version"]], ids=["import", "help", "version"])
def test_little_is_loaded_to_answer_quickly(words: list[str] | None) -> None:
    program = (
        "import sys\nimport promthctl.cli\nwords = sys.argv[2:]\n"
        "if words:\n"
        "    sys.argv = ['promthctl', *words]\n"
        "    try: promthctl.cli.main()\n"
        "    except SystemExit: pass\n"
        "loaded = [name for name in sys.argv[0:0] or __import__('json').loads(HEAVY) if name in sys.modules]\n"
        "print('loaded:', loaded)"
    ).replace("HEAVY", repr(json.dumps(HEAVY if words is None else HEAVY[:5])))
    done = subprocess.run(
        [sys.executable, "-c", program, "-", *(words or [])],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
        timeout=30,
    )
    assert done.stdout.endswith("loaded: []\n"), done.stdout


def test_a_terminal_without_unicode_shows_the_result_all_the_same(project: Project) -> None:
    (project.path / "sql").mkdir()
    (project.path / "sql" / "001_a.sql").write_text("select 'é';\n", encoding="utf-8")
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    project.run("migrations", "sync")
    (project.path / "sql" / "001_a.sql").write_text("select 'ö';\n", encoding="utf-8")
    told = project.run("migrations", "sync", "--check", code=1, PYTHONIOENCODING="ascii").stdout
    assert "+select '\\xf6';" in told
