"""Keys stored through an API that has an accident: part of the fault matrix."""

from __future__ import annotations

import itertools
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from supabase import create_client

from tests.accidents import CUTS, LOCKS, Scene, accident
from tests.fault_outcomes import Outcome, Prepared, State, Told, run_all
from tests.promthctl_runner import Project
from tests.servers import Server
from tests.tcp_relay import relay_to

NAME, EMAIL, NUMBER = "seed keys", "owner@example.com", 1200  # keys: more than two requests take
FAULTS = (*CUTS, "away for good", *LOCKS, "two at once")
WORDS = f"seed keys --provider openai --keys keys.jsonl --user {EMAIL} --yes"


@dataclass
class KeyRuns:
    """Runs on one local stack, one after another; each begins with an empty api_keys."""

    project: Project
    env: dict[str, str]
    made: Prepared | None = None
    alone: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def on_a_stack(cls, folder: Path) -> Iterator[KeyRuns]:
        folder.mkdir()
        project = Project(folder, {"ENCRYPTION_SECRET": secrets.token_hex(16)})
        try:
            project.up()
            env = project.env()
            client = create_client(env["SUPABASE_URL"], env["SUPABASE_SERVICE_ROLE_KEY"])
            client.auth.admin.create_user({"email": EMAIL, "password": secrets.token_hex(8), "email_confirm": True})
            lines = ({"api_key": f"sk-fake{n:05}{secrets.token_hex(8)}", "endpoint_id": f"key-{n}", "name": f"Key {n}"}
                     for n in range(NUMBER))  # fmt: skip
            (folder / "keys.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
            yield cls(project, env)
        finally:
            project.dispose()

    @property
    def url(self) -> str:
        return self.env["SUPABASE_DB_URL"]

    def prepare(self) -> Prepared:
        """A run without accidents."""
        if self.made is None:
            with relay_to(self.api) as relay:
                began, counted = self._empty(), itertools.count()
                relay.until = lambda _: next(counted) < 0
                (told,) = self._run([self.project], relay.url)
            assert told.code == 0, told.said
            self.made = Prepared(NAME, began, State.of(self.url), next(counted))
        return self.made

    def run_one(self, fault: str, turn: int = 0) -> Outcome:
        """fault: one of FAULTS; the others would happen to the API's own sessions."""
        with self.alone:
            made, began = self.prepare(), self._empty()
            at_database = fault in LOCKS
            server, url = Server(urlsplit(self.url).port or 0, ""), self.url if at_database else self.api
            scene = Scene(server, None, self.project.path, url, made.messages, turn, ("public.api_keys",))
            with accident(fault, scene) as way:
                number = 2 if fault == "two at once" else 1
                told = self._run([self.project] * number, self.api if at_database else way)
            self._settle()
            return Outcome(made, fault, began, State.of(self.url), told)

    @property
    def api(self) -> str:
        return f"{self.env['SUPABASE_URL']}/"

    def _empty(self) -> State:
        with psycopg.connect(self.url) as connection:
            connection.execute("truncate public.api_keys")
        return State.of(self.url)

    def _run(self, projects: list[Project], api: str) -> list[Told]:
        access = {"SUPABASE_URL": api.rstrip("/"), "SUPABASE_SERVICE_ROLE_KEY": self.env["SUPABASE_SERVICE_ROLE_KEY"]}
        return run_all(projects, f"{WORDS} --db-url {self.url}", env=access)

    def _settle(self) -> None:
        """Wait for requests that lost their client."""
        query = "select from pg_stat_activity where usename = 'authenticator' and state <> 'idle'"
        with psycopg.connect(self.url, autocommit=True) as connection:
            while connection.execute(query).fetchone() is not None:
                threading.Event().wait(0.05)
