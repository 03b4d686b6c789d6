"""Projects on the Docker engine, and what a test may ask of their containers."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import httpx
import psycopg
from docker.models.containers import Container
from docker.models.networks import Network

from tests.promthctl_runner import Project, project_id

LABELS = (
    "com.supabase.cli.project",
    "promthctl.project",
)  # the Supabase CLI's, and promthctl's own
SERVICES = {  # promthctl's names and the CLI's names of the containers
    "db": "db",
    "rest": "rest",
    "auth": "auth",
    "gateway": "kong",
    "studio": "studio",
    "meta": "pg_meta",
}


@dataclass
class DockerProject(Project):
    """A project folder whose stack runs on Docker. client: of the daemon. also: other names that it had."""

    client: docker.DockerClient = field(kw_only=True)
    engine: str = "auto"
    also: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, path: Path, client: docker.DockerClient, **extra: str) -> DockerProject:
        path.mkdir(parents=True)
        return cls(path, extra, client=client)

    def up(self, *words: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """`local up` on free ports, kept for this project from then on."""
        words = ("local", "up", "--engine", "docker", "--api-port", "0", "--db-port", "0", *words)
        return self.run(*words, code=code, timeout=280, **env)

    @property
    def name(self) -> str:
        """What the containers' names end with."""
        return project_id(self.path)

    def containers(self) -> dict[str, Container]:
        """The stack's containers, running or not, by the CLI's name of the service."""
        found = [each for each in self._resources() if isinstance(each, Container)]
        return {each.name.removeprefix("supabase_").removesuffix(f"_{self.name}"): each for each in found}

    def ids(self) -> dict[str, str]:
        return {service: str(container.id) for service, container in self.containers().items()}

    def remains(self, name: str | None = None) -> list[str]:
        """What there is of the stack, or of one of that name: names of containers, volumes and networks."""
        return sorted(each.name for each in self._resources(name))

    def _resources(self, name: str | None = None) -> list[Any]:
        client = self.client
        wanted = [{"label": f"{label}={name or self.name}"} for label in LABELS]
        containers = [client.containers.list(all=True, filters=each, ignore_removed=True) for each in wanted]
        volumes, networks = ([kind.list(filters=each) for each in wanted] for kind in (client.volumes, client.networks))
        return [each for found in (*containers, *volumes, *networks) for each in found]

    def use_image(self, service: str, tag: str) -> None:
        """Have the CLI take another version of a service's image. service: gotrue, rest, postgres, …"""
        folder = self.path / "supabase" / ".temp"  # where `supabase link` notes the linked project's versions
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{service}-version").write_text(tag)

    def commit_row(self) -> str:
        """A new user with a saved prompt, committed; the user's id."""
        user = str(uuid.uuid4())
        with psycopg.connect(self.env()["SUPABASE_DB_URL"]) as connection:
            connection.execute("insert into auth.users (id, email) values (%s, %s)", (user, f"{user}@example.com"))
            connection.execute("insert into prompts (user_id, title, content) values (%s, 'kept', 'text')", (user,))
        return user

    def users_with_a_row(self) -> set[str]:
        """Whose saved prompts the API knows."""
        return {row["user_id"] for row in self.get("/rest/v1/prompts?select=user_id")}

    def get(self, path: str) -> Any:
        """What the API answers, asked with the service key."""
        env = self.env()
        key = env["SUPABASE_SERVICE_ROLE_KEY"]
        headers = {"apikey": key, "authorization": f"Bearer {key}"}
        return httpx.get(env["SUPABASE_URL"] + path, headers=headers, timeout=30).raise_for_status().json()

    def assert_works(self, *users: str) -> None:
        """Every service runs, every migration is applied, REST and Auth answer; the rows of `users` are there."""
        status = self.json("local", "status")
        assert status["running"] and status["engine"] == "docker", status
        assert status["migrations"] == {"applied": ["001", "002", "003"], "pending": []}, status
        assert {service["state"] for service in status["services"]} == {"running"}, status
        made = self.commit_row()
        assert self.users_with_a_row() >= {made, *users}
        assert self.get(f"/auth/v1/admin/users/{made}")["email"] == f"{made}@example.com"

    def dispose(self) -> None:
        """Stop everything and remove the data, whatever state a test left it in."""
        try:
            super().dispose()
            assert self.remains() == []
        finally:
            for each in (one for name in (self.name, *self.also) for one in self._resources(name)):
                each.remove(**({} if isinstance(each, Network) else {"force": True}))
