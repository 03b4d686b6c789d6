"""Hints name the command that fits how promthctl was installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from promthctl.toolchain import python_packages
from promthctl.toolchain.python_packages import install_command, uninstall_command, upgrade_command


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that promthctl runs in; every manager is on PATH, and pip is in it."""
    folder = tmp_path / "venvs" / "promthctl"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", "/e/bin/python")
    monkeypatch.setattr(python_packages.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(python_packages, "find_spec", lambda _: object())
    return folder


def test_pip(prefix: Path) -> None:
    assert install_command("one>=2") == "/e/bin/python -m pip install 'one>=2'"
    assert upgrade_command("9.0") == "/e/bin/python -m pip install promthctl==9.0"
    assert uninstall_command() == "/e/bin/python -m pip uninstall --yes promthctl"


def test_pipx(prefix: Path) -> None:
    (prefix / "pipx_metadata.json").write_text("{}")
    assert install_command("one>=2") == "pipx inject promthctl 'one>=2'"
    assert (upgrade_command("9.0"), uninstall_command()) == ("pipx upgrade promthctl", "pipx uninstall promthctl")


def test_pipx_run_has_an_environment_that_inject_does_not_know(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = prefix.parent.parent / "2d4df1bde5067a7"
    temporary.mkdir()
    (temporary / "pipx_metadata.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(temporary))
    assert install_command("one") == "/e/bin/python -m pip install one"


def test_uv_keeps_what_is_there_beside_it(prefix: Path) -> None:
    (prefix / "uv-receipt.toml").write_text(
        '[tool]\nrequirements = [{ name = "promthctl", extras = ["lint"] }, { name = "two", specifier = ">=1" }]\n'
    )
    expected = "uv tool install --with 'two>=1' --with 'one>=2' 'promthctl[lint]'"
    assert install_command("one>=2") == expected
    assert (upgrade_command("9.0"), uninstall_command()) == ("uv tool upgrade promthctl", "uv tool uninstall promthctl")
    (prefix / "uv-receipt.toml").write_text('[tool]\nrequirements = [{ name = "promthctl", path = "/a.whl" }]\n')
    assert install_command("one") == "uv tool install --with one promthctl"


def test_without_the_manager_on_path_the_environments_own_python_does_it(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prefix / "uv-receipt.toml").write_text("")
    monkeypatch.setattr(python_packages.shutil, "which", lambda _: None)
    monkeypatch.setattr(python_packages, "find_spec", lambda _: None)
    assert install_command("one") == "/e/bin/python -m ensurepip && /e/bin/python -m pip install one"
