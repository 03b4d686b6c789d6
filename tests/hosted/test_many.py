"""A push to many targets: hosted projects and plain databases together, with faults among them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.hosted.cloud import Cloud
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

REFS = ["a" * 20, "b" * 20]
MIGRATIONS = {"001_a.sql": "create table public.a (id int);", "002_b.sql": "create table public.b (id int);"}


@pytest.fixture
def urls(server: Server) -> Iterator[list[str]]:
    """Four databases: two of hosted projects, two by their URLs."""
    with ExitStack() as databases:
        yield [databases.enter_context(fresh_database(server)) for _ in range(4)]


@pytest.fixture
def fleet(
    make_project: Callable[..., Project], cloud: Cloud, urls: list[str], server: Server, tmp_path: Path
) -> Project:
    """A project folder whose targets.txt names all four."""
    for ref, url, name in zip(REFS, urls[:2], ("Shop", "Blog"), strict=True):
        cloud.add(url, ref, name)
    project = make_project(**cloud.environment(tmp_path, server.password))
    (project.path / "sql").mkdir()
    for name, text in MIGRATIONS.items():
        (project.path / "sql" / name).write_text(text)
    (project.path / "pyproject.toml").write_text(
        f'[tool.promthctl]\nmigrations = "sql"\n[tool.promthctl.targets.blog]\nproject_ref = "{REFS[1]}"\n'
    )
    (project.path / "targets.txt").write_text("\n".join(["# all", REFS[0], "blog", "", *urls[2:]]))
    return project


def push(project: Project, *words: str) -> list[str]:
    return ["push", "--targets-file", str(project.path / "targets.txt"), "--yes", *words]


def tables(url: str) -> list[str]:
    query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute(query.encode()).fetchall()]


def test_every_target_is_planned_then_pushed(fleet: Project, urls: list[str], server: Server) -> None:
    planned = fleet.json(*push(fleet, "--dry-run"))
    assert [one["state"] for one in planned["targets"]] == ["pending"] * 4
    assert [tables(url) for url in urls] == [[]] * 4
    done = fleet.json(*push(fleet))
    assert [one["state"] for one in done["targets"]] == ["applied"] * 4
    assert [one["applied"] for one in done["targets"]] == [["001_a.sql", "002_b.sql"]] * 4
    assert "Shop" in done["targets"][0]["target"] and done["targets"][1]["target"] == "blog"
    assert [tables(url) for url in urls] == [["a", "b"]] * 4
    again = fleet.run(*push(fleet))
    assert "4 targets: 4 up to date" in again.stdout
    assert server.password not in again.stdout + again.stderr


def test_one_failure_does_not_stop_the_others_and_a_second_run_continues(fleet: Project, urls: list[str]) -> None:
    with psycopg.connect(urls[2]) as connection:
        connection.execute("create table public.b (id int)")
    failed = fleet.json(*push(fleet, "--jobs", "1"), code=1)
    assert [one["state"] for one in failed["targets"]] == ["applied", "applied", "failed", "applied"]
    assert "002_b.sql could not be applied" in failed["targets"][2]["problem"]["error"]
    with psycopg.connect(urls[2]) as connection:
        connection.execute("drop table public.b")
    again = fleet.json(*push(fleet))
    assert [one["state"] for one in again["targets"]] == ["up to date", "up to date", "applied", "up to date"]
    assert again["targets"][2]["applied"] == ["002_b.sql"]


def test_fail_fast_begins_no_other(fleet: Project, urls: list[str]) -> None:
    with psycopg.connect(urls[1]) as connection:
        connection.execute("create table public.a (id text)")
    failed = fleet.json(*push(fleet, "--jobs", "1", "--fail-fast"), code=1)
    assert [one["state"] for one in failed["targets"]] == ["applied", "failed", "not tried", "not tried"]
    assert tables(urls[2]) == []


def test_a_target_that_cannot_be_reached_is_told_with_its_exit_code(fleet: Project, urls: list[str]) -> None:
    unknown = "c" * 20
    done = fleet.json("push", "--project-ref", unknown, "--db-url", urls[3], "--yes", code=4)
    assert [one["state"] for one in done["targets"]] == ["failed", "applied"]
    assert done["targets"][0]["problem"]["error"] == f"There is no project {unknown}"
    assert "fail-fast" not in fleet.run("push", "--project-ref", unknown, "--target", "blog", "--yes", code=4).stdout


def test_what_destroys_data_is_refused_where_there_is_some(fleet: Project, urls: list[str]) -> None:
    fleet.run(*push(fleet))
    with psycopg.connect(urls[0]) as connection:
        connection.execute("insert into public.a values (1)")
    (fleet.path / "sql" / "003_c.sql").write_text("drop table public.a;")
    refused = fleet.json(*push(fleet), code=5)
    assert refused["targets"][0]["state"] == "refused" and refused["targets"][0]["destructive"] == 1
    assert "a" in tables(urls[0])
    fleet.run(*push(fleet, "--allow-destructive"))
    assert [tables(url) for url in urls] == [["b"]] * 4


def test_without_a_yes_nothing_is_pushed(fleet: Project, urls: list[str]) -> None:
    refused = fleet.run(*[word for word in push(fleet) if word != "--yes"], code=5)
    assert "Nothing was pushed" in refused.stderr
    assert [tables(url) for url in urls] == [[]] * 4


@pytest.mark.parametrize("line", ["Shop Production", "postgresql://", "abc"])
def test_a_line_that_is_no_target_is_named(fleet: Project, line: str) -> None:
    (fleet.path / "targets.txt").write_text(f"# one\n{line}\n")
    told = fleet.run(*push(fleet), code=2).stderr
    assert "ine 2 of" in told and "Traceback" not in told


def test_a_file_without_a_target_is_refused_and_a_byte_order_mark_is_none(fleet: Project, urls: list[str]) -> None:
    file = fleet.path / "targets.txt"
    file.write_text("\ufeff" + file.read_text(), encoding="utf-8")
    assert len(fleet.json("push", "--targets-file", str(file), "--dry-run", code=None)["targets"]) == len(urls)
    file.write_text("# none today\n")
    assert "names no target" in fleet.run(*push(fleet), code=2).stderr


def test_an_interrupt_ends_every_cli_and_the_next_run_completes(fleet: Project, urls: list[str]) -> None:
    gates = [psycopg.connect(url, autocommit=True) for url in urls]
    (fleet.path / "sql" / "002_b.sql").write_text("select pg_advisory_xact_lock(7); create table public.b (id int);")
    for gate in gates:
        gate.execute("select pg_advisory_lock(7)")
    running: subprocess.Popen[str] = fleet.start(*push(fleet))
    waiting = """select from pg_locks join pg_database d on d.oid = database
                  where locktype = 'advisory' and not granted and datname = current_database()"""
    deadline = time.monotonic() + 60
    while any(gate.execute(waiting).fetchone() is None for gate in gates):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130 and "Traceback" not in stdout + stderr, stderr
    rows = [line for line in stdout.splitlines() if " interrupted " in line or " not known " in line]
    assert len(rows) == len(urls) and "failed" not in stdout, stdout + stderr
    for gate in gates:
        gate.close()
    fleet.run(*push(fleet))
    assert [tables(url) for url in urls] == [["a", "b"]] * 4
