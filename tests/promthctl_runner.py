"""Runs promthctl as a user does, in throw-away projects, and sees to it that nothing outlives a test."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests import fork_server, json_schemas

REPOSITORY = Path(__file__).parent.parent
# What a developer's own shell must not lend to a test.
_FOREIGN = ("VANCHIN_", "SUPABASE_", "PG", "ENCRYPTION_SECRET", "PROMTHCTL_ENGINE", "PYTHONDONTWRITEBYTECODE")


@dataclass
class Project:
    """A project folder. extra: environment variables for every command in it. prefix: words before each.

    engine: for commands without --engine; not "auto", which would mean Docker where a daemon runs. rehearses: a push is
    tried first, which costs a second of processor time: only where a test is about that.
    """

    path: Path
    extra: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    engine: str = "embedded"
    rehearses: bool = False

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        # Migrations are run, whatever another test has left in the cache: test_kept_states.py is about the copies.
        own = {"PROMTHCTL_ENGINE": self.engine, "PROMTHCTL_REPLAY": "1"}
        own |= {} if self.rehearses else {"PROMTHCTL_REHEARSAL": "off"}
        return inherited | own | self.extra | more

    def command(self, *words: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "promthctl", "-C", str(self.path), *words]

    def run(
        self, *words: str, code: int | None = 0, stdin: str | None = None, timeout: float = 120, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run promthctl and check its exit code (None: any), and what --json prints. No run may end in a traceback."""
        environment = self.environment(**env)
        if not self.prefix and fork_server.can_run(words, environment):
            done = fork_server.run(("-C", str(self.path), *words), environment, REPOSITORY, stdin or "")
        else:
            done = subprocess.run(
                self.command(*words),
                env=environment,
                cwd=REPOSITORY,
                input=stdin or "",
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        told = f"promthctl {' '.join(words)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr, told
        assert code is None or done.returncode == code, told
        if "--json" in words and done.stdout and not {"--help", "--version", "-f", "--follow"}.intersection(words):
            json_schemas.check(done.stdout)
        return done

    def json(self, *words: str, code: int | None = 0, **env: str) -> Any:
        """The data of what --json prints."""
        return data(self.run(*words, "--json", code=code, **env).stdout)

    def errors(self, *words: str, code: int | None = 1, **env: str) -> list[dict[str, Any]]:
        """The errors of what --json prints."""
        errors: list[dict[str, Any]] = json.loads(self.run("--json", *words, code=code, **env).stdout)["errors"]
        return errors

    def start(self, *words: str, at: str | None = None, signal: str = "SIGKILL") -> subprocess.Popen[str]:
        """Run promthctl in the background; the caller waits for it.

        at: the point of its course where it gets the signal, see interrupted.py.
        """
        command = self.command(*words)
        if at is not None:
            command = [sys.executable, "-m", "tests.interrupted", signal, at, *command[3:]]
        return subprocess.Popen(
            command,
            env=self.environment(),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, at: str, signal: str = "SIGKILL", code: int = -9) -> str:
        """`local up` on free ports that gets a signal at a point of its course; what it printed."""
        running = self.start("local", "up", "--api-port", "0", "--db-port", "0", at=at, signal=signal)
        stdout, stderr = running.communicate(timeout=120)
        assert running.returncode == code, (at, running.returncode, stdout, stderr)
        assert "Traceback" not in stdout + stderr, stderr
        return stdout + stderr

    def up(self, *words: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """`local up` on free ports, kept for this project from then on."""
        return self.run("local", "up", "--api-port", "0", "--db-port", "0", *words, code=code, **env)

    def env(self) -> dict[str, str]:
        """`local env` as a mapping."""
        values: dict[str, str] = self.json("local", "env")
        return values

    def record(self) -> dict[str, Any]:
        """.promthctl/stack.json."""
        record: dict[str, Any] = json.loads((self.path / ".promthctl" / "stack.json").read_text())
        return record

    def pids(self) -> dict[str, int]:
        """The recorded process ids by service."""
        record = json.loads((self.path / ".promthctl" / "processes.json").read_text())
        return {name: record[name]["pid"] for name in ("postgres", "api") if name in record}

    def leftovers(self) -> list[Sequence[str]]:
        """Command lines of processes that belong to this project and still run."""
        return [process.info["cmdline"] for process in self._processes()]

    def _processes(self) -> Iterator[psutil.Process]:
        name = stack_name(self.path)
        for process in psutil.process_iter(["cmdline", "status", "cwd"]):
            argv = process.info["cmdline"] or []
            if process.info["status"] == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            mine = any(word.endswith(name) or f"{name}/" in word for word in (*argv, process.info["cwd"] or ""))
            inside = any(str(self.path / ".promthctl") in word for word in (*argv, process.info["cwd"] or ""))
            cli = "--workdir" in argv and str(self.path) in argv
            if mine or inside or cli:
                yield process

    def dispose(self) -> None:
        """Stop everything and remove the data, whatever state a test left it in."""
        try:
            self.run("local", "down", "--purge", "--yes", code=None)
            assert self.leftovers() == []
        finally:
            for process in self._processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


def data(stdout: str) -> Any:
    """The data of what --json printed, which is seen to be as docs/schemas says."""
    return json_schemas.check(stdout)


def dispose_all(folder: Path) -> None:
    """Stop whatever runs in the project folders under `folder`, of a run that could not do so itself."""
    for state in folder.rglob(".promthctl"):
        engine = "docker" if (state / "docker.json").exists() else "embedded"
        with contextlib.suppress(AssertionError):  # of what was left: it is ended all the same
            Project(state.parent, engine=engine).dispose()


def project_id(path: Path) -> str:
    from promthctl.settings import Settings

    return Settings(path, {}).project_id


def stack_name(path: Path) -> str:
    """The project's embedded stack in paths and command lines, unless its folder was moved."""
    from promthctl.engines.embedded.ownership import project_name
    from promthctl.settings import Settings

    return project_name(Settings(path, {}))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
