"""Child processes: how they are run, detached, told apart and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from promthctl import process
from promthctl.process import ProcessId


def until(true: Callable[[], object], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """A file a test's children write their ids to; they are ended with the test."""
    path = tmp_path / "pids"
    path.touch()
    yield path
    for pid in map(int, path.read_text().split()):
        if identity := ProcessId.of(pid):
            identity.end(signal.SIGKILL)


def ended(path: Path) -> bool:
    return all(ProcessId.of(pid) is None for pid in map(int, path.read_text().split()))


# run


def test_a_command_killed_with_its_parent_gives_its_output_and_exit_code_and_reads_nothing() -> None:
    done = process.run(["sh", "-c", "cat; echo out; echo error >&2; exit 3"], kill_with_parent=True)
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "error\n")


def test_a_command_killed_with_its_parent_dies_when_promthctl_is_killed(marker: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import sys; from promthctl import process\n"
                "process.run(['sh', '-c', 'echo $$ >>\"$0\"; exec sleep 60', sys.argv[1]], kill_with_parent=True)"
            ),
            str(marker),
        ]
    )
    try:
        assert until(lambda: marker.read_text().strip())
        assert not ended(marker)
    finally:
        parent.kill()
        parent.wait()
    assert until(lambda: ended(marker))


INTERRUPTED = """
import os, signal, sys
from promthctl import process
from promthctl.cli import interrupts

def hook(frame, event, _):
    if event == "return" and frame.f_code.co_qualname == sys.argv[2]:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)

interrupts.catch()
sys.setprofile(hook)
process.run(["sh", "-c", "while :; do sleep 0.05; done", sys.argv[1]])
"""


@pytest.mark.parametrize("at", ["Popen._execute_child", "Popen.__init__", "start"])
def test_an_interrupt_just_when_a_command_was_started_ends_it(tmp_path: Path, at: str) -> None:
    mark = str(tmp_path / "mark")
    child = [sys.executable, "-c", INTERRUPTED, mark, at]
    left, errors = list[ProcessId](), ""
    try:
        errors = subprocess.run(child, stderr=subprocess.PIPE, text=True, timeout=20, check=False).stderr
    finally:
        left = process.find_processes(lambda argv, _: mark in argv)
        for one in left:
            one.end(signal.SIGKILL)
    assert "KeyboardInterrupt" in errors and left == []


def test_an_interrupt_waits_for_a_command_killed_with_its_parent_that_takes_its_time(marker: Path) -> None:
    def interrupt() -> None:
        if marker.read_text().strip():
            raise KeyboardInterrupt

    slow = 'trap "sleep 0.7; exit 1" TERM; echo $$ >>"$0"; while :; do sleep 0.05; done'
    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", slow, str(marker)], kill_with_parent=True, watch=interrupt)
    assert ended(marker)


def test_run_returns_what_was_printed_and_the_exit_code() -> None:
    done = process.run(["sh", "-c", "cat; echo error >&2; exit 3"], stdin="สวัสดี\n")
    assert (done.code, done.stdout, done.stderr) == (3, "สวัสดี\n", "error\n")


def test_run_gives_the_child_its_environment_folder_umask_and_nothing_to_read(tmp_path: Path) -> None:
    script = "cat; pwd; umask; echo $A$HOME"
    done = process.run(["/bin/sh", "-c", script], env={"A": "a"}, cwd=tmp_path, umask=0o027)
    assert done.stdout.split() == [str(tmp_path), "0027", "a"]


def test_what_a_watcher_raises_ends_the_command_and_its_children(marker: Path) -> None:
    def watch() -> None:
        if marker.read_text().strip():
            raise LookupError("a container failed")

    with pytest.raises(LookupError, match="a container failed"):
        process.run(["sh", "-c", f"sleep 600 & echo $! >{marker}; wait"], on_line=lambda _: None, watch=watch)
    assert until(lambda: ended(marker))


def test_a_command_is_watched_until_it_ends(tmp_path: Path) -> None:
    go, seen = tmp_path / "go", list[str]()

    def watch() -> None:
        seen.append("watched")
        if seen.count("watched") == 2:
            go.touch()

    script = f"echo out; echo err >&2; while [ ! -e {go} ]; do sleep 0.02; done"
    done = process.run(["sh", "-c", script], on_line=seen.append, watch=watch)
    assert done == process.Completed(0, "out\n", "err\n")
    assert "err" in seen and seen.count("watched") >= 2


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert process.run(["printf", r"\377"]).stdout == "\N{REPLACEMENT CHARACTER}"


def test_lines_of_errors_are_handed_on_as_they_come() -> None:
    seen: list[str] = []
    done = process.run(["sh", "-c", "echo out; echo one >&2; echo two >&2"], on_line=seen.append)
    assert (seen, done.stdout, done.stderr) == (["one", "two"], "out\n", "one\ntwo\n")


@pytest.mark.parametrize("relayed", [False, True])
def test_a_timeout_ends_the_child_and_its_own_children(marker: Path, relayed: bool) -> None:
    script = f"echo $$ >>{marker}; sleep 60 & echo $! >>{marker}; wait"
    with pytest.raises(subprocess.TimeoutExpired):
        process.run(["sh", "-c", script], timeout=1.5, on_line=(lambda _: None) if relayed else None)
    assert len(marker.read_text().split()) == 2 and until(lambda: ended(marker))


def test_a_child_deaf_to_requests_is_killed(marker: Path) -> None:
    script = f"trap '' TERM; echo $$ >>{marker}; while :; do sleep 0.1; done"
    with pytest.raises(subprocess.TimeoutExpired):
        process.run(["sh", "-c", script], timeout=1.5)
    assert marker.read_text() and until(lambda: ended(marker))


def test_an_interrupt_ends_the_child_before_it_goes_on(marker: Path) -> None:
    program = (
        "import sys; from promthctl import process\n"
        "try: process.run(['sh', '-c', 'sleep 0.5; echo $$ >>' + sys.argv[1] + '; sleep 60'])\n"  # once it waits
        "except KeyboardInterrupt: print('interrupted'); sys.exit(9)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(marker)], stdout=subprocess.PIPE, text=True)
    assert until(marker.read_text)
    os.kill(parent.pid, signal.SIGINT)
    assert parent.communicate(timeout=20) == ("interrupted\n", None) and parent.returncode == 9
    assert ended(marker)


# spawn_detached


def detached(script: str, tmp_path: Path, record: Callable[[ProcessId], None], **options: bytes) -> ProcessId:
    log = tmp_path / "logs" / "service.log"
    argv = ["/bin/sh", "-c", script]
    return process.spawn_detached(argv, record=record, log=log, env={"PATH": os.defpath}, cwd=tmp_path, **options)


def test_a_detached_program_runs_on_with_its_output_in_a_private_log(tmp_path: Path, marker: Path) -> None:
    recorded: list[ProcessId] = []
    script = f"echo $$ >>{marker}; cat; echo error >&2; exec sleep 60"
    identity = detached(script, tmp_path, recorded.append, stdin=b"what it reads\n")
    log = tmp_path / "logs" / "service.log"
    assert until(lambda: "error" in log.read_text()) and log.read_text() == "what it reads\nerror\n"
    assert recorded == [identity] and marker.read_text() == f"{identity.pid}\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert os.getsid(identity.pid) == identity.pid  # a session of its own
    assert identity.alive()
    identity.end()
    assert not identity.alive()


def test_a_program_whose_record_fails_never_starts(tmp_path: Path, marker: Path) -> None:
    seen: list[ProcessId] = []

    def record(identity: ProcessId) -> None:
        seen.append(identity)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        detached(f"echo $$ >>{marker}", tmp_path, record)
    assert until(lambda: not seen[0].alive() or psutil.Process(seen[0].pid).wait(1) is not None)
    assert marker.read_text() == ""


def test_a_program_whose_parent_dies_before_it_is_on_record_never_starts(tmp_path: Path, marker: Path) -> None:
    program = (
        "import os, sys, pathlib; from promthctl import process\n"
        "def record(identity): print(identity.pid, flush=True); os.kill(os.getpid(), 9)\n"
        "process.spawn_detached(['/bin/sh', '-c', 'echo $$ >>' + sys.argv[1]], record=record,"
        " log=pathlib.Path(sys.argv[2]), env={}, cwd=pathlib.Path('/'))"
    )
    command = [sys.executable, "-c", program, str(marker), str(tmp_path / "log")]
    parent = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert parent.returncode == -signal.SIGKILL
    assert until(lambda: ProcessId.of(int(parent.stdout)) is None)
    assert marker.read_text() == ""


# ProcessId


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as running:
        yield running
        running.kill()


def test_a_process_is_told_from_a_later_one_of_its_number(child: subprocess.Popen[bytes]) -> None:
    identity = ProcessId.of(child.pid)
    assert identity is not None and identity.alive()
    earlier = ProcessId(identity.pid, identity.created - 3600)
    assert not earlier.alive()
    earlier.end(grace=0.1)  # must not end somebody else's process
    assert identity.alive() and child.poll() is None


def test_a_zombie_counts_as_ended(child: subprocess.Popen[bytes]) -> None:
    identity = ProcessId.of(child.pid)
    assert identity is not None
    child.kill()
    assert until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert not identity.alive() and ProcessId.of(child.pid) is None
    identity.send(signal.SIGTERM)
    assert identity.wait(0.1)


def test_nobody_has_an_impossible_number() -> None:
    assert ProcessId.of(2**22 + 1) is None and not ProcessId(2**22 + 1, 0.0).alive()


# private files


def test_private_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    before = path.open()
    process.write_private(path, "new")
    assert (path.read_text(), before.read(), path.stat().st_mode & 0o777) == ("new", "old", 0o600)
    before.close()
    with pytest.raises(OSError):
        process.write_private(tmp_path / "no" / "folder", "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
