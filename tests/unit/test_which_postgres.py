"""Which PostgreSQL serves a project, and what its copy is made of."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.engines.embedded import records, system_user, which_postgres
from promthctl.errors import PrerequisiteError, UsageError
from promthctl.settings import Settings
from promthctl.toolchain import installed, linked, pg0
from promthctl.toolchain.installed import postgres_in
from promthctl.toolchain.python_packages import install_command
from tests.hints import told


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without PostgreSQL, whose root keeps databases in a folder of its own."""
    monkeypatch.setattr(installed, "PLACES", (f"{tmp_path}/lib/*/bin",))
    return tmp_path


def install(machine: Path, version: str) -> Path:
    """As Debian lays it out: the share folder is elsewhere, and pg_config knows where."""
    major = version.split(".")[0]
    programs, share = machine / "lib" / major / "bin", machine / "share" / major
    (machine / "lib" / major / "lib").mkdir(parents=True)
    (machine / "lib" / major / "lib" / "plpgsql.so").touch()
    (share / "extension").mkdir(parents=True)
    (share / "postgres.bki").touch()
    (share / "extension" / "citext.control").write_text("default_version = '1.6'\n")
    programs.mkdir()
    for name in ("postgres", "initdb", "pg_config"):
        says = f"echo '{name} (PostgreSQL) {version}'"
        if name == "pg_config":
            says = f'case "$1" in --sharedir) echo {share};; *) echo {programs.parent}/lib;; esac'
        (programs / name).write_text(f"#!/bin/sh\n{says}\n")
        (programs / name).chmod(0o755)
    return programs


def project(machine: Path, postgres: int | str, made_with: int | None = None) -> Settings:
    folder = machine / "project"
    folder.mkdir(exist_ok=True)
    here = Settings(folder, {"PATH": "/nowhere", "PROMTHCTL_DATA_DIR": str(machine / "data")}, postgres=postgres)
    if made_with:
        stack = records.new_stack(here.project_id, "id", 1, 2, made_with, True, False)
        keeper = records.EmbeddedRecords(here.state_dir)
        keeper.make()
        keeper.save_stack(stack)
        data = system_user.data_home(here, here.project_id) / f"postgres-{made_with}-installed"
        data.mkdir(parents=True, exist_ok=True)
    return here


def test_system_is_the_newest_and_then_stays(machine: Path) -> None:
    for version in ("15.8", "13.1", "17.2", "19beta1"):
        install(machine, version)
    assert which_postgres.postgres_of(project(machine, "system")).name == "17-installed"
    assert which_postgres.postgres_of(project(machine, "system", made_with=15)).name == "15-installed"
    assert which_postgres.postgres_of(project(machine, 18)).name == "18"


def test_the_one_that_vanished_is_named_with_the_data_that_waits_for_it(machine: Path) -> None:
    install(machine, "17.2")
    with pytest.raises(PrerequisiteError) as raised:
        which_postgres.postgres_of(project(machine, "system", made_with=16))
    error = told("engines/embedded/which_postgres.py · postgres_of", raised.value)
    assert error.what == "No PostgreSQL 16 is installed on this machine"
    assert "17.2 in" in error.why and "postgres-16-installed, which PostgreSQL 16 made" in error.why
    assert 'postgres = "/path/to/postgresql"' in error.hint and "or start without these rows" in error.hint
    other = install(machine, "16.1")
    assert which_postgres.postgres_of(project(machine, str(other), made_with=16)).name == "16-installed"
    shutil.rmtree(other.parent)
    shutil.rmtree(machine / "data")  # as `local down --purge`, which the hint names, too
    shutil.rmtree(machine / "project")
    assert which_postgres.postgres_of(project(machine, "system")).name == "17-installed"


INSTALLED = "toolchain/installed.py · installed_postgres"
IN_FOLDER = "toolchain/installed.py · postgres_in"
FOLDER = "toolchain/installed.py · _folder"


def test_where_there_is_none_the_folder_of_one_helps(machine: Path) -> None:
    with pytest.raises(PrerequisiteError) as raised:
        which_postgres.postgres_of(project(machine, "system"))
    assert 'postgres = "/path/to/postgresql"' in told(INSTALLED, raised.value).hint
    there = install(machine, "17.2")
    assert which_postgres.postgres_of(project(machine, str(there))).name == "17-installed"


@pytest.mark.parametrize("version", ["", "13.4", "no version"])
def test_a_folder_that_cannot_be_used_is_replaced_by_another(machine: Path, version: str) -> None:
    wrong = install(machine, version) if version else machine
    with pytest.raises(PrerequisiteError) as raised:
        postgres_in(wrong)
    assert 'postgres = "/path/to/postgresql"' in told(IN_FOLDER, raised.value).hint
    there = install(machine, "15.8")
    assert which_postgres.postgres_of(project(machine, str(there))).name == "15-installed"
    assert which_postgres.postgres_of(project(machine, "system")).name == "15-installed"  # which the hint names, too


def test_pg_config_tells_where_the_rest_is(machine: Path) -> None:
    programs = install(machine, "15.8")
    (programs / "pg_config").rename(machine / "pg_config")
    with pytest.raises(PrerequisiteError) as raised:
        postgres_in(programs).share  # noqa: B018
    assert "install pg_config beside it" in told(FOLDER, raised.value).hint
    (machine / "pg_config").rename(programs / "pg_config")
    assert postgres_in(programs).share == machine / "share" / "15"


def test_postgres_18_needs_its_package_and_17_does_not(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pg0, "find_spec", lambda _: None)
    with pytest.raises(PrerequisiteError) as raised:
        pg0._package()
    hint = told("toolchain/pg0.py · _package", raised.value).hint
    assert hint.startswith(install_command(pg0.WHEEL)) and "set postgres = 17" in hint
    assert which_postgres.postgres_of(project(machine, 17)).name == "17"


@pytest.mark.parametrize("given", ["lib/15", "lib/15/bin", "link"])
def test_a_folder_is_that_of_the_programs_or_the_one_above(machine: Path, given: str) -> None:
    programs = install(machine, "15.8")
    (machine / "link").symlink_to(programs.parent)
    found = postgres_in(machine / given)
    assert (found.programs, found.major, found.extensions) == (programs.resolve(), 15, {"citext": "1.6"})
    assert found.share == (machine / "share" / "15").resolve()


def test_the_copy_keeps_the_distances_and_links_to_the_rest(machine: Path) -> None:
    server = postgres_in(install(machine, "15.8"))
    root = machine / "cache" / "copy"
    linked.link(root, server)
    assert linked.is_linked(root, server)
    programs = linked.programs(root, server)
    extensions = programs / os.path.relpath(server.share, server.programs) / "extension"
    assert (programs / "postgres").is_file() and not (programs / "postgres").is_symlink()
    assert (extensions.parent / "postgres.bki").is_symlink()
    assert "trusted = true" in (extensions / "citext.control").read_text()
    assert "trusted" not in (server.share / "extension" / "citext.control").read_text()
    assert "stand-in" in (extensions / "http.control").read_text()
    assert (programs.parent / "lib").resolve() == server.libraries


def test_a_real_extension_replaces_the_stand_in_and_its_scripts(machine: Path) -> None:
    server = postgres_in(install(machine, "15.8"))
    root = machine / "cache" / "copy"
    linked.link(root, server)
    real = server.share / "extension"
    (real / "http.control").write_text("default_version = '1.7'\n")
    (real / "http--1.7.sql").write_text("-- the real one\n")
    again = postgres_in(server.programs)
    assert not linked.is_linked(root, again)
    linked.link(root, again)
    copied = sorted(path.name for path in root.rglob("http*"))
    assert copied == ["http--1.7.sql", "http.control"]
    shutil.rmtree(real)
    real.mkdir()
    linked.link(root, postgres_in(server.programs))
    assert "http--1.0.sql" in {path.name for path in root.rglob("http*")}


@pytest.mark.parametrize("value", ["15", "true", '""', '"17"', "[17]", "17.0"])
def test_other_settings_are_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.promthctl]\npostgres = {value}\n")
    with pytest.raises(UsageError, match="not available on the embedded engine") as raised:
        settings.load(tmp_path)
    assert "17 or 18" in raised.value.why and '"system"' in raised.value.why


def test_a_folder_is_relative_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.promthctl]\npostgres = {json.dumps('tools/pgsql')}\n")
    assert settings.load(tmp_path).postgres == str(tmp_path / "tools" / "pgsql")
