"""The only place that starts child processes.

Two kinds: `run` waits for a command and returns what it printed; `spawn_detached` starts a service that outlives
promthctl. A detached process does not begin before its id is on record: a shell waits for a line on a pipe and
then becomes the program, so a promthctl killed between the two leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from promthctl.landlock import Confinement, restriction

_GATE = 'read -r go && exec "$@"'
# The standard input is a pipe that only we hold: when we are gone, killed too, it ends and the command is killed.
# Asked to end, as its whole group is, the shell stays until the command has ended: it is the one we wait for.
_KILL_WITH_PARENT = (
    'exec 3<&0 </dev/null; "$@" 3<&- & child=$!; { read -r _ <&3; kill -9 "$child"; } >/dev/null 2>&1 & watch=$!; '
    'trap : TERM; exec 3<&-; wait "$child"; code=$?; '
    'while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done; kill "$watch" 2>/dev/null; exit "$code"'
)
# Linux reports a start in ticks since its boot, and the boot's time in whole seconds that can shift by one: the same
# process differs from its record by a second or not at all.
_SHIFT_SECONDS, _TICK_SECONDS = 1.5, 0.005
_WATCH_SECONDS = 0.25
_running: set[subprocess.Popen[str]] = set()  # what `run` waits for
_starting = threading.Lock()  # held while a command comes into being and into the set


@dataclass(frozen=True)
class Completed:
    """What a finished command left: exit code, standard output and standard error as text."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be confused with a later one of the same number.

    pid: the number. created: its start, in seconds since the epoch.
    """

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The running process with that number, or None."""
        import psutil

        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, process.create_time())
        except psutil.Error:
            return None

    def alive(self) -> bool:
        """True while this very process runs; a zombie counts as ended."""
        now = ProcessId.of(self.pid)
        if now is None:
            return False
        difference = abs(now.created - self.created)
        return difference < _SHIFT_SECONDS and abs(difference - round(difference)) < _TICK_SECONDS

    def send(self, number: signal.Signals) -> None:
        """Send a signal if the process still runs."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """True when the process has ended within that time."""
        deadline = time.monotonic() + seconds
        while self.alive():
            _reap(self.pid)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def end(self, number: signal.Signals = signal.SIGTERM, grace: float = 10.0) -> None:
        """Ask the process to end, wait `grace` seconds, then kill it."""
        self.send(number)
        if not self.wait(grace):
            self.send(signal.SIGKILL)
            self.wait(5.0)


@contextlib.contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Do some work, which raises nothing, in a thread while the block runs; it is waited for."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def find_processes(matches: Callable[[list[str], str], bool]) -> list[ProcessId]:
    """The running processes whose command line and working directory (empty when unknown) match, oldest first."""
    import psutil

    found = []
    for candidate in psutil.process_iter(["cmdline", "cwd"]):
        argv = candidate.info["cmdline"]
        if argv and matches(argv, candidate.info["cwd"] or "") and (identity := ProcessId.of(candidate.pid)):
            found.append(identity)
    return sorted(found, key=lambda identity: identity.created)


def end_all(processes: Sequence[ProcessId], grace: float) -> None:
    """Ask all of them to end, wait `grace` seconds at most for each, then kill it."""
    for identity in processes:
        identity.send(signal.SIGTERM)
    for identity in processes:
        identity.end(grace=grace)


@dataclass(frozen=True)
class RunAs:
    """The system user a child runs as when promthctl itself is root."""

    uid: int
    gid: int


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    user: RunAs | None = None,
    confined: Confinement | None = None,
    umask: int = -1,
    on_line: Callable[[str], None] | None = None,
    watch: Callable[[], None] | None = None,
    kill_with_parent: bool = False,
) -> Completed:
    """Run a command to its end.

    env: the child's whole environment (default: ours). stdin: text to feed it (default: nothing to read).
    timeout: seconds after which it is killed (subprocess.TimeoutExpired). umask: the child's, -1 for ours.
    on_line: called with each line of standard error as it arrives. watch: called four times a second; what it raises
    ends the child. kill_with_parent: the child is killed when we are, so that it does not go on changing things unseen;
    it gets no stdin. Interrupted (Ctrl-C), the child is ended before KeyboardInterrupt goes on.
    """
    arguments = [str(part) for part in argv]
    options: dict[str, Any] = {
        "args": ["/bin/sh", "-c", _KILL_WITH_PARENT, "sh", *arguments] if kill_with_parent else arguments,
        "env": dict(env) if env is not None else None,
        "cwd": cwd,
        "stdin": subprocess.PIPE if stdin is not None or kill_with_parent else subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "errors": "replace",
        "umask": umask,
        "start_new_session": True,  # Ctrl-C reaches us alone; we decide how the child ends
        **_identity(user),
    }
    started: list[subprocess.Popen[str]] = []
    try:
        with restriction(confined) as restrict:
            start(started, {**options, "preexec_fn": restrict})
        (child,) = started
        if on_line is None and not kill_with_parent:
            stdout, stderr = child.communicate(stdin, timeout=timeout)
        else:
            stdout, stderr = _relay(child, on_line or (lambda _: None), timeout, watch)
    except BaseException:
        for child in started:
            _end_group(child)
        raise
    finally:
        for child in started:
            _running.discard(child)
            if kill_with_parent and child.stdin is not None:
                child.stdin.close()
    return Completed(child.returncode, stdout, stderr)


def start(started: list[subprocess.Popen[str]], options: Mapping[str, Any]) -> None:
    """Start a command and put it on record. An interrupt waits until that is done (see cli/interrupts.py): a child that
    nobody knows of would go on.

    started: gets the command. options: of Popen.
    """
    with _starting:
        child = subprocess.Popen(**options)
        started.append(child)
        _running.add(child)


def end_running() -> None:
    """End every command that `run` waits for, in whatever thread; there it comes back as one that failed."""
    with _starting:
        running = list(_running)
    for child in running:
        _end_group(child)


def spawn_detached(
    argv: Sequence[str | Path],
    *,
    record: Callable[[ProcessId], None],
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes = b"",
    user: RunAs | None = None,
    confined: Confinement | None = None,
) -> ProcessId:
    """Start a service in a session of its own, its output appended to `log` (0600).

    record: stores the process id; the program begins only after it returned. stdin: what it reads.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_private(log, "ab") as output, restriction(confined) as restrict:
        child = subprocess.Popen(
            ["/bin/sh", "-c", _GATE, "sh", *(str(part) for part in argv)],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=restrict,
            **_identity(user),
        )
    assert child.stdin is not None
    with child.stdin as gate:
        identity = ProcessId.of(child.pid) or ProcessId(child.pid, time.time())
        record(identity)
        with contextlib.suppress(BrokenPipeError):  # it has ended already: the caller sees that when it waits
            gate.write(b"go\n" + stdin)
    child.returncode = 0  # ours no longer: silences the interpreter's "still running" warning
    return identity


def open_in_browser(url: str, env: Mapping[str, str]) -> bool:
    """Give a URL to the user's browser; False where there is no desktop to show one, or no browser.

    A browser in a terminal is not asked: it would take the terminal over. env: the user's environment.
    """
    import webbrowser

    shown = sys.platform == "darwin" or any(env.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return shown and url.startswith(("http://", "https://")) and webbrowser.open(url)


def open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a file that only its owner may read, also when it existed with a wider mode.

    A link in its place, hard or symbolic, or anything that is no file, is replaced: it may lead to another's file.
    """
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            path.unlink()
    flags = {"ab": os.O_APPEND, "wb": os.O_TRUNC}[mode] | os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, mode)


def open_regular(path: Path) -> IO[bytes]:
    """Open a file to read it. Raises OSError for a symbolic link, and for what is no file, such as a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # to open a FIFO would wait for its writer
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path) -> bytes:
    """The content of a file; errors as of open_regular."""
    with open_regular(path) as file:
        return file.read()


def write_private(path: Path, content: str) -> None:
    """Replace a file atomically by one that only its owner may read: a reader sees the old text or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open_private(temporary, "wb") as file:
            file.write(content.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _identity(user: RunAs | None) -> dict[str, Any]:
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}


def _relay(
    child: subprocess.Popen[str],
    on_line: Callable[[str], None],
    timeout: float | None,
    watch: Callable[[], None] | None,
) -> tuple[str, str]:
    """Collect both streams, handing each line of standard error on as it comes."""
    assert child.stdout is not None and child.stderr is not None
    output, errors = child.stdout, child.stderr
    text: list[str] = []
    lines: list[str] = []

    def read_errors() -> None:
        for line in errors:
            lines.append(line)
            on_line(line.rstrip("\n"))

    readers = [
        threading.Thread(target=target, daemon=True) for target in (lambda: text.append(output.read()), read_errors)
    ]
    for reader in readers:
        reader.start()
    if watch is None:
        child.wait(timeout)
    else:
        while not _ended(child):
            watch()
    for reader in readers:
        reader.join()
    return "".join(text), "".join(lines)


def _ended(child: subprocess.Popen[str]) -> bool:
    try:
        child.wait(_WATCH_SECONDS)
        return True
    except subprocess.TimeoutExpired:
        return False


def _end_group(child: subprocess.Popen[str]) -> None:
    """End a child and its own children: it leads its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(3.0)
            return


def _reap(pid: int) -> None:
    """Collect a child of our own that has ended; any other process is left to its parent."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
