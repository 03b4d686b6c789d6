"""A process that has imported promthctl and forks for each command: half a second of imports less for each.

What runs in the fork is what `python -m promthctl` runs, with its own descriptors, environment, folder and exit code.
Not for what begins processes that outlive it, nor for what Python takes from the environment when it starts.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

_REPOSITORY = Path(__file__).parent.parent


_AT_START = ("PYTHON", "LC_", "LANG", "TZ")  # variables that begin so are read when Python starts
_BEGINS = frozenset(("up", "reset", "clone", "snapshot", "studio", "rollback", "test"))  # what outlives them
_one_at_a_time = threading.Lock()


def can_run(words: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether it makes no difference that the command is a fork."""
    own = {name: value for name, value in os.environ.items() if name.startswith(_AT_START)}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    given = {name: value for name, value in env.items() if name.startswith(_AT_START)}
    return given == own and not _BEGINS.intersection(words) and not _one_at_a_time.locked()


def run(words: Sequence[str], env: Mapping[str, str], cwd: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `promthctl words`. typed: standard input."""
    with _one_at_a_time:
        try:
            return _run(words, env, cwd, typed)
        except BaseException:  # a test's time limit: the answer to this must not become that to the next
            with contextlib.suppress(ProcessLookupError):
                os.killpg(_server().pid, signal.SIGKILL)
            _server.cache_clear()
            raise


def _run(words: Sequence[str], env: Mapping[str, str], cwd: Path, typed: str) -> subprocess.CompletedProcess[str]:
    server = _server()
    assert server.stdin and server.stdout
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("stdin", "stdout", "stderr")]
        Path(paths[0]).write_text(typed, encoding="utf-8")
        request = {"words": list(words), "env": dict(env), "cwd": str(cwd), "paths": paths}
        server.stdin.write(json.dumps(request).encode() + b"\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        out, err = (Path(path).read_text(encoding="utf-8", errors="replace") for path in paths[1:])
    return subprocess.CompletedProcess(["promthctl", *words], code, out, err)


@cache
def _server() -> subprocess.Popen[bytes]:
    """Ends with this process, however that ends: its standard input is closed then."""
    command = [sys.executable, "-m", "tests.fork_server"]
    server = subprocess.Popen(
        command, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    atexit.register(server.communicate)
    return server


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    import psycopg  # noqa: F401 - what most commands import
    import supabase  # noqa: F401

    import promthctl.cli  # noqa: F401

    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _command(request["words"], request["env"], request["cwd"], request["paths"])
        _, status = os.waitpid(child, 0)
        answers.write(b"%d\n" % os.waitstatus_to_exitcode(status))
        answers.flush()


def _command(words: list[str], env: dict[str, str], cwd: str, paths: list[str]) -> None:
    code = 1
    try:
        for number, (path, flags) in enumerate(zip(paths, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
            os.dup2(os.open(path, flags, 0o600), number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end of the process
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        sys.argv = ["promthctl", *words]
        from promthctl.__main__ import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        for thread in threading.enumerate():  # as the interpreter does at its end
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
