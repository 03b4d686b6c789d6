"""Fixtures on the real thing: the toolchain, a running stack, fresh Supabase-shaped databases."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from promthctl import settings, toolchain
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.templates import template
from promthctl.engines.ports import free_port
from promthctl.steps import Silent
from promthctl.toolchain import ServerChoice, Toolchain
from promthctl.toolchain import node as nodejs
from tests.promthctl_runner import Project


@dataclass(frozen=True)
class Stack:
    """A running local stack with the Mr.Promth migrations. env: what `local env` prints."""

    project: Project
    env: dict[str, str]

    @property
    def project_dir(self) -> Path:
        return self.project.path

    @property
    def api_url(self) -> str:
        return self.env["SUPABASE_URL"]

    @property
    def anon_key(self) -> str:
        return self.env["SUPABASE_ANON_KEY"]

    @property
    def service_role_key(self) -> str:
        return self.env["SUPABASE_SERVICE_ROLE_KEY"]

    @property
    def db_url(self) -> str:
        return self.env["SUPABASE_DB_URL"]


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    return toolchain.ensure(settings.load(Path()), Silent())


@pytest.fixture(scope="session")
def supabase(tools: Toolchain) -> Path:
    """The real Supabase CLI."""
    return tools.supabase


@pytest.fixture(scope="session")
def node(tools: Toolchain) -> Path:
    return tools.node


@pytest.fixture(scope="session")
def js_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of tests/embedded/js with its packages installed."""
    folder = tmp_path_factory.mktemp("js") / "program"
    shutil.copytree(Path(__file__).parent / "embedded" / "js", folder)
    npm = nodejs.find_node(settings.load(Path())).npm
    install = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=200)
    return folder


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, tools: Toolchain) -> Iterator[Stack]:
    """One stack for all tests that leave it as they found it, or work with users of their own."""
    project = Project(tmp_path_factory.mktemp("stack"), {"ENCRYPTION_SECRET": secrets.token_hex(16)})
    try:
        project.up()
        yield Stack(project, project.env())
    finally:
        project.dispose()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tools: Toolchain) -> Iterator[Project]:
    """A project for a module's tests that leave its stack in any state."""
    project = Project(tmp_path_factory.mktemp("shared"))
    try:
        yield project
    finally:
        project.dispose()


@pytest.fixture
def running(shared: Project) -> Project:
    """The shared project with its stack up."""
    shared.up()
    return shared


@dataclass(frozen=True)
class Server:
    """A bare Supabase-shaped PostgreSQL, without the API, whose databases come and go."""

    port: int
    password: str

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}:{self.password}@127.0.0.1:{self.port}/{database}"


@contextmanager
def bare_server(folder: Path, tools: Toolchain) -> Iterator[Server]:
    """A server for the project in `folder`, removed in the end."""
    here = settings.load(folder)
    home = system_user.data_home(here, here.project_id)
    user = system_user.postgres_user(here)
    programs = toolchain.postgres(tools, ServerChoice(17), here, user, free_port(), Silent())
    cluster = Cluster(programs, home / "postgres-17", user, here)
    cluster.create(template(programs, user, here, Silent()))
    password, port = secrets.token_hex(12), free_port()
    cluster.set_passwords(password, password)
    log = here.project_dir / "postgres.log"
    running = cluster.start(port, log, lambda _: None)
    try:
        cluster.wait(running, log)
        yield Server(port, password)
    finally:
        cluster.stop(running)
        if os.geteuid() == 0:
            import shutil

            shutil.rmtree(home)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, tools: Toolchain) -> Iterator[Server]:
    """See bare_server."""
    with bare_server(tmp_path_factory.mktemp("server"), tools) as running:
        yield running


_numbers = itertools.count()


@contextmanager
def fresh_database(server: Server) -> Iterator[str]:
    """A fresh, empty Supabase-shaped database; the URL's role is `postgres`, no superuser, as on hosted."""
    name = f"test_{next(_numbers)}"
    admin = server.url("template1", "supabase_admin")
    with psycopg.connect(admin, autocommit=True) as connection, same_roles(connection):
        connection.execute(f"create database {name} template postgres".encode())
        try:
            bootstrap = files("promthctl.engines.embedded") / "bootstrap" / "15_database.sql"
            with psycopg.connect(server.url(name, "supabase_admin"), autocommit=True) as within:
                within.execute(bootstrap.read_text(encoding="utf-8").encode())
            yield server.url(name)
        finally:
            connection.execute(f"drop database {name} with (force)".encode())


@contextmanager
def same_roles(connection: psycopg.Connection) -> Iterator[None]:
    """Roles and who is in them belong to the server: what a test makes, the next database would have too."""
    roles, members = _roles(connection), _members(connection)
    try:
        yield
    finally:
        for role in _roles(connection) - roles:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
        now = _members(connection)
        for words, changed in (("revoke {} from {}", now - members), ("grant {} to {}", members - now)):
            for one in changed:
                connection.execute(sql.SQL(words + " granted by {}").format(*map(sql.Identifier, one)))


def _members(connection: psycopg.Connection) -> set[tuple[str, str, str]]:
    query = "select pg_get_userbyid(roleid), pg_get_userbyid(member), pg_get_userbyid(grantor) from pg_auth_members"
    return {(role, member, grantor) for role, member, grantor in connection.execute(query).fetchall()}


def _roles(connection: psycopg.Connection) -> set[str]:
    return {name for (name,) in connection.execute("select rolname from pg_roles").fetchall()}


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """See fresh_database."""
    with fresh_database(server) as url:
        yield url
