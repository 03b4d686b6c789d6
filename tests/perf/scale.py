"""Large projects: processor time of verify, adopt and list, and how it grows with twice the tables and migrations.

What a command's own processes and the servers it starts use is counted, and what its sessions cost the target's server.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from promthctl import settings, toolchain
from promthctl.steps import Silent
from tests.perf.far import far
from tests.promthctl_runner import Project
from tests.servers import bare_server, fresh_database

TABLES, MIGRATIONS = 300, 1000
_GROWTH = 2.2
_PR_SET_CHILD_SUBREAPER = 36

OWNED = "user_id uuid not null references auth.users (id) on delete cascade,"
BELOW = "parent_id uuid not null references public.t{0} (id) on delete cascade,"
TABLE = """create table public.t{0} (
  id uuid primary key default gen_random_uuid(),
  {owner}
  title text not null, done boolean not null default false, made timestamptz not null default now());
create index t{0}_owner_idx on public.t{0} ({column});
alter table public.t{0} enable row level security;
create policy own on public.t{0} to authenticated
  using ({column} = {mine}) with check ({column} = {mine});
grant select, insert, update, delete on public.t{0} to authenticated;
grant all on public.t{0} to service_role;
"""
LATER = (
    "alter table public.t{0} add column extra{1} text;",
    "create index t{0}_i{1} on public.t{0} (title, made);",
    "create index t{0}_j{1} on public.t{0} (done, made);",
)


def write_project(project: Project, tables: int, migrations: int) -> None:
    """Tables of an owner, every third below another one, then changes to them."""
    source = project.path / "db"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    for number in range(1, migrations + 1):
        later = LATER[number % 3].format(number % tables + 1, number)
        text = _table(number) if number <= tables else later
        (source / f"{number:04}_step.sql").write_text(text)
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')


def _table(number: int) -> str:
    if number % 3:
        return TABLE.format(number, owner=OWNED, column="user_id", mine="(select auth.uid())")
    above = number - 1
    mine = f"any (array(select id from public.t{above} where user_id = (select auth.uid())))"
    return TABLE.format(number, owner=BELOW.format(above), column="parent_id", mine=mine)


def processor_seconds(project: Project, server: psutil.Process, *words: str) -> float:
    """Processor time of a command, of what it starts, and of its sessions on the server."""
    before, on_server = resource.getrusage(resource.RUSAGE_CHILDREN), server.cpu_times()
    done = subprocess.run(
        project.command(*words), env=project.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode not in (0, 1, 5):  # 5: adopt would be refused, after all the work
        raise RuntimeError(done.stderr or done.stdout)
    for child in psutil.Process().children():  # servers that it started apart from itself, and has stopped
        if child.pid != server.pid:
            os.waitpid(child.pid, 0)
    after, then = resource.getrusage(resource.RUSAGE_CHILDREN), server.cpu_times()
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return own + sum(getattr(then, name) - getattr(on_server, name) for name in ("children_user", "children_system"))


def bench_scale(project: Project) -> None:
    """TABLES and MIGRATIONS, and half of that."""
    tools = toolchain.ensure(settings.load(Path()), Silent())
    project.extra["PROMTHCTL_CACHE_DIR"] = str(_own_cache(project.path, toolchain.cache_root(settings.load(Path()))))
    with bare_server(project.path, tools) as server:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        running = _postmaster(server.url("postgres"))
        spent: dict[str, list[float]] = {}
        for tables, migrations in ((TABLES // 2, MIGRATIONS // 2), (TABLES, MIGRATIONS)):
            write_project(project, tables, migrations)
            with fresh_database(server) as url:
                with psycopg.connect(url, autocommit=True) as connection:
                    for file in sorted((project.path / "db").iterdir()):
                        connection.execute(file.read_text(encoding="utf-8").encode())
                time.sleep(2)  # until the server has counted the session that made the tables
                at = ("--db-url", url)
                for name, goal, words in (
                    ("migrations list", 1, ("migrations", "list", *at)),
                    ("migrations adopt --dry-run", 10, ("migrations", "adopt", "--dry-run", *at)),
                    ("verify, cold", 10, ("verify", *at)),
                    ("verify, warm", 4, ("verify", *at)),
                ):
                    spent.setdefault(name, []).append(processor_seconds(project, running, *words))
                    if tables == TABLES:
                        half, whole = spent[name]
                        told = (
                            f"{whole:6.2f} s  (goal ≤ {goal}), {whole / half:4.2f} of half as many (goal ≤ {_GROWTH})"
                        )
                        print(f"{f'{name}, {tables} tables, {migrations} migrations':<58} {told}", flush=True)
                if tables == TABLES:
                    _from_afar(project, url)


def _from_afar(project: Project, url: str) -> None:
    """Round trips of verify, and how long it takes, on a target that a message reaches and returns from in 50 ms."""
    port = conninfo_to_dict(url)["port"]
    turns: list[str] = []
    with far(int(port), 0.025, turns) as relayed:
        begin = time.perf_counter()
        project.run("verify", "--db-url", url.replace(f":{port}/", f":{relayed}/"), code=None, timeout=600)
        spent = time.perf_counter() - begin
    told = f"{len(turns) / TABLES:6.2f}    (goal ≤ 3), {spent:.1f} s of wall time"
    print(f"{f'round trips of verify for each of {TABLES} tables, 50 ms away':<58} {told}", flush=True)


def _own_cache(folder: Path, cache: Path) -> Path:
    """A cache with the machine's tools, and nothing read from migrations yet."""
    folder.chmod(0o755)  # PostgreSQL's own user reads there
    own = folder / "cache"
    own.mkdir()
    for name in ("toolchain", "templates"):
        (own / name).symlink_to(cache / name)
    return own


def _postmaster(url: str) -> psutil.Process:
    with psycopg.connect(url) as connection:
        parent = psutil.Process(connection.info.backend_pid).parent()
    assert parent is not None
    return parent
