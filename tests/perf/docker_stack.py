"""The peer of `local up --engine docker`: a bare `supabase start` and `supabase db push`, on the same images."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

from promthctl import settings, toolchain
from promthctl.engines.docker import services
from promthctl.engines.ports import free_port
from promthctl.steps import Silent
from tests.docker import images

_QUIET = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"}


@contextlib.contextmanager
def stand_ins() -> Iterator[str]:
    """Yields an empty text once the images are there, else why there is nothing to measure."""
    tools = toolchain.ensure(settings.load(Path()), Silent())
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except DockerException:
        yield "no Docker daemon answers"
        return
    if images.official(client, tools):  # the bench is as true on the real ones
        yield ""
        return
    with images.named(client, tools):
        yield ""


class Bare:
    """A project folder with the three migrations, and the CLI alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.supabase = toolchain.ensure(settings.load(Path()), Silent()).supabase
        ports = services.port_variables({"gateway": free_port(), "db": free_port(), "studio": free_port()})
        self.env = dict(os.environ) | _QUIET | ports
        shutil.copytree(Path("supabase/migrations"), folder / "supabase" / "migrations")
        (folder / "supabase" / "config.toml").write_text(
            f"project_id = {json.dumps(folder.name)}\n[db.seed]\nenabled = false\n"
        )

    def up(self) -> float:
        """Seconds for `start` and `db push` on an empty volume."""
        self.run("stop", "--no-backup")
        begin = time.perf_counter()
        self.run("start", "-x", services.exclusions(services.DEFAULT))
        self.run("db", "push")
        return time.perf_counter() - begin

    def run(self, *words: str) -> None:
        command = [self.supabase, *words, "--yes", "--agent", "no", "--workdir", self.folder]
        done = subprocess.run(
            command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"supabase {words}: {done.stderr}")


@contextlib.contextmanager
def bare() -> Iterator[Bare]:
    with tempfile.TemporaryDirectory(prefix="bare-") as folder:
        project = Bare(Path(folder))
        try:
            yield project
        finally:
            project.run("stop", "--no-backup")
