"""Many keys: their time against a bare script's, and their memory against that for few."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from tests.promthctl_runner import Project

_COLUMNS = "id::text, user_id::text, provider, encrypted_key, key_hash, masked_key, metadata"


class Bulk:
    """A running stack and files of keys. Each measurement begins with an empty table."""

    def __init__(self, project: Project) -> None:
        self._project = project
        project.up()
        project.run("seed", "vanchin", "--demo")  # signs the development user up
        self._env = project.env()

    def file(self, number: int) -> Path:
        """A CSV file with that many keys."""
        path = self._project.path / f"{number}.csv"
        if not path.exists():
            with path.open("w") as file:
                file.write("endpoint_id,name,api_key,description\n")
                for n in range(number):
                    file.write(f"ep-bench-{n},Agent {n},bench-not-a-key-{secrets.token_hex(14)},for the benchmark\n")
            path.chmod(0o600)
        return path

    def seed(self, number: int) -> tuple[float, float]:
        """Seconds, and megabytes at the most, that storing that many keys takes."""
        command = self._project.command("seed", "vanchin", "--keys", str(self.file(number)))
        return self._measured(command, None)

    def bare(self, number: int) -> Callable[[], float]:
        """Seconds that a script takes that inserts the rows that are there now."""
        with psycopg.connect(self._env["SUPABASE_DB_URL"], row_factory=dict_row) as connection:
            rows = connection.execute(f"select {_COLUMNS} from public.api_keys".encode()).fetchall()
        assert len(rows) == number
        ready = self._project.path / "rows.json"
        url, key = self._env["SUPABASE_URL"], self._env["SUPABASE_SERVICE_ROLE_KEY"]
        ready.write_text(json.dumps({"url": url, "key": key, "rows": rows}))
        script = [sys.executable, str(Path(__file__).parent / "bare_bulk.py")]
        return lambda: self._measured(script, ready)[0]

    def _measured(self, command: list[str], stdin: Path | None) -> tuple[float, float]:
        with psycopg.connect(self._env["SUPABASE_DB_URL"], autocommit=True) as connection:
            connection.execute("truncate public.api_keys")
        environment = self._project.environment(PYTHONDONTWRITEBYTECODE="")
        with open(stdin or os.devnull, "rb") as given:  # noqa: PTH123 - one or the other
            begin = time.perf_counter()
            child = subprocess.Popen(
                command, env=environment, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            _, status, usage = os.wait4(child.pid, 0)
            spent = time.perf_counter() - begin
        assert child.stderr is not None
        with child.stderr as said:
            complaint = said.read().decode()  # a few lines: they fit into the pipe
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"{command}: {complaint}")
        return spent, usage.ru_maxrss / 1024  # kilobytes on Linux


def bench_memory(project: Project, few: int = 10_000, many: int = 1_000_000) -> None:
    bulk = Bulk(project)
    _, small = bulk.seed(few)
    seconds, large = bulk.seed(many)
    title = f"peak memory of {many:,} keys to that of {few:,}"
    print(
        f"{title:<58} {large:7.1f} MB / {small:7.1f} MB = {large / small:5.2f}  (goal ≤ 1.2)  in {seconds:.0f} s",
        flush=True,
    )
