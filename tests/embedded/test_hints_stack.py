"""Hints of a local stack and of the keys in it, followed on one stack; see tests/hints.py.

The stack comes up by the hints of what stops an `up`, one after another. A row leaves the stack running; its keys are
whatever the last row left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from promthctl import settings, signatures
from promthctl.engines.embedded import api
from promthctl.engines.embedded.records import EmbeddedRecords
from promthctl.errors import PromthctlError
from promthctl.process import ProcessId
from promthctl.toolchain import Toolchain
from tests.embedded.working import data_directory, database_url
from tests.hints import Edit, Instead, Leave, Option, Place, Put, Row, Run, Say, Set, follow, told
from tests.promthctl_runner import Project
from tests.tcp_relay import relay_to

KEY = "sk-FAKEfakeFAKEfake0123456789"
SECOND = "second@example.com"
SIGN_UP = f"""
    insert into auth.users (id, email, aud, role, created_at, updated_at)
    select '00000000-0000-0000-0000-000000000002', '{SECOND}', 'authenticated', 'authenticated', now(), now()
     where not exists (select from auth.users where email = '{SECOND}')"""
DEMO = "promthctl seed vanchin --demo"
EMPTY = "promthctl keys remove --all"
ELSEWHERE = "--db-url postgresql://postgres@127.0.0.1:1/x"
PICK = "engines/choosing.py · pick"
AGENT = "keys/changing.py · find_agent_rows"
TAKEN = "is taken"
CONFIG = 'project_id = "x"\n[api]\nmax_rows = "x"\n[auth]\nenable_signup = 3\n'

FIRST = (
    Row(PICK, "promthctl local up --engine x --api-port {taken}", Leave("--engine x"), TAKEN),
    Row(
        "engines/choosing.py · _refuse_docker_flags",
        "promthctl local up --engine embedded --bind 0.0.0.0 --api-port {taken}",
        Leave("--bind 0.0.0.0"),
        TAKEN,
    ),
    Row(
        "engines/ports.py · check_configured",
        '"$PYTHON" -m promthctl local up --db-port 0',
        Edit(".env", "NOPE={taken}\n", r"set NOPE=54321 in \.env"),
        TAKEN,
        files=(("supabase/config.toml", '[api]\nport = "env(NOPE)"\n'),),
    ),
    Row(
        "engines/ports.py · settle",
        "promthctl local up --api-port {taken} --db-port {taken}",
        Instead("promthctl local up --api-port 0 --db-port 0"),
        "wrong [auth] enable_signup",
        files=(("supabase/config.toml", CONFIG),),
    ),
    Row(
        "engines/ports.py · check_free",
        "promthctl local up --api-port {taken}",
        Instead("promthctl local up --api-port 0"),
        "wrong [auth] enable_signup",
    ),
    Row(
        "state.py · make",
        "promthctl -C /proc local up --db-port 0 --api-port {taken}",
        Say("/proc", "own", "-C DIR"),
        TAKEN,
        before="mkdir own",
    ),
    Row(
        "engines/embedded/auth_settings.py · wrong",
        "promthctl local up",
        Put("supabase/config.toml", "enable_signup = 3", "write (enable_signup = .*), or"),
        "wrong [api] max_rows",
    ),
    Row(
        "engines/embedded/api.py · _wrong",
        "promthctl local up",
        Put("supabase/config.toml", 'max_rows = "x"', "write (max_rows = 1000)"),
    ),
)

ROWS = (
    Row("engines/embedded/kept_copy.py · nothing_kept", "promthctl local reset --undo", Run("promthctl local reset")),
    Row(
        "engines/embedded/snapshots.py · named",
        "promthctl local snapshot restore one",
        Run("promthctl local snapshot save NAME", (("NAME", "one"),)),
    ),
    Row(
        "engines/embedded/snapshots.py · check_new",
        "promthctl local snapshot save two",
        Run("promthctl local snapshot remove two", adds="--yes"),
        before="promthctl local snapshot save two",
    ),
    Row("local_stack/env.py · write_env", "promthctl local env --write -", Leave("--write -")),
    Row("local_stack/mail.py · mail", "promthctl local mail show 3", Instead("promthctl local mail")),
    Row(
        "dotenv_file.py · _check_link",
        "promthctl local env --write .env.link",
        Instead(r"promthctl local env --write \S+(?=,)"),
        before="touch ../outside; ln -s ../outside .env.link",
    ),
    Row(
        "dotenv_file.py · _unusable",
        "promthctl local env --write supabase",
        Instead("promthctl local env --write FILE", (("FILE", ".env.other"),)),
    ),
    Row(
        AGENT,
        "promthctl keys remove 99",
        (Run("promthctl keys list"), Say("99", "ep-demo-03", "the endpoint ids")),
        before=f"{EMPTY}; {DEMO}",
    ),
    Row(
        AGENT,
        f"promthctl keys remove 99 --yes {ELSEWHERE}",
        (Run(f"promthctl keys list {ELSEWHERE}"), Say("99", "ep-demo-03", "the endpoint ids")),
        before=f"{EMPTY}; {DEMO}",
        env=(("SUPABASE_URL", "{api}"), ("SUPABASE_SERVICE_ROLE_KEY", "{service}")),
        name="of another target",
    ),
    Row(
        AGENT,
        "promthctl keys remove 1",
        Option("--user", SECOND),
        sql=SIGN_UP,
        before=f"{EMPTY}; {DEMO}; {DEMO} --user {SECOND}",
        name="of two users",
    ),
    Row(
        "keys/key_batch.py · _refuse_unknown_users",
        "promthctl seed keys --provider openai --keys keys.csv",
        Edit("keys.csv", f"api_key,user\n{KEY},{SECOND}\n", "correct the keys"),
        files=(("keys.csv", f"api_key,user\n{KEY},nobody@example.com\n"),),
        sql=SIGN_UP,
    ),
    Row(
        "keys/users.py · _readable",
        f"{DEMO} --user 00000000-0000-4000-8000-00000000abcd",
        Run('(promthctl sql --write "[^"]+")'),
        sql="insert into auth.users (id, email) values ('00000000-0000-4000-8000-00000000abcd', 'hand@example.com')",
    ),
    Row("keys/users.py · find_user", f"{DEMO} --user nobody@example.com", Option("--user", SECOND), sql=SIGN_UP),
    Row(
        "keys/rotation.py · plan_rotation",
        "promthctl keys rotate --new-secret-env OTHER_SECRET",
        Set("ENCRYPTION_SECRET", "{secret}", "set ENCRYPTION_SECRET to the one they were stored with"),
        before=f"{EMPTY}; ENCRYPTION_SECRET={{secret}} {DEMO}",
        env=(("ENCRYPTION_SECRET", "a-lost-secret-of-32-letters-long"), ("OTHER_SECRET", "b" * 20 + "acdefghijklm")),
    ),
    Row(
        "cli/invocation.py · ask_secret",
        r"printf '\377' | promthctl keys replace 1",
        Say(r"'\377'", f"'{KEY}'", "pipe the key alone"),
        before=f"{EMPTY}; {DEMO}",
        env=(("PYTHONIOENCODING", "utf-8:strict"),),
    ),
    Row(
        "api/client.py · _status_error",
        f"promthctl keys list {ELSEWHERE}",
        Set("SUPABASE_SERVICE_ROLE_KEY", "{service}", "into SUPABASE_SERVICE_ROLE_KEY"),
        env=(("SUPABASE_URL", "{api}"), ("SUPABASE_SERVICE_ROLE_KEY", "wrong")),
    ),
    Row(
        "api/client.py · unexpected_answer",
        f"promthctl keys list {ELSEWHERE}",
        Set("SUPABASE_URL", "{api}", "check that SUPABASE_URL"),
        env=(("SUPABASE_URL", "{api}/rest/v1"), ("SUPABASE_SERVICE_ROLE_KEY", "{service}")),
    ),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tools: Toolchain) -> Iterator[Place]:
    project = Project(tmp_path_factory.mktemp("hints") / "project")
    project.path.mkdir()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        place = Place(project, {"taken": str(listener.getsockname()[1])})
        try:
            place.must("promthctl init --example mr-promth")
            for row in FIRST:
                follow(row, place)
            (project.path / ".env").unlink()
            env = project.env()
            place.values |= {
                "owner": database_url(project),
                "api": env["SUPABASE_URL"],
                "service": env["SUPABASE_SERVICE_ROLE_KEY"],
            }
            yield Place(project, place.values | {"secret": env["ENCRYPTION_SECRET"]})
        finally:
            project.dispose()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, place: Place) -> None:
    follow(row, place)


def test_an_engine_that_runs_is_stopped_before_the_other_starts(place: Place) -> None:
    try:
        error = told(PICK, place.shell("promthctl local up --engine docker").stderr)
        first, second = re.findall(r"promthctl local [^,]+", error.hint)
        place.must(first)
        assert "runs" not in place.shell(f"DOCKER_HOST=unix:///nowhere {second}").stderr
    finally:
        place.must("promthctl local up")


def test_a_server_that_died_comes_back_by_up(place: Place) -> None:
    os.kill(place.project.pids()["api"], signal.SIGKILL)
    error = told("api/client.py · _unreachable", place.shell("promthctl keys list").stderr)
    place.must(error.hint)
    place.must("promthctl keys list")


def test_a_development_user_whose_password_is_lost_is_named(place: Place) -> None:
    place.must(DEMO)
    record = place.project.path / ".promthctl" / "dev-user.json"
    kept = record.read_bytes()
    record.unlink()
    try:
        error = told("keys/users.py · _sign_up", place.shell(DEMO).stderr)
        place.must(f"{DEMO} {re.findall('--user .*', error.hint)[0]}")
    finally:
        record.write_bytes(kept)


def test_the_log_names_the_rule_that_refuses_keys(place: Place) -> None:
    seed = "promthctl seed keys --provider openai --demo"
    with psycopg.connect(database_url(place.project), autocommit=True) as connection:
        connection.execute("alter table api_keys add constraint no_openai check (provider <> 'openai') not valid")
        try:
            error = told("keys/seed_rows.py · _refused", place.shell(seed).stderr)
        finally:
            connection.execute("alter table api_keys drop constraint no_openai")
    assert "no_openai" in place.must(re.findall("promthctl local logs postgres", error.hint)[0])
    place.must(seed)


def test_data_that_bears_another_mark_is_taken_back(place: Place) -> None:
    place.must("promthctl local down")
    mark = data_directory(place.project) / signatures.OWNER
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "id": "another"}))
    error = told("engines/embedded/ownership.py · _not_ours", place.shell("promthctl local up").stderr)
    place.must(re.findall("rm .*?(?= if)", error.hint)[0])
    place.must("promthctl local up")


def test_keys_that_were_not_answered_are_stored_by_the_next_run(place: Place) -> None:
    """The connection is cut once the request with the keys has reached the API."""
    place.sql(SIGN_UP)
    place.must(f"{EMPTY} --yes")
    words = f"promthctl seed keys --provider openai --demo --user {SECOND} --yes"
    with relay_to(f"{place.values['api']}/") as relay:
        at = "--db-url postgresql://postgres@127.0.0.1:1/x"
        env = {"SUPABASE_URL": relay.url.rstrip("/"), "SUPABASE_SERVICE_ROLE_KEY": place.values["service"]}
        remote = Place(replace(place.project, extra={**place.project.extra, **env, "ENCRYPTION_SECRET": "s" * 40}))
        relay.until = lambda sent: b"POST /rest/v1/api_keys" in sent and not relay.cuts
        error = told("keys/seed_rows.py · store_batch", remote.shell(f"{words} --weak-secret {at}").stderr)
        assert error.hint.endswith("then run the same command again: rows that are stored are left alone")
        remote.must(f"{words} --weak-secret {at}")


def test_a_server_that_ends_while_it_starts_is_started_by_up(place: Place) -> None:
    here = settings.load(place.project.path)
    stack = EmbeddedRecords(here.state_dir).load_stack()
    assert stack
    log, server = here.state_dir / "logs" / "api.log", ProcessId(place.project.pids()["api"], 0)
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(PromthctlError) as raised:
        api.wait(server, stack, here, log)
    with pytest.raises(PromthctlError) as closed:
        api.studio_link(stack)
    assert told("engines/embedded/api.py · studio_link", closed.value).hint == "promthctl local up"
    first, second = told("engines/embedded/api.py · wait", raised.value).hint.split(", then ")
    place.must(first)
    place.must(second)
    assert api.ask_status(stack, here)
    place.must("promthctl local studio --no-open")


def test_another_postgres_is_started_before_a_database_is_exchanged(place: Place, tools: Toolchain) -> None:
    place.must("promthctl local snapshot save of17")
    place.write("pyproject.toml", f'[tool.promthctl]\nexample = "mr-promth"\npostgres = "{tools.postgres}"\n')
    place.must("promthctl trust --yes")
    error = told("engines/embedded/engine.py · renew", place.shell("promthctl local reset").stderr)
    place.must(error.hint.partition(", which")[0])
    place.must("promthctl local reset")
    restore = "promthctl local snapshot restore of17"
    error = told("engines/embedded/engine.py · restore_snapshot", place.shell(restore).stderr)
    assert error.hint.startswith("set postgres = 17 under [tool.promthctl] in pyproject.toml")
    place.write("pyproject.toml", '[tool.promthctl]\nexample = "mr-promth"\npostgres = 17\n')
    place.must(restore)


FAILED = "engines/embedded/cluster.py · failed"
NOT_THERE = "engines/embedded/cluster.py · _not_there"


@pytest.mark.parametrize("name", ["postgresql.conf", "pg_hba.conf"])
def test_a_configuration_that_postgres_refuses_is_corrected(place: Place, name: str) -> None:
    place.must("promthctl local down")
    file = data_directory(place.project) / name
    good = file.read_text()
    file.write_text(f"{good}\nwork_mem = lots\n")
    printed = place.shell("promthctl local up").stderr
    error = told(FAILED, printed) if name == "postgresql.conf" else told(NOT_THERE, printed)
    assert "work_mem" in error.why and error.hint == f"correct {file}, then run the same command again"
    file.write_text(good)
    place.must("promthctl local up")


def test_a_database_without_its_control_file_makes_room_for_a_new_one(place: Place) -> None:
    """And what a purge cannot remove is removed by hand."""
    place.must("promthctl local down")
    data = data_directory(place.project)
    (data / "global" / "pg_control").unlink()
    error = told(FAILED, place.shell("promthctl local up").stderr)
    purge = re.findall("promthctl local down --purge", error.hint)[0] + " --yes"
    fixed = subprocess.run(["chattr", "+i", data / "PG_VERSION"], capture_output=True, check=False).returncode == 0
    if fixed:  # root alone, on file systems that have it
        left = told("engines/embedded/removal.py · check_gone", place.shell(purge).stderr)
        remove = re.findall(r"rm -r \S+", left.hint)[0]
        assert "PG_VERSION" in place.shell(remove).stderr
        place.must(f"chattr -i {remove.split()[-1]}/PG_VERSION && {remove}")
    place.must(purge)
    assert not data.parent.exists()
    place.must("promthctl local up")


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as another user for root only")
def test_a_place_that_nobody_can_enter_is_opened() -> None:
    closed = Path(tempfile.mkdtemp(prefix="promthctl-hints-"))  # not in pytest's, which is closed itself
    project = Project(closed / "project", {"PROMTHCTL_DATA_DIR": "/dev/null/x"})
    project.path.mkdir(mode=0o755)
    place = Place(project)
    try:
        error = told("engines/embedded/system_user.py · make_home", place.shell("promthctl local up").stderr)
        assert "export PROMTHCTL_DATA_DIR=/path/you/can/write" in error.hint
        project.extra["PROMTHCTL_DATA_DIR"] = str(closed / "data")
        error = told("engines/embedded/system_user.py · check_readable", place.shell("promthctl local up").stderr)
        place.must(re.findall(r"chmod o\+x [^,]+", error.hint)[0])
        place.must("promthctl local up")
    finally:
        project.dispose()
        shutil.rmtree(closed)
