"""Benchmarks, printed as ratios to a peer measured in the same run: ./scripts/bench [NAME …]

Each pair is measured in turns, so that a busy moment of the machine meets both; the numbers are medians.
"""

from __future__ import annotations

import functools
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from promthctl import settings, toolchain
from promthctl.engines.ports import free_port
from promthctl.steps import Silent
from tests.embedded.working import data_directory
from tests.perf import api, bulk, pgtap, pushing, rls, scale, seeds
from tests.perf.measuring import compare, spent, timed
from tests.perf.parts import run_parts
from tests.promthctl_runner import Project

HERE = Path(__file__).parent


def bench_help(project: Project) -> None:
    bare = [sys.executable, str(HERE / "bare_app.py"), "--help"]
    compare("--help to a bare Typer app's", 1.25, lambda: timed(project.command("--help")), lambda: timed(bare))
    alone = [sys.executable, "-m", "promthctl", "-C", str(project.path)]
    compare("promthctl alone to a bare Typer app's --help", 1.25, lambda: timed(alone), lambda: timed(bare))


def bench_doctor(project: Project) -> None:
    """The goal is two seconds; the peer is what it must run, the pinned Supabase CLI's --version."""
    tools = toolchain.ensure(settings.load(project.path), Silent())
    (project.path / "supabase").mkdir()
    ports = f"[api]\nport = {free_port()}\n[db]\nport = {free_port()}\n"  # a taken one is a failure
    (project.path / "supabase" / "config.toml").write_text(ports)
    ours, peer = project.command("doctor"), [str(tools.supabase), "--version"]
    compare("doctor to the Supabase CLI's --version", 4, lambda: timed(ours), lambda: timed(peer))


def bench_completion(project: Project) -> None:
    """What a shell runs at each Tab, for the commands of the app and for the names of targets."""
    target = '[tool.promthctl.targets.live]\ndb_url = "postgresql://db.example.com/app"\n'
    (project.path / "pyproject.toml").write_text(target)
    bare = _completing("_BARE_APP.PY_COMPLETE", [""], [sys.executable, str(HERE / "bare_app.py")])
    for title, words in (("commands", [""]), ("targets' names", ["-C", str(project.path), "push", "--target", ""])):
        ours = _completing("_PROMTHCTL_COMPLETE", words, [sys.executable, "-m", "promthctl"])
        title = f"completion of {title} to a bare Typer app's"
        compare(title, 1.25, functools.partial(timed, ours), functools.partial(timed, bare))


def _completing(variable: str, words: list[str], command: list[str]) -> list[str]:
    """The command as bash runs it for the last of the words."""
    variables = {"COMP_WORDS": f"app {' '.join(words)}", "COMP_CWORD": str(len(words)), variable: "complete_bash"}
    return ["env", *(f"{name}={value}" for name, value in variables.items()), *command]


def bench_cold_up(project: Project) -> None:
    """A new stack with Mr.Promth's three migrations, twice: the parts always have `supabase db push` among them.

    With a kept database the migrations come as a copy: the second stack of a day, in this project or another one. With
    none, the CLI applies them and the database is kept. What was kept of other migrations is not touched.
    """
    migrations = project.path / "supabase" / "migrations"
    shutil.copytree(Path("supabase/migrations"), migrations)
    last = max(migrations.glob("*.sql"))
    text = last.read_text()

    def cold(kept: bool) -> float:
        project.run("local", "down", "--purge", "--yes")
        if not kept:
            last.write_text(f"{text}-- {secrets.token_hex(8)}\n")  # of these migrations nothing is kept
        return timed([*project.command("local", "up"), "--api-port", "0", "--db-port", "0"], project=project)

    project.up()  # the template and the tools are made once per machine
    title = "cold `local up` to its parts one after another"
    compare(f"{title}, kept database", 0.7, lambda: cold(True), run_parts, rounds=5)
    compare(f"{title}, none kept", 0.7, lambda: cold(False), run_parts, rounds=5)


def bench_reset(project: Project) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        small = Project(Path(folder), project.extra)
        try:
            for one, number in ((project, 300), (small, 3)):
                migrations = one.path / "supabase" / "migrations"
                migrations.mkdir(parents=True)
                for version in range(1, number + 1):
                    text = f"create table t{version} (id int primary key, v text);"
                    (migrations / f"{version:03}_table.sql").write_text(text)
                one.up()
                one.run("local", "reset")
            many, few = (one.command("local", "reset") for one in (project, small))
            title = "`local reset` of 300 migrations to that of 3"
            compare(title, 1.3, lambda: timed(many, project=project), lambda: timed(few, project=small))
        finally:
            small.dispose()


def bench_snapshot(project: Project) -> None:
    """A database of about 1 GB."""
    project.up()
    with psycopg.connect(project.env()["SUPABASE_DB_URL"], autocommit=True) as connection:
        connection.execute("create table big as select i, repeat(md5(i::text), 30) t from generate_series(1, 900000) i")
    project.run("local", "snapshot", "save", "big", timeout=600)
    home = data_directory(project).parent
    with tempfile.TemporaryDirectory(prefix="bench-", dir=home) as folder:
        copy = ["cp", "-a", str(home / "snapshots" / "big" / "data"), f"{folder}/copy"]

        def bare() -> float:
            shutil.rmtree(f"{folder}/copy", ignore_errors=True)
            return timed(copy)

        restore = project.command("local", "snapshot", "restore", "big")
        title = "restoring a snapshot of 1 GB to `cp -a` of it"
        compare(title, 1.2, lambda: timed(restore, project=project), bare, rounds=3)


def bench_clone(project: Project) -> None:
    """A million rows, indexed, on this machine; the peer fills a database of the same server."""
    from promthctl.copies.pg_dump import find_pg_dump

    project.up()
    here = settings.load(project.path)
    source = project.env()["SUPABASE_DB_URL"]
    make = (
        "create table big as select i id, md5(i::text) word, now() at, i % 97 part from generate_series(1, 1000000) i"
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        copy = Project(Path(folder), project.extra)
        try:
            copy.up("--no-seed")
            with psycopg.connect(source, autocommit=True) as connection:
                connection.execute(f"{make}; alter table big add primary key (id); create index on big (word)")
            program = find_pg_dump(here, 17, Silent()).program
            place = source.rpartition("/")[0]

            def piped() -> float:
                with psycopg.connect(f"{place}/template1", autocommit=True) as connection:
                    connection.execute("drop database if exists peer")
                    connection.execute("create database peer")
                tables = "--table=big --no-owner --no-acl"
                line = f"{program} {tables} {source} | {program.with_name('psql')} -q -v ON_ERROR_STOP=1 {place}/peer"
                return timed(["/bin/sh", "-c", line])

            ours = copy.command("local", "clone", "--db-url", source, "--data", "--yes")
            title = "`local clone` of 1 M rows to `pg_dump | psql`"
            compare(title, 1.3, lambda: timed(ours, project=copy), piped, rounds=3)
        finally:
            copy.dispose()


def bench_running_up(project: Project) -> None:
    project.up()
    up, version = project.command("local", "up"), project.command("--version")
    compare("`local up` on a running stack to --version", 3, lambda: timed(up, project=project), lambda: timed(version))


def bench_seed(project: Project) -> None:
    project.up()
    project.run("seed", "vanchin", "--demo")
    env = project.env()
    secret_file = project.path / "keys.json"

    def new_keys() -> str:
        agents = [
            {
                "id": n,
                "name": f"Agent {n}",
                "api_key": f"bench-not-a-key-{secrets.token_hex(6)}",
                "endpoint_id": f"ep-{n}",
            }
            for n in range(1, 15)
        ]
        return json.dumps({"agents": agents})

    def seed() -> float:
        secret_file.write_text(new_keys())
        secret_file.chmod(0o600)
        return timed(project.command("seed", "vanchin", "--keys", str(secret_file)), project=project)

    seed()
    headers = {"apikey": env["SUPABASE_SERVICE_ROLE_KEY"]}
    rows = json.loads(_get(f"{env['SUPABASE_URL']}/rest/v1/api_keys?select=*&limit=14", headers))
    given = json.dumps({"url": env["SUPABASE_URL"], "key": env["SUPABASE_SERVICE_ROLE_KEY"], "rows": rows})
    bare = [sys.executable, str(HERE / "bare_upsert.py")]
    compare("`seed vanchin`, 14 changed keys, to a bare supabase-py upsert", 1.2, seed, lambda: timed(bare, given))
    again = project.command("seed", "vanchin", "--keys", str(secret_file))
    compare("  the same keys again", 1.2, lambda: timed(again, project=project), lambda: timed(bare, given))


def bench_docker(project: Project) -> None:
    from tests.perf import docker_stack

    up = [*project.command("local", "up"), "--engine", "docker", "--api-port", "0", "--db-port", "0"]

    def ours() -> float:
        project.run("local", "down", "--purge", "--yes")
        return timed(up, project=project)

    title = "`local up --engine docker` to `supabase start` and `db push`"
    with docker_stack.stand_ins() as reason:
        if reason:
            print(f"{title}: skipped, {reason}")
            return
        project.engine = "docker"
        try:
            with docker_stack.bare() as bare:
                compare(title, 1.05, ours, bare.up, rounds=5)
        finally:
            project.run("local", "down", "--purge", "--yes")


def bench_bulk(project: Project) -> None:
    many = bulk.Bulk(project)
    many.seed(10_000)
    bare = many.bare(10_000)
    compare("10,000 keys to a bare supabase-py script's inserts", 1.2, lambda: many.seed(10_000)[0], bare)


def bench_sync(project: Project) -> None:
    from promthctl.migration_set import discover, plan_sync, write_sync
    from tests.perf.bare_sync import compare_folders

    source, there = project.path / "sql", project.path / "supabase" / "migrations"
    source.mkdir()
    for number in range(1, 1001):
        (source / f"{number:04}_table.sql").write_text(f"create table t{number} (id int);\n" + "-- text\n" * 250)

    def sync() -> None:
        write_sync(plan_sync(discover(source), there, (), False))

    sync()
    title = "sync of 1,000 unchanged migrations to listing and hashing them"
    compare(title, 2, lambda: spent(sync), lambda: spent(lambda: compare_folders(source, there)))


def _get(url: str, headers: dict[str, str]) -> str:
    import urllib.request

    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return str(answer.read().decode())


BENCHES: dict[str, Callable[[Project], None]] = {
    "help": bench_help,
    "completion": bench_completion,
    "doctor": bench_doctor,
    "cold-up": bench_cold_up,
    "reset": bench_reset,
    "snapshot": bench_snapshot,
    "clone": bench_clone,
    "running-up": bench_running_up,
    "docker": bench_docker,
    "api": api.bench_api,
    "seed": bench_seed,
    "bulk": bench_bulk,
    "bulk-memory": bulk.bench_memory,
    "seed-memory": seeds.bench_seed_memory,
    "sync": bench_sync,
    "pgtap": pgtap.bench_pgtap,
    "diff": pushing.bench_diff,
    "push": pushing.bench_push,
    "plan": pushing.bench_plan,
    "rehearsal": pushing.bench_rehearsal,
    "with-data": pushing.bench_with_data,
    "many": pushing.bench_many,
    "scale": scale.bench_scale,
    "rls-100k": lambda project: rls.bench(project, 100_000),
    "rls-1m": lambda project: rls.bench(project, 1_000_000),
}


def main(names: list[str]) -> None:
    for name in names or BENCHES:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            project = Project(Path(folder), {"ENCRYPTION_SECRET": secrets.token_hex(16), "PROMTHCTL_REPLAY": "0"})
            try:
                BENCHES[name](project)
            finally:
                project.dispose()


if __name__ == "__main__":
    main(sys.argv[1:])
