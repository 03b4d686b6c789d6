"""`local …` as a user runs it: what is printed, what is written, how it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from promthctl.migration_set import packaged_source
from tests.promthctl_runner import Project
from tests.servers import Stack

NAMES = [
    "SUPABASE_URL",
    "SUPABASE_ANON_KEY",
    "SUPABASE_PUBLISHABLE_KEY",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_SECRET_KEY",
    "SUPABASE_DB_URL",
    "ENCRYPTION_SECRET",
    "NEXT_PUBLIC_SUPABASE_URL",
    "NEXT_PUBLIC_SUPABASE_ANON_KEY",
    "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY",
]
PACKAGED = ["001_initial_schema.sql", "002_agent_chain_schema.sql", "003_add_metadata_and_cli_sessions.sql"]


def write(project: Project, files: dict[str, str]) -> None:
    (project.path / "db").mkdir(exist_ok=True)
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    for name, sql in files.items():
        (project.path / "db" / name).write_text(sql)


def fresh(project: Project, files: dict[str, str]) -> None:
    """The project without a stack, with these migrations and no others."""
    project.run("local", "down", "--purge", "--yes")
    for folder in ("db", "supabase"):
        shutil.rmtree(project.path / folder, ignore_errors=True)
    write(project, files)


def tables(project: Project) -> list[str]:
    query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
    with psycopg.connect(project.env()["SUPABASE_DB_URL"]) as connection:
        return [name for (name,) in connection.execute(query)]


def secrets_of(project: Project) -> list[str]:
    record = project.record()
    return [record[name] for name in ("db_password", "internal_password", "jwt_secret", "anon_key", "service_role_key")]


# up and status


def test_up_on_a_running_stack_tells_where_it_is_and_no_secret(stack: Stack) -> None:
    pids = stack.project.pids()
    done = stack.project.run("local", "up")
    for part in ("was up already (embedded engine)", stack.api_url, "postgresql://postgres:********@", "3 applied"):
        assert part in done.stdout
    assert re.search(r"anon key +eyJ\w\.\.\.[\w-]{3}\n", done.stdout)
    assert not [secret for secret in secrets_of(stack.project) if secret in done.stdout + done.stderr]
    assert done.stderr.startswith("Target: the local stack (embedded engine: ")
    assert stack.project.pids() == pids


def test_up_as_json(stack: Stack) -> None:
    result = stack.project.json("local", "up")
    why = result.pop("why")
    assert why and result == {
        "engine": "embedded",
        "started": False,
        "api_url": stack.api_url,
        "studio_url": stack.api_url + "/",
        "synced": [],
        "foreign": [],
        "source": str(packaged_source()),
        "source_kind": "example",
        "applied": [],
        "total": 3,
        "unreachable": None,
        "seeds": None,
        "unseeded": [],
        "removed": [],
        "copied": 0,
        "without_keys": False,
        "declared": False,
    }


def test_status_of_a_running_stack(stack: Stack) -> None:
    record, pids = stack.project.record(), stack.project.pids()
    of_docker = dict.fromkeys(("container", "health", "memory", "exit_code"))
    services = [
        {"name": name, "state": "running", "pid": pids[name], "port": record[port]} | of_docker
        for name, port in (("postgres", "db_port"), ("api", "api_port"))
    ]
    status = stack.project.json("local", "status")
    assert all(service.pop("uptime") >= 0 for service in status["services"])
    assert status == {
        "engine": "embedded",
        "running": True,
        "api_url": stack.api_url,
        "studio_url": stack.api_url + "/",
        "services": services,
        "migrations": {"applied": ["001", "002", "003"], "pending": []},
        "problems": [],
    }
    told = stack.project.run("local", "status").stdout
    assert re.search(rf"postgres +running +\d+ (s|min).* {record['db_port']} +{pids['postgres']}", told)
    assert f"API {stack.api_url}" in told and "3 applied, 0 pending" in told


def test_a_folder_without_a_stack(tmp_path: Path) -> None:
    project = Project(tmp_path)
    status = project.json("local", "status", code=1)
    assert (status["running"], status["api_url"], status["studio_url"]) == (False, None, None)
    assert status["migrations"] == {"applied": None, "pending": None}
    assert [(service["name"], service["state"]) for service in status["services"]] == [
        ("postgres", "stopped"),
        ("api", "stopped"),
    ]
    told = project.run("local", "down").stdout
    assert "was not running" in told and "It has no data" in told and "kept" not in told
    assert "There was no data to remove" in project.run("local", "down", "--purge", "--yes").stdout
    assert project.run("local", "logs").stdout == ""
    for command in ("local env", "local env --write .env", "push", "push --local", "reset", "local reset"):
        told = project.run(*command.split(), code=4).stderr
        assert "error: There is no local stack" in told and "next: promthctl local up" in told
        assert command == "local reset" or list(tmp_path.iterdir()) == []


def test_down_and_what_still_works_then(running: Project) -> None:
    before, api_url = running.env(), running.record()["api_port"]
    assert running.json("local", "down") == {"stopped": True, "purged": False, "had_data": True, "kept": None}
    assert running.json("local", "down") == {"stopped": False, "purged": False, "had_data": True, "kept": None}
    assert running.env() == before and str(api_url) in before["SUPABASE_URL"]
    status = running.json("local", "status", code=1)
    assert (status["running"], status["studio_url"], status["migrations"]["applied"]) == (False, None, None)
    assert {service["state"] for service in status["services"]} == {"stopped"}
    assert "not running" in running.run("local", "status", code=1).stdout
    for command in ("push", "reset", "local reset"):
        assert "The local stack is not running" in running.run(*command.split(), code=4).stderr
    again = running.json("local", "up")
    assert (again["started"], again["applied"], running.env()) == (True, [], before)


def test_purging_needs_a_yes(running: Project) -> None:
    told = running.run("local", "down", "--purge", code=5, stdin="y\n").stderr
    assert "The local database was not removed" in told and "--yes" in told
    assert running.json("local", "status")["running"] is True
    assert running.json("local", "down", "--purge", "--yes") == {
        "stopped": True,
        "purged": True,
        "had_data": True,
        "kept": None,
    }
    running.run("local", "env", code=4)


# migrations


def test_a_broken_migration_leaves_the_stack_up_and_the_next_up_completes(shared: Project) -> None:
    fresh(shared, {"001_a.sql": "create table public.a ();\n", "002_b.sql": "create table public.b (;\n"})
    told = shared.run("local", "up", "--api-port", "0", "--db-port", "0", code=1).stderr
    assert "002_b.sql could not be applied to the local stack" in told and "line 1, statement 1" in told
    assert f"correct {shared.path}/db/002_b.sql" in told
    status = shared.json("local", "status")
    assert status["running"] and status["migrations"] == {"applied": ["001"], "pending": ["002_b.sql"]}
    assert "pending: 002_b.sql" in shared.run("local", "status").stdout
    write(shared, {"002_b.sql": "create table public.b ();\n", "003_c.sql": "create table public.c ();\n"})
    mended = shared.json("local", "up")
    assert (mended["started"], mended["applied"]) == (False, ["002_b.sql", "003_c.sql"])
    assert (mended["synced"], mended["total"]) == (["002_b.sql", "003_c.sql"], 3)
    assert tables(shared) == ["a", "b", "c"]


def test_push_and_resets_of_the_local_stack_need_no_question(shared: Project) -> None:
    fresh(shared, {"001_a.sql": "create table public.a ();\n"})
    shared.up()
    write(shared, {"002_b.sql": "create table public.b ();\n"})
    assert shared.json("push", "--dry-run")["pending"] == ["002_b.sql"]
    assert shared.json("push", "--local")["applied"] == ["002_b.sql"]
    label = f"the local stack (127.0.0.1:{shared.record()['db_port']})"
    for command in ("reset", "local reset"):
        with psycopg.connect(shared.env()["SUPABASE_DB_URL"]) as connection:
            connection.execute("create table public.by_hand ()")
        result = shared.json(*command.split())
        assert (result["target"], result["applied"], result["tables"]) == (label, ["001_a.sql", "002_b.sql"], 2)
        assert tables(shared) == ["a", "b"]
        assert shared.json("local", "status")["migrations"]["pending"] == []


def test_an_edited_migration_stops_up_until_it_is_settled(shared: Project) -> None:
    fresh(shared, {"001_a.sql": "create table public.a ();\n"})
    shared.up()
    write(shared, {"001_a.sql": "create table public.a ();\n-- edited\n"})
    told = shared.run("local", "up", code=5).stderr
    assert "+-- edited" in told and "--force" in told
    assert shared.json("local", "status")["running"]
    assert "1 migration replayed" in shared.run("local", "reset").stdout
    assert shared.json("local", "up")["applied"] == []


def test_two_targets_at_once_are_refused(stack: Stack) -> None:
    for command in ("push", "reset"):
        told = stack.project.run(command, "--local", "--db-url", "postgresql://h/d", code=2).stderr
        assert "There is more than one target" in told or "--local cannot be combined" in told


# env


def test_env_prints_dotenv_lines_or_an_object(stack: Stack) -> None:
    lines = stack.project.run("local", "env").stdout.splitlines()
    assert [line.partition("=")[0] for line in lines] == NAMES
    values = stack.project.json("local", "env")
    assert [f"{name}={value}" for name, value in values.items()] == lines
    assert values["NEXT_PUBLIC_SUPABASE_URL"] == values["SUPABASE_URL"] == stack.api_url
    assert values["NEXT_PUBLIC_SUPABASE_ANON_KEY"] == values["SUPABASE_ANON_KEY"]


def test_env_has_the_names_that_package_json_needs_and_keys_that_the_api_takes(stack: Stack) -> None:
    package = stack.project_dir / "apps" / "web" / "package.json"
    package.parent.mkdir(parents=True)
    try:
        package.write_text('{"devDependencies": {"vite": "7"}, "dependencies": {"expo": "54"}}')
        values = stack.project.json("local", "env")
        public = {name for name in values if name.endswith("_SUPABASE_PUBLISHABLE_KEY")}
        assert public == {"VITE_SUPABASE_PUBLISHABLE_KEY", "EXPO_PUBLIC_SUPABASE_PUBLISHABLE_KEY"}
        for broken in ("[]", "{", '{"dependencies": 1}'):
            package.write_text(broken)
            assert "NEXT_PUBLIC_SUPABASE_URL" in stack.project.json("local", "env")
    finally:
        shutil.rmtree(stack.project_dir / "apps")
    public, secret = values["SUPABASE_PUBLISHABLE_KEY"], values["SUPABASE_SECRET_KEY"]

    def status(path: str, key: str, **headers: str) -> int:
        return httpx.get(stack.api_url + path, headers={"apikey": key} | headers).status_code

    assert status("/rest/v1/", secret) == status("/auth/v1/admin/users", secret) == 200
    assert status("/auth/v1/admin/users", secret, authorization=f"Bearer {secret}") == 200
    assert status("/rest/v1/", public) == status("/auth/v1/admin/users", public) == 403
    assert status("/auth/v1/settings", public) == 200 and status("/rest/v1/", f"{secret}x") == 401


def test_env_keeps_the_secret_of_the_file_it_writes_to(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("ENCRYPTION_SECRET=the-one-that-keys-are-stored-under\n")
    result = stack.project.json("local", "env", "--write", str(file))
    assert result["kept_secret"] and "ENCRYPTION_SECRET" not in result["changed"]
    assert "ENCRYPTION_SECRET=the-one-that-keys-are-stored-under\n" in file.read_text()


def test_demo_keys_are_stored_with_nothing_else_done(running: Project) -> None:
    """Under a secret that is made for the local stack, and for nothing else."""
    fresh(running, {})
    (running.path / "pyproject.toml").unlink()
    assert "seed vanchin --demo" in running.up("--example", "mr-promth").stdout
    running.run("seed", "vanchin", "--demo")
    assert running.json("keys", "check")["failed"] == 0
    assert len(running.env()["ENCRYPTION_SECRET"]) == 32
    assert (running.path / ".promthctl" / "app.json").stat().st_mode & 0o777 == 0o600
    assert running.env() == running.env()


def test_messages_are_listed_and_shown(running: Project) -> None:
    env = running.env()
    url, headers = f"{env['SUPABASE_URL']}/auth/v1", {"apikey": env["SUPABASE_ANON_KEY"]}
    assert "no message" in running.run("local", "mail").stdout
    assert "There is no message" in running.run("local", "mail", "show", code=2).stderr
    for email in ("one@example.com", "two@example.com"):
        httpx.post(f"{url}/otp", json={"email": email}, headers=headers).raise_for_status()
    assert [message["to"] for message in running.json("local", "mail")["messages"]] == [
        "two@example.com",
        "one@example.com",
    ]
    newest, first = running.json("local", "mail", "show"), running.json("local", "mail", "show", "2")
    assert newest["link"].startswith(url) and newest["to"] == "two@example.com"
    body = {"type": "email", "email": "one@example.com", "token": first["code"]}
    session = httpx.post(f"{url}/verify", json=body, headers=headers).json()
    assert session["user"]["email"] == "one@example.com"
    assert first["code"] in running.run("local", "mail", "show", "2").stdout
    assert first["code"] not in running.run("local", "logs").stdout


BEFORE = "# my app\nexport SUPABASE_URL = old\nOTHER='kept # so'\n\n  SUPABASE_ANON_KEY=a\nSUPABASE_ANON_KEY=b\nLAST=1"


def test_env_write_keeps_every_other_line(stack: Stack, tmp_path: Path) -> None:
    file, env = tmp_path / ".env.local", stack.env
    file.write_text(BEFORE)
    file.chmod(0o644)
    result = stack.project.json("local", "env", "--write", str(file))
    assert result == {"file": str(file), "changed": NAMES, "kept_secret": False}
    key = env["SUPABASE_ANON_KEY"]
    assert file.read_text().splitlines() == [
        "# my app",
        f"export SUPABASE_URL={env['SUPABASE_URL']}",
        "OTHER='kept # so'",
        "",
        f"  SUPABASE_ANON_KEY={key}",
        f"SUPABASE_ANON_KEY={key}",
        "LAST=1",
        *(f"{name}={env[name]}" for name in NAMES if name not in ("SUPABASE_URL", "SUPABASE_ANON_KEY")),
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.read_text()
    told = stack.project.run("local", "env", "--write", str(file)).stdout
    assert "nothing was changed" in told and file.read_text() == written
    assert not [secret for secret in secrets_of(stack.project) if secret in told]


def test_env_write_makes_the_file_in_the_project_and_follows_a_link(stack: Stack, tmp_path: Path) -> None:
    real = stack.project_dir / "real.env"
    real.write_bytes(b"A=1\r\nSUPABASE_URL=old\r\n")
    link = stack.project_dir / ".env.test"
    link.symlink_to(real.name)
    stack.project.run("local", "env", "--write", ".env.test")
    assert link.is_symlink() and real.read_bytes().startswith(b"A=1\r\nSUPABASE_URL=http")
    assert real.read_bytes().count(b"\n") == real.read_bytes().count(b"\r\n") == 1 + len(NAMES)
    link.unlink()
    stack.project.run("local", "env", "--write", ".env.test")
    assert [line.partition("=")[0] for line in link.read_text().splitlines()] == NAMES
    link.unlink()
    real.unlink()


def test_env_is_not_written_to_a_file_named_as_standard_output(stack: Stack) -> None:
    told = stack.project.run("local", "env", "--write", "-", code=2).stderr
    assert "leave --write out" in told and not (stack.project.path / "-").exists()


@pytest.mark.parametrize("file", ["no/such/folder/.env", "."])
def test_env_write_to_a_place_that_is_none(stack: Stack, file: str) -> None:
    told = stack.project.run("local", "env", "--write", file, code=1).stderr
    assert "cannot be updated" in told and "--write FILE" in told


# logs


def test_logs_of_each_service(stack: Stack) -> None:
    together = stack.project.run("local", "logs").stdout
    for service, words in (("postgres", "database system is ready"), ("api", "listening on 127.0.0.1")):
        alone = stack.project.run("local", "logs", service).stdout
        assert words in alone and all(line.startswith(f"{service:<8} | ") for line in alone.splitlines())
        assert alone.splitlines()[0] in together
    objects: list[dict[str, Any]] = stack.project.json("local", "logs", "postgres")
    assert {(*sorted(entry), entry["service"]) for entry in objects} == {("line", "service", "postgres")}


def test_a_part_of_the_logs(stack: Stack) -> None:
    def lines(*words: str) -> list[str]:
        return stack.project.run("local", "logs", "postgres", *words).stdout.splitlines()

    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute("do $$ begin raise log 'the first of two'; end $$")
        connection.execute("select pg_sleep(0.01)")
        (then,) = connection.execute("select now()").fetchone() or ()
        connection.execute("do $$ begin raise log 'the second of two'; end $$")
    assert lines("--tail", "0") == [] and len(lines("--tail", "2")) == 2
    assert lines("--tail", "1000000") == lines() == lines("--since", "1h")
    newer = "\n".join(lines("--since", then.isoformat()))
    assert "the second of two" in newer and "the first of two" not in newer
    assert lines("--since", "2100-01-01") == []
    assert stack.project.run("local", "logs", "api", "--since", "3h").stdout
    assert not stack.project.run("local", "logs", "api", "--since", "2100-01-01").stdout
    assert "--since 10m" in stack.project.run("local", "logs", "--since", "noon", code=2).stderr


def test_logs_of_an_unknown_service(stack: Stack) -> None:
    told = stack.project.run("local", "logs", "kong", code=2).stderr
    assert "There is no service 'kong'" in told and "postgres and api" in told


def test_logs_are_followed_until_interrupted(stack: Stack) -> None:
    following = stack.project.start("local", "logs", "-f", "postgres")
    assert following.stdout is not None
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute("do $$ begin raise log 'said while % followed', 'somebody'; end $$")
    seen = next(line for line in following.stdout if "said while somebody followed" in line)
    assert seen.startswith("postgres | ")
    os.kill(following.pid, signal.SIGINT)
    stdout, stderr = following.communicate(timeout=30)
    assert following.returncode == 130 and "Traceback" not in stdout + stderr
