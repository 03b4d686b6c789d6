"""What a test may ask of a stack: does all of it work, and is a row still there?"""

from __future__ import annotations

import json
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import psycopg

from promthctl import settings
from promthctl.engines.embedded import system_user
from tests.promthctl_runner import Project


def database_url(project: Project) -> str:
    """For the role postgres, from the record."""
    record = project.record()
    return f"postgresql://postgres:{record['db_password']}@127.0.0.1:{record['db_port']}/postgres"


def data_directory(project: Project) -> Path:
    """Where PostgreSQL 17 has its files."""
    return system_user.data_home(settings.load(project.path), project.record()["project"]) / "postgres-17"


def commit_row(project: Project) -> str:
    """A new user with a saved prompt, committed; the user's id."""
    user = str(uuid.uuid4())
    with psycopg.connect(database_url(project)) as connection:
        connection.execute("insert into auth.users (id, email) values (%s, %s)", (user, f"{user}@example.com"))
        connection.execute("insert into prompts (user_id, title, content) values (%s, 'kept', 'text')", (user,))
    return user


def get(project: Project, path: str) -> Any:
    """What the API answers, asked with the service key."""
    record = project.record()
    key = record["service_role_key"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{record['api_port']}{path}", headers={"apikey": key, "authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def assert_works(project: Project, *users: str) -> None:
    """The stack runs, once; every migration is applied; REST and Auth answer; the rows of `users` are there."""
    status = project.json("local", "status")
    assert status["running"] and status["migrations"] == {"applied": ["001", "002", "003"], "pending": []}, status
    assert {service["name"]: service["pid"] for service in status["services"]} == project.pids()
    servers = [argv for argv in project.leftovers() if "-D" in argv or "--input-type=module" in argv]
    assert len(servers) == 2, servers
    assert commit_row(project)
    kept = {row["user_id"] for row in get(project, "/rest/v1/prompts?select=user_id&title=eq.kept")}
    assert kept >= set(users)
    for user in users:
        assert get(project, f"/auth/v1/admin/users/{user}")["email"] == f"{user}@example.com"


def assert_stops(project: Project) -> None:
    """`local down` leaves no process behind."""
    project.run("local", "down")
    assert project.leftovers() == []
