"""Pushes and `diff`: to the bare CLI, the plan of 1,000 migrations, twenty databases at once."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg

from promthctl import settings, toolchain
from promthctl.steps import Silent
from promthctl.toolchain import Toolchain
from tests.perf.far import far
from tests.perf.measuring import ROUNDS, compare, peak_megabytes, timed
from tests.promthctl_runner import Project
from tests.servers import Server, bare_server, fresh_database

TABLE = """create table public.t{0} (id int primary key, name text not null, made timestamptz default now());
alter table public.t{0} enable row level security;
create policy own on public.t{0} for select to authenticated using (id = 1);
"""


@contextmanager
def server_of(project: Project) -> Iterator[tuple[Server, Toolchain]]:
    tools = toolchain.ensure(settings.load(Path()), Silent())
    with bare_server(project.path, tools) as server:
        yield server, tools


def bench_push(project: Project) -> None:
    """With nothing pending, to a bare `supabase db push`."""
    with server_of(project) as (server, tools), fresh_database(server) as url:
        push = project.command("push", "--db-url", url, "--yes")
        timed(push, project=project)
        bare = [str(tools.supabase), "db", "push", f"--remote={url}", "--yes", "--workdir", str(project.path)]
        compare(
            "`push` with nothing pending to `supabase db push`",
            1.15,
            lambda: timed(push, project=project),
            lambda: timed(bare, project=project),
        )


def bench_rehearsal(project: Project) -> None:
    """One pending migration, rehearsed warm, to a bare `supabase db push`; the rehearsal of 1,000 to that of 100."""
    project.rehearses = True
    _write(project, 1)
    with server_of(project) as (server, tools), fresh_database(server) as url:
        bare = [str(tools.supabase), "db", "push", f"--remote={url}", "--yes", "--workdir", str(project.path)]

        def pushed(command: list[str]) -> float:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("drop table if exists public.t1; drop schema if exists supabase_migrations cascade")
            return timed(command, project=project)

        push = project.command("push", "--db-url", url, "--yes")
        pushed(push)
        title = "`push` of one migration, rehearsed, to `supabase db push`"
        compare(title, 2.0, lambda: pushed(push), lambda: pushed(bare))
        plan = project.command("push", "--db-url", url, "--dry-run")

        def planned(count: int) -> float:
            shutil.rmtree(project.path / "db")
            _write(project, count)
            return timed(plan, project=project)

        planned(2)  # the twin of what is applied now is made once, in about three seconds
        compare("rehearsal of 1,000 pending migrations to 100", 11, lambda: planned(1000), lambda: planned(100), 3)


def bench_diff(project: Project) -> None:
    """What was changed by hand, its SQL tried, to a bare `supabase db diff` of two databases that run already."""
    changes = """create table public.by_hand (id bigint primary key, name text not null);
        alter table public.by_hand enable row level security;
        create policy own on public.by_hand for select to authenticated using (id = 1);
        alter table public.prompts add stars int not null default 0;"""
    with server_of(project) as (server, tools), fresh_database(server) as before, fresh_database(server) as after:
        for url in (before, after):
            project.run("push", "--db-url", url, "--yes")
        with psycopg.connect(after, autocommit=True) as connection:
            connection.execute(changes)
        ours = project.command("diff", "--db-url", after)
        named = [f"--from={before}", f"--to={after}", "--use-pg-delta", "--workdir", str(project.path)]
        bare = [str(tools.supabase), "db", "diff", *named]
        timed(ours, project=project, code=1)
        title = "`diff` of a changed database to `supabase db diff`"
        compare(title, 1.5, lambda: timed(ours, project=project, code=1), lambda: timed(bare, project=project))


def bench_with_data(project: Project, few: int = 1_000, many: int = 1_000_000) -> None:
    """The peak memory of `push --rehearse-with-data` of many rows to that of few."""
    project.rehearses = True
    _write(project, 1)
    with server_of(project) as (server, _), fresh_database(server) as url:
        project.run("push", "--db-url", url, "--yes", "--no-rehearsal")
        (project.path / "db" / "0002_wider.sql").write_text("alter table public.t1 alter name type varchar(150);")
        command = project.command("push", "--db-url", url, "--dry-run", "--rehearse-with-data", "--yes")
        peaks = []
        for number in (few, many):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("truncate public.t1")
                rows = "insert into public.t1 select i, repeat('x', 100) from generate_series(1, %s) i"
                connection.execute(rows, (number,))
                connection.execute("analyze public.t1")
            peaks.append(peak_megabytes(command, project))
    title = f"peak memory of a push tried on {many:,} rows to {few:,}"
    print(f"{title:<58} {peaks[1]:6.1f} MB / {peaks[0]:6.1f} MB = {peaks[1] / peaks[0]:5.2f}  (goal ≤ 1.3)", flush=True)


def bench_plan(project: Project) -> None:
    """1,000 pending migrations of three statements, over start-up."""
    _write(project, 1000)
    with server_of(project) as (server, _), fresh_database(server) as url:
        plan, version = project.command("push", "--db-url", url, "--dry-run"), project.command("--version")
        spent = statistics.median(timed(plan, project=project) - timed(version) for _ in range(ROUNDS))
    print(f"{'plan of 1,000 pending migrations, over start-up':<58} {spent * 1000:7.0f} ms", flush=True)


def bench_many(project: Project) -> None:
    """Twenty databases with --jobs 4 to the same twenty one after another: on this machine, and a network away.

    On this machine the processor is all they wait for, and nearly all of that is the Supabase CLI's own start.
    """
    _write(project, 3)
    with server_of(project) as (server, _), far(server.port, 0.01) as relay:

        def push(jobs: int, port: int) -> float:
            with ExitStack() as databases:
                urls = [databases.enter_context(fresh_database(server)) for _ in range(20)]
                words = [word for url in urls for word in ("--db-url", url.replace(f":{server.port}/", f":{port}/"))]
                return timed(project.command("push", *words, "--jobs", str(jobs), "--yes"), project=project)

        for where, port in (("", server.port), (", 20 ms away", relay)):
            title = f"20 databases{where} with --jobs 4 to --jobs 1"
            compare(title, 0.6, partial(push, 4, port), partial(push, 1, port), rounds=3)


def _write(project: Project, count: int) -> None:
    source = project.path / "db"
    source.mkdir()
    for number in range(1, count + 1):
        (source / f"{number:04}_t{number}.sql").write_text(TABLE.format(number))
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
