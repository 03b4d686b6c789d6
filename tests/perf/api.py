"""Reads through the embedded engine's REST to the same reads through psycopg, and the memory of the API's process."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psutil
import psycopg

from tests.perf.measuring import compare, spent
from tests.promthctl_runner import Project

READS = 1000
MEMORY_MB = 110
TABLE = """
create table public.notes as
  select n as id, 'note ' || n as title, now() as made, '{"a": [1, 2]}'::jsonb as data from generate_series(1, 1000) n;
alter table public.notes add primary key (id);
grant select on public.notes to service_role;
"""
QUERY = "select * from public.notes where id = %s"
PATH = "/rest/v1/notes?id=eq."


def bench_api(project: Project) -> None:
    project.up()
    env = project.env()
    with psycopg.connect(env["SUPABASE_DB_URL"], autocommit=True) as connection:
        connection.execute(TABLE.encode())
    time.sleep(1)  # the API hears of the table
    for clients, goal in ((1, 10), (8, 8)):
        title = f"{READS} REST reads by {clients} client{'s' * (clients > 1)} to psycopg's"
        compare(title, goal, lambda n=clients: _by(n, _rest, env), lambda n=clients: _by(n, _sql, env), rounds=3)  # type: ignore[misc]
    used = psutil.Process(project.pids()["api"]).memory_info().rss / 1e6
    print(f"{'memory of the API after them':<58} {used:7.0f} MB  (goal ≤ {MEMORY_MB})", flush=True)


def _by(clients: int, read: object, env: dict[str, str]) -> float:
    """Seconds until as many clients, each with a connection of its own, have done their share."""
    with ThreadPoolExecutor(clients) as pool:
        return spent(lambda: list(pool.map(lambda _: read(READS // clients, env), range(clients))))  # type: ignore[operator]


def _rest(reads: int, env: dict[str, str]) -> None:
    address = urlsplit(env["SUPABASE_URL"])
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    for number in range(1, reads + 1):
        connection.request("GET", f"{PATH}{number}", headers={"apikey": env["SUPABASE_SERVICE_ROLE_KEY"]})
        answer = connection.getresponse()
        assert json.loads(answer.read()), answer.status
    connection.close()


def _sql(reads: int, env: dict[str, str]) -> None:
    with psycopg.connect(env["SUPABASE_DB_URL"], autocommit=True) as connection:
        for number in range(1, reads + 1):
            assert connection.execute(QUERY, [number]).fetchone()
