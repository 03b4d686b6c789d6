"""The way to an extension that the local stack has not got fits what this machine has."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from promthctl.settings import Settings
from promthctl.supabase_cli.missing_extension import how_to_get
from promthctl.toolchain import installed


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the programs that a test makes, and no PostgreSQL."""
    monkeypatch.setattr(installed, "PLACES", (f"{tmp_path}/pg-*/bin",))
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(path: Path, says: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)


def postgres(machine: Path, version: str, *extensions: str) -> Path:
    folder = machine / f"pg-{version}"
    for name in ("postgres", "initdb"):
        program(folder / "bin" / name, f"echo '{name} (PostgreSQL) {version}'")
    (folder / "share" / "extension").mkdir(parents=True)
    (folder / "share" / "postgres.bki").touch()
    for name in extensions:
        (folder / "share" / "extension" / f"{name}.control").write_text("default_version = '1.0'\n")
    return folder


def apt(machine: Path, *packages: str) -> None:
    lines = "\n".join(f"echo {name} | grep -E \"$3\" | sed 's/$/ - a package/'" for name in packages)
    program(machine / "bin" / "apt-cache", f"PATH=/usr/bin:/bin\n{lines}\ntrue")


def hint(machine: Path, extension: str, postgres: int | str = 17) -> str:
    return how_to_get(Settings(machine, {"PATH": str(machine / "bin")}, postgres=postgres), extension)


def setting(text: str) -> object:
    """What the lines for pyproject.toml say; they have to be TOML as they are."""
    lines = text[text.index("[tool.promthctl]") :].split("\nor: ")[0]
    return tomllib.loads(lines)["tool"]["promthctl"]["postgres"]


def test_an_installed_postgres_that_has_it_is_named(machine: Path) -> None:
    folder = postgres(machine, "16.2", "postgis")
    postgres(machine, "13.1", "pgroonga")
    apt(machine, "postgresql-16-postgis-3")
    assert f"PostgreSQL 16 in {folder / 'bin'} has it" in hint(machine, "postgis")
    assert setting(hint(machine, "postgis")) == "system"
    assert "--engine docker" in hint(machine, "pgroonga")  # 13 cannot be the engine


def test_the_package_is_that_of_the_version_that_is_installed(machine: Path) -> None:
    postgres(machine, "15.8")
    apt(machine, "postgresql-17-postgis-3", "postgresql-15-postgis-3", "postgresql-15-postgis-3-scripts")
    assert "apt-get install postgresql-15-postgis-3," in hint(machine, "postgis_topology")
    assert "--engine docker" in hint(machine, "postgis_topology")
    assert setting(hint(machine, "postgis")) == "system"


def test_without_a_postgres_it_is_the_newest_package(machine: Path) -> None:
    apt(machine, "postgresql-19-pgvector", "postgresql-17-rum", "postgresql-16-rum")
    assert "apt-get install postgresql-17-rum," in hint(machine, "rum")
    assert "postgresql-19" not in hint(machine, "vector")


def test_a_project_that_uses_it_already_is_told_the_package_alone(machine: Path) -> None:
    folder = postgres(machine, "15.8")
    apt(machine, "postgresql-17-rum", "postgresql-15-rum")
    for chosen in ("system", str(folder)):
        told = hint(machine, "rum", chosen)
        assert "apt-get install postgresql-15-rum, then run the same command again" in told
        assert "pyproject" not in told


def test_without_a_package_docker_is_the_way(machine: Path) -> None:
    assert hint(machine, "pgroonga").startswith("promthctl local up --engine docker")
    assert setting(hint(machine, "pgroonga")) == "system"


def test_pgvector_has_a_package_of_its_own(machine: Path) -> None:
    assert setting(hint(machine, "vector")) == 18


def test_a_name_that_hosted_projects_do_not_know_is_not_sent_to_docker(machine: Path) -> None:
    told = hint(machine, "postgsi")
    assert "postgsi is not among the extensions of hosted projects" in told and "docker" not in told
