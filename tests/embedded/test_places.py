"""The stack works wherever a project may lie, for whoever may run it, and beside other stacks."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from promthctl import settings, toolchain
from promthctl.engines.embedded import api
from promthctl.engines.embedded.engine import EmbeddedEngine
from promthctl.steps import Silent
from tests.embedded.working import assert_stops, assert_works, commit_row, data_directory, get
from tests.promthctl_runner import REPOSITORY, Project

pytestmark = pytest.mark.usefixtures("tools")

NOBODY = pwd.getpwnam("nobody")
BECOME = ("setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups")
# For where this installation lies in a folder that is closed to others, such as /root: reading is allowed.
READ_ALL = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


@pytest.mark.parametrize(
    "name",
    ["žluťoučký kůň 工程", 'it\'s "quoted" $HOME & co; (1)', "x" * 200, "/".join(["deep" * 12] * 12)],
    ids=["spaces and letters", "quotes", "a long name", "a long path"],
)
def test_a_project_may_lie_in_a_folder_of_any_name(make_project: Callable[..., Project], name: str) -> None:
    project = make_project(name)
    project.up()
    user = commit_row(project)
    assert_stops(project)
    project.up()
    assert_works(project, user)


def test_a_project_reached_by_a_link_is_the_same_project(project: Project, tmp_path: Path) -> None:
    project.up()
    user = commit_row(project)
    (tmp_path / "link").symlink_to(project.path)
    linked = Project(tmp_path / "link")
    pids = project.pids()
    linked.up()
    assert project.pids() == pids
    assert linked.json("local", "down")["stopped"] is True
    project.up()
    assert_works(project, user)


def test_a_copied_project_gets_a_stack_of_its_own(make_project: Callable[..., Project]) -> None:
    original, copy = make_project("original"), make_project("copy")
    original.up()
    user, pids = commit_row(original), original.pids()
    shutil.copytree(original.path, copy.path, dirs_exist_ok=True)
    assert copy.json("local", "status", code=1)["running"] is False
    assert copy.json("local", "down")["stopped"] is False
    shutil.copytree(original.path / ".promthctl", copy.path / ".promthctl", dirs_exist_ok=True)
    copy.up()
    assert not set(copy.pids().values()) & set(pids.values())
    assert copy.record()["service_role_key"] != original.record()["service_role_key"]
    copy.run("local", "down", "--purge", "--yes")
    assert original.pids() == pids
    assert_works(original, user)


def test_a_moved_project_keeps_its_stack(make_project: Callable[..., Project]) -> None:
    before, after = make_project("before"), make_project("after")
    before.up()
    user = commit_row(before)
    assert_stops(before)
    after.path.rmdir()
    before.path.rename(after.path)
    record = after.record()
    after.up()
    written = {"made_in": [], "signature": ""}  # they name the path
    assert after.record() | written == record | written
    assert get(after, "/rest/v1/prompts?select=user_id") == [{"user_id": user}]
    after.run("local", "down", "--purge", "--yes")
    before.path.mkdir()  # for the end of the test


@pytest.fixture
def unprivileged(tools: toolchain.Toolchain) -> Iterator[Project]:
    """A project of a user who is not root, who cannot write to HOME, and has a cache of their own."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o755)
        for name in ("project", "cache", "home"):
            (place / name).mkdir()
        for name in ("project", "cache"):
            os.chown(place / name, NOBODY.pw_uid, NOBODY.pw_gid)
        (place / "home").chmod(0o555)
        installed = toolchain.cache_root(settings.load(place)) / "toolchain"
        (place / "cache" / "toolchain").symlink_to(installed)
        extra = {"PROMTHCTL_CACHE_DIR": str(place / "cache"), "HOME": str(place / "home")}
        project = Project(place / "project", extra, become(tools))
        yield project
        project.dispose()
    finally:
        shutil.rmtree(place)


def become(tools: toolchain.Toolchain) -> tuple[str, ...]:
    """What runs a command as a user who is not root and can read promthctl and the tools."""
    for prefix in (BECOME, BECOME + READ_ALL):
        probes = ([*prefix, sys.executable, "-m", "promthctl", "--version"], [*prefix, tools.node, "--version"])
        with contextlib.suppress(FileNotFoundError):
            if all(subprocess.run(probe, cwd=REPOSITORY, capture_output=True).returncode == 0 for probe in probes):
                return prefix
    pytest.skip("promthctl cannot be run as another user here")


def test_who_is_not_root_and_cannot_write_to_home_needs_nothing_more(unprivileged: Project) -> None:
    unprivileged.up()
    assert {psutil.Process(pid).uids().real for pid in unprivileged.pids().values()} == {NOBODY.pw_uid}
    home = Path(unprivileged.extra["HOME"])
    assert list(home.iterdir()) == []
    data = own_data(unprivileged)
    assert (data / "PG_VERSION").read_text() == "17\n"
    assert not list(unprivileged.path.rglob("PG_VERSION"))  # a `git pull` could replace it there
    status = unprivileged.json("local", "status")
    assert status["running"] and status["migrations"]["pending"] == []
    os.kill(unprivileged.pids()["postgres"], 9)
    unprivileged.up()
    assert unprivileged.json("local", "status")["running"]
    assert_stops(unprivileged)
    unprivileged.run("local", "down", "--purge", "--yes")
    assert not data.parent.exists()


def own_data(project: Project) -> Path:
    """The data directory of a project whose user cannot write to HOME."""
    return Path(project.extra["PROMTHCTL_CACHE_DIR"]) / "data" / project.record()["project"] / "postgres-17"


def test_a_folder_that_cannot_be_written_is_told(unprivileged: Project) -> None:
    os.chown(unprivileged.path, 0, 0)
    refused = unprivileged.up(code=3)
    lines = refused.stderr.splitlines()[-3:]
    assert lines[0].startswith("error:") and str(unprivileged.path) in lines[0], refused.stderr
    assert "Permission denied" in lines[1] and "-C DIR" in lines[2]
    assert list(unprivileged.path.iterdir()) == [] and unprivileged.leftovers() == []


def test_a_cache_directory_that_cannot_be_written_is_told(unprivileged: Project) -> None:
    cache = Path(unprivileged.extra["PROMTHCTL_CACHE_DIR"])
    (cache / "toolchain").unlink()
    os.chown(cache, 0, 0)
    refused = unprivileged.up(code=3)
    lines = refused.stderr.splitlines()[-3:]
    assert lines[0].startswith("error:") and "Permission denied" in lines[1], refused.stderr
    assert "export PROMTHCTL_CACHE_DIR=" in lines[2]
    assert unprivileged.leftovers() == []


def test_an_installed_cache_that_cannot_be_written_is_told(unprivileged: Project) -> None:
    """The tools are there; the prepared database would have to be put beside them."""
    os.chown(unprivileged.extra["PROMTHCTL_CACHE_DIR"], 0, 0)
    refused = unprivileged.up(code=3)
    lines = refused.stderr.splitlines()[-3:]
    assert lines[0].startswith("error:") and "Permission denied" in lines[1], refused.stderr
    assert "PROMTHCTL_CACHE_DIR" in lines[2]
    assert unprivileged.leftovers() == []


def test_two_projects_run_side_by_side(make_project: Callable[..., Project]) -> None:
    one, two = make_project("one/app"), make_project("two/app")
    one.up()
    two.up()
    records = [one.record(), two.record()]
    for name in records[0].keys() - {"postgres", "installed", "exposes_new_tables"}:
        assert records[0][name] != records[1][name], name
    user = commit_row(one)
    assert user not in {row["user_id"] for row in get(two, "/rest/v1/prompts?select=user_id")}
    two.run("local", "down", "--purge", "--yes")
    assert two.leftovers() == []
    assert_works(one, user)


def listeners(project: Project) -> dict[int, str]:
    """Every port the stack's processes listen on, with its address."""
    pids = set(project.pids().values())
    pids |= {child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)}
    found = psutil.net_connections("all")
    assert not [socket for socket in found if socket.pid in pids and isinstance(socket.laddr, str) and socket.laddr]
    return {
        socket.laddr.port: socket.laddr.ip
        for socket in found
        if socket.pid in pids and socket.status == psutil.CONN_LISTEN
    }


def test_picked_ports_are_kept_and_only_loopback_listens(project: Project) -> None:
    project.up()
    before = project.record()
    ports = {before["api_port"], before["db_port"]}
    assert len(ports) == 2 and not ports & {54321, 54322}
    assert listeners(project) == dict.fromkeys(ports, "127.0.0.1")
    pids = project.pids()
    project.run("local", "up")
    assert project.pids() == pids
    for words in ((), ("--api-port", "0", "--db-port", "0")):
        assert_stops(project)
        project.run("local", "up", *words)
        assert project.record() == before
    assert listeners(project) == dict.fromkeys(ports, "127.0.0.1")


def test_ports_given_by_flags_are_kept_and_can_be_changed(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        api, other = one.getsockname()[1], two.getsockname()[1]
    project.run("local", "up", "--api-port", str(api), "--db-port", "0")
    user = commit_row(project)
    assert_stops(project)
    project.run("local", "up")
    assert project.record()["api_port"] == api
    project.run("local", "up", "--api-port", str(other))  # while it runs: it moves
    assert project.record()["api_port"] == other
    assert set(listeners(project)) == {other, project.record()["db_port"]}
    assert_works(project, user)


def test_one_port_for_both_is_refused(project: Project) -> None:
    refused = project.run("local", "up", "--api-port", "45678", "--db-port", "45678", code=2)
    assert "45678" in refused.stderr
    assert project.leftovers() == []


def test_an_empty_folder_needs_nothing_and_gets_only_what_it_needs(project: Project) -> None:
    project.up()
    assert sorted(file.name for file in project.path.iterdir()) == [".promthctl", "supabase"]
    assert (project.path / ".promthctl" / ".gitignore").read_text() == "*\n"
    assert (data_directory(project) / "PG_VERSION").read_text() == "17\n"
    assert_works(project)


def test_up_on_a_running_stack_starts_nothing_and_changes_nothing(project: Project, tmp_path: Path) -> None:
    project.up()
    user = commit_row(project)
    watched = [*project.path.rglob("*.json"), *(project.path / "supabase").rglob("*.sql")]
    before = project.pids(), {file: file.stat().st_mtime_ns for file in watched}
    started = tmp_path / "started"
    recorder = tmp_path / "recorder"
    recorder.mkdir()
    # Python imports this first: every child process promthctl starts is written down.
    (recorder / "sitecustomize.py").write_text(
        "import sys\n"
        f"write = open({str(started)!r}, 'a', buffering=1).write\n"
        "sys.addaudithook(lambda name, args: write(f'{args[0]}\\n') if name == 'subprocess.Popen' else None)\n"
    )
    done = project.json("local", "up", PYTHONPATH=str(recorder))
    assert done["started"] is False and done["applied"] == [] and done["synced"] == []
    assert started.read_text() == ""
    assert (project.pids(), {file: file.stat().st_mtime_ns for file in watched}) == before
    os.kill(project.pids()["api"], 9)
    project.run("local", "up", PYTHONPATH=str(recorder))  # the recorder does record, and no CLI is among it
    assert started.read_text() and "bin/supabase" not in started.read_text()
    assert_works(project, user)


def test_down_where_nothing_ever_ran_creates_nothing(project: Project) -> None:
    assert project.json("local", "down")["stopped"] is False
    project.run("local", "status", code=1)
    assert list(project.path.iterdir()) == []


def test_purge_asks_and_removes_the_data(project: Project) -> None:
    project.up()
    user = commit_row(project)
    data, key = data_directory(project), project.record()["service_role_key"]
    refused = project.run("local", "down", "--purge", code=5)
    assert "--yes" in refused.stderr
    assert_works(project, user)
    project.run("local", "down", "--purge", "--yes")
    assert project.leftovers() == [] and not data.exists()
    if os.geteuid() == 0:
        assert not data.parent.exists()
    assert not (project.path / ".promthctl" / "stack.json").exists()
    project.up()
    assert project.record()["service_role_key"] != key
    assert get(project, "/rest/v1/prompts?select=id") == []
    assert_works(project)


def test_secrets_are_in_private_files_and_nowhere_else(project: Project) -> None:
    project.up()
    assert_stops(project)
    state = project.path / ".promthctl"
    for path in (state, *state.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    printed = project.up()
    for path in (state, state / "logs"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (*state.glob("*.json"), *(state / "logs").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    record = project.record()
    secrets = {value for name, value in record.items() if name.endswith(("_password", "_secret", "_key"))}
    assert len(secrets) == 5
    seen = printed.stdout + printed.stderr
    seen += "".join(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    seen += "".join(file.read_text() for file in (state / "logs").iterdir())
    assert [secret for secret in secrets if secret in seen] == []


def test_no_child_of_a_cold_up_has_a_secret_in_its_command_line(project: Project, tmp_path: Path) -> None:
    started = tmp_path / "started"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        f"write = open({str(started)!r}, 'a', buffering=1).write\n"
        "sys.addaudithook(lambda name, args: write(f'{args[1]}\\n') if name == 'subprocess.Popen' else None)\n"
    )
    project.up(PYTHONPATH=str(tmp_path))
    record, seen = project.record(), started.read_text()
    assert "bin/supabase" in seen and "postgres" in seen
    secrets = [value for name, value in record.items() if name.endswith(("_password", "_secret", "_key"))]
    assert [secret for secret in secrets if secret in seen] == []


def test_an_api_server_of_an_earlier_promthctl_is_replaced(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.up()
    before = project.pids()
    monkeypatch.setattr(api, "_fingerprint", lambda _: "of another version")
    EmbeddedEngine(settings.load(project.path)).up(lambda *_: None, Silent())
    after = project.pids()
    assert after["postgres"] == before["postgres"]
    assert after["api"] != before["api"]


def test_a_port_from_an_unset_variable_matters_only_where_no_flag_and_no_record_has_it(project: Project) -> None:
    config = project.path / "supabase" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text('[api]\nport = "env(API_PORT_OF_NOBODY)"\n[db]\nport = "env(DB_PORT_OF_NOBODY)"\n')
    for words, name in (((), "API"), (("--api-port", "0"), "DB"), (("--db-port", "0"), "API")):
        assert f"{name}_PORT_OF_NOBODY" in project.run("local", "up", *words, code=2).stderr
    project.run("local", "down")
    project.run("local", "up", "--api-port", "0", "--db-port", "0")
    before = project.record()
    assert_stops(project)
    project.run("local", "up")
    assert project.record() == before
