"""The workflow that `promthctl ci` prints: its scripts, run in their order in clones of a small Supabase project."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from promthctl.setting_up.ci_files import ci_file
from promthctl.sql.quoting import literal
from tests.promthctl_runner import REPOSITORY, Project

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the site builder: ./scripts/test installs it")

NOTES = """create table public.notes (
  id bigint generated always as identity primary key,
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  title text not null
);
create index notes_user_id_idx on public.notes (user_id);
alter table public.notes enable row level security;
create policy own on public.notes to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
grant select, insert, update, delete on public.notes to authenticated, service_role;
"""
DONE = "alter table public.notes add column done boolean not null default false;\n"
GH = """#!/bin/sh
echo "$@" >> "$GH_ASKED"
while [ $# -gt 0 ]; do if [ "$1" = --body-file ]; then cat "$2" >> "$GH_ASKED"; fi; shift; done
"""


def wheel(folder: Path) -> Path:
    """promthctl as pip installs it, with the dependencies that pyproject.toml names."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    info = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path in sorted((REPOSITORY / "promthctl").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts:
                archive.write(path, path.relative_to(REPOSITORY))
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        scripts = "".join(f"{key} = {value}\n" for key, value in project["scripts"].items())
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{scripts}")
        archive.writestr(f"{info}/RECORD", "")
    return made


@dataclass
class Runner:
    """A machine of GitHub's. expressions: what is in ${{ }} → its value here."""

    programs: Path
    folder: Path
    environment: dict[str, str]
    expressions: dict[str, str] = field(default_factory=dict)

    def value(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: self.expressions[found[1]], str(text))

    def run(self, workflow: Mapping[str, Any], job: str) -> dict[str, str]:
        """Run the job's scripts as GitHub does for `shell: bash`; what each printed, by the step's name."""
        printed = {}
        for step in workflow["jobs"][job]["steps"]:
            if "run" not in step:
                continue
            own = {**workflow["env"], **step.get("env", {})}
            environment = {**self.environment, **{name: self.value(text) for name, text in own.items()}}
            environment |= {name: self.environment[name] for name in ("PROMTHCTL",)}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=200,
            )
            assert done.returncode == 0, f"{step['name']}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            printed[step["name"]] = done.stdout
        return printed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def without_password(url: str) -> str:
    return url.replace(f":{urlsplit(url).password}@", "@")


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, database_url: str) -> Path:
    """A project with one migration on main and another one in a pull request."""
    folder = tmp_path / "repository"
    api, database = free_port(), free_port()
    files = {
        "supabase/config.toml": f'project_id = "notes"\n[api]\nport = {api}\n[db]\nport = {database}\n',
        "supabase/migrations/20260101000000_notes.sql": NOTES,
        "supabase/tests/notes.test.sql": "begin;\nselect plan(1);\nselect has_table('public', 'notes', 'there');\n"
        "select * from finish();\nrollback;\n",
        "pyproject.toml": f'[tool.promthctl.targets.live]\ndb_url = "{without_password(database_url)}"\n',
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Begin")
    git(folder, "switch", "-qc", "done")
    (folder / "supabase/migrations/20260102000000_done.sql").write_text(DONE)
    (folder / "supabase/down").mkdir()
    (folder / "supabase/down/20260102000000_done.down.sql").write_text("alter table public.notes drop column done;\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Notes can be done")
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """What actions/setup-python leaves, finding the dependencies without a network, and gh."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    python = tmp_path / "python/bin"
    found = subprocess.run(
        [python / "python", "-c", 'import sysconfig; print(sysconfig.get_path("purelib"))'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(found, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (python / "gh").write_text(GH)
    (python / "gh").chmod(0o755)
    return python


@pytest.fixture
def runner(tmp_path: Path, repository: Path, programs: Path, database_url: str) -> Iterator[Runner]:
    folder = tmp_path / "runner"
    git(tmp_path, "clone", "-q", str(repository), str(folder))
    project = Project(folder, rehearses=True)
    environment = project.environment(
        PATH=f"{programs}:{os.environ['PATH']}",
        PROMTHCTL=str(wheel(tmp_path)),
        PIP_NO_INDEX="1",
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
        GITHUB_OUTPUT=str(tmp_path / "output"),
        GH_ASKED=str(tmp_path / "asked"),
    )
    expressions = {
        "github.event.pull_request.base.sha": git(repository, "rev-parse", "main"),
        "github.event.pull_request.number": "7",
        "github.sha": git(repository, "rev-parse", "done"),
        "github.token": "fake-token",
        "vars.PROMTHCTL_TARGET": "live",
        "vars.PROMTHCTL_PLAN_URL": "",
        "secrets.PROMTHCTL_PLAN_PASSWORD": "",
        "secrets.SUPABASE_ACCESS_TOKEN": "",
        "secrets.SUPABASE_DB_PASSWORD": urlsplit(database_url).password or "",
    }
    yield Runner(programs, folder, environment, expressions)
    project.run("local", "down", "--purge", "--yes", code=None)


def test_the_plan_is_read_from_the_database_that_the_repository_names(
    runner: Runner, database_url: str, tmp_path: Path
) -> None:
    """By a role that may read the history, and nothing else; the cache is another one for another promthctl."""
    workflow = yaml.safe_load(ci_file("github"))
    runner.run(workflow, "push")
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (
            "delete from supabase_migrations.schema_migrations where version = '20260102000000'",
            "alter table public.notes drop column done",
            "create role planner login password 'fake-plan-password'",
            "alter role planner set default_transaction_read_only = on",
            "grant usage on schema supabase_migrations to planner",
            "grant select on supabase_migrations.schema_migrations to planner",
        ):
            connection.execute(statement.encode())
        url = without_password(database_url).replace("//postgres@", "//planner@")
        assert "//planner@" in url
        runner.expressions |= {
            "vars.PROMTHCTL_PLAN_URL": url,
            "secrets.PROMTHCTL_PLAN_PASSWORD": "fake-plan-password",
        }
        try:
            runner.run(workflow, "plan")
        finally:
            connection.execute(b"revoke all on schema supabase_migrations from planner")
            connection.execute(b"revoke all on supabase_migrations.schema_migrations from planner")
            connection.execute(b"drop role planner")
    asked = (tmp_path / "asked").read_text()
    assert "Read from the database of PROMTHCTL_PLAN_URL" in asked and "user planner" in asked
    assert "1 of 2 migrations" in asked and "20260102000000_done.sql" in asked
    assert "fake-plan-password" not in asked
    with psycopg.connect(database_url) as connection:
        versions = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
        assert versions == [("20260101000000",)]
    (version,) = set(re.findall("^version=([0-9a-f]{16})$", (tmp_path / "output").read_text(), re.MULTILINE))
    listed = subprocess.run(
        [runner.programs / "python", "-m", "pip", "freeze"], check=True, capture_output=True, text=True
    ).stdout
    (line,) = [one for one in listed.splitlines() if one.startswith("promthctl")]
    assert hashlib.sha256(f"{line}\n".encode()).hexdigest()[:16] == version


def test_a_pull_request_is_checked_and_gets_its_plan_and_a_merge_is_pushed(
    runner: Runner, database_url: str, tmp_path: Path
) -> None:
    workflow = yaml.safe_load(ci_file("github"))
    printed = runner.run(workflow, "check")
    assert "Verified" in printed["Verify the schema and the isolation of users"]
    assert "1 test passed" in printed["Run the pgTAP tests"]
    assert (runner.folder / "verify.html").exists() and (runner.folder / "tests.xml").exists()

    runner.run(workflow, "plan")
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("pr comment 7 --body-file plan.md")
    assert "1 of 2 migrations" in asked and "20260102000000_done.sql" in asked
    assert "an embedded database with the migrations of the base" in asked
    assert (tmp_path / "summary.md").read_text() in asked

    runner.run(workflow, "push")
    with psycopg.connect(database_url) as connection:
        columns = "select column_name from information_schema.columns where table_name = " + literal("notes")
        assert ("done",) in connection.execute(columns).fetchall()
        versions = connection.execute("select version from supabase_migrations.schema_migrations order by 1").fetchall()
        assert versions == [("20260101000000",), ("20260102000000",)]
