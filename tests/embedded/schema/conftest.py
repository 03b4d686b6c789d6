"""The schema's tests run on PostgreSQL 14 to 18: 17 is the toolchain's, the others come from npm, simply furnished."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from promthctl import process, settings
from promthctl.engines.embedded import system_user
from promthctl.engines.ports import free_port
from promthctl.toolchain import installation
from promthctl.toolchain import node as nodejs
from tests.servers import Server, fresh_database

MAJORS = (14, 15, 16, 17, 18)
# As much of Supabase as the schema needs: its roles, auth.users, auth.uid().
BOOTSTRAP = """
create role dashboard_user; create role supabase_auth_admin;
create role anon; create role authenticated; create role service_role bypassrls;
create role postgres login nosuperuser createdb createrole bypassrls password 'not-a-secret';
grant anon, authenticated, service_role to postgres with admin option;
alter database postgres owner to postgres;
grant create, usage on schema public to postgres with grant option;
grant usage on schema public to anon, authenticated, service_role;
create schema auth;
grant usage on schema auth to postgres, anon, authenticated, service_role;
create table auth.users (id uuid primary key, email varchar(255), created_at timestamptz default now());
grant all on auth.users to postgres;
create function auth.uid() returns uuid language sql stable as $$
  select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
alter default privileges for role postgres in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on functions to anon, authenticated, service_role;
"""


@pytest.fixture(scope="session")
def installations() -> Iterator[Path]:
    """The folder with postgres-14, -15, -16 and -18, where the user who runs Postgres can read it."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("the packages of the other PostgreSQL versions are locked for Linux on x86-64 only")
    here = settings.load(Path())
    node = nodejs.find_node(here)
    install = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    env = here.child_env(PATH=f"{node.node.parent}:{here.env['PATH']}")
    with TemporaryDirectory(prefix="promthctl-postgres-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(Path(__file__).parent / file, folder)
        subprocess.run(install, cwd=folder, check=True, capture_output=True, env=env, umask=0o022)
        yield folder / "node_modules"


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"postgres{major}")
def schema_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param == 17:
        yield request.getfixturevalue("server")
        return
    native = request.getfixturevalue("installations") / f"postgres-{request.param}" / "native"
    installation.complete(native)
    for extensions in native.glob("share/**/extension"):
        installation.add_extensions(extensions)
    user = system_user.postgres_user(settings.load(Path()))
    data, log = native.parent / "data", tmp_path_factory.mktemp("log") / "postgres.log"
    data.mkdir()
    if user is not None:
        shutil.chown(data, user.uid, user.gid)
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    password_file = native.parent / "password"
    password_file.write_text("not-a-secret")
    initdb = [native / "bin" / "initdb", "-D", data, "-U", "supabase_admin", "--auth=scram-sha-256", "--no-sync"]
    made = process.run([*initdb, "-E", "UTF8", f"--pwfile={password_file}"], env=env, cwd=Path("/"), user=user)
    assert made.code == 0, made.stderr
    port = free_port()
    options = ["-c", f"port={port}", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"]
    running = process.spawn_detached(
        [native / "bin" / "postgres", "-D", data, *options],
        record=lambda _: None,
        log=log,
        env=env,
        cwd=Path("/"),
        user=user,
    )
    server = Server(port, "not-a-secret")
    try:
        while "ready to accept" not in log.read_text():
            assert running.alive(), log.read_text()
        with psycopg.connect(server.url("postgres", "supabase_admin"), autocommit=True) as connection:
            connection.execute(BOOTSTRAP.encode())
        yield server
    finally:
        running.end()


@pytest.fixture
def database_url(schema_server: Server) -> Iterator[str]:
    """See fresh_database: one on each version."""
    with fresh_database(schema_server) as url:
        yield url
