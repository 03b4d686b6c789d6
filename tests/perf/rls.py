"""Row Level Security on a filled database: each query as the user it serves, to the same query without RLS.

Printed beside it: the same under the `in (select …)` policies the app has today (SCHEMA.md's "Rules").
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.promthctl_runner import Project

_ROUNDS = 31
_FILL = """
set synchronous_commit = off;
insert into auth.users (id, email)
  select md5('user' || n)::uuid, 'u' || n || '@example.com' from generate_series(1, {users}) n;
insert into chat_sessions (id, user_id, created_at, updated_at)
  select md5('session' || n)::uuid, md5('user' || (n % {users} + 1))::uuid, now() - n * interval '1 s',
    now() - n * interval '1 s' from generate_series(1, {sessions}) n;
insert into messages (session_id, role, content, created_at)
  select md5('session' || (n % {sessions} + 1))::uuid, 'user', 'Some text of a message, number ' || n,
    now() - n * interval '1 ms' from generate_series(1, {messages}) n;
analyze auth.users; analyze chat_sessions; analyze messages;
"""
_MINE = "session_id = any (array(select id from chat_sessions where user_id = md5('user7')::uuid))"
_TODAY = """
drop policy {name} on messages;
create policy {name} on messages for {command} to authenticated {clause}
  (session_id in (select id from chat_sessions where user_id = auth.uid()));
"""


@dataclass(frozen=True)
class Query:
    """sql: as the app sends it. free: the same rows without RLS."""

    title: str
    sql: str
    free: str


_SESSION = "md5('session6')::uuid"  # of user7
QUERIES = (
    Query(
        "newest fifty messages",
        "select * from messages order by created_at desc limit 50",
        f"select * from messages where {_MINE} order by created_at desc limit 50",
    ),
    Query(
        "one session's page",
        f"select * from messages where session_id = {_SESSION} order by created_at desc limit 50",
        f"select * from messages where session_id = {_SESSION} order by created_at desc limit 50",
    ),
    Query("count of messages", "select count(*) from messages", f"select count(*) from messages where {_MINE}"),
    Query(
        "session list",
        "select * from chat_sessions order by updated_at desc limit 50",
        "select * from chat_sessions where user_id = md5('user7')::uuid order by updated_at desc limit 50",
    ),
    Query(
        "insert of a message",
        f"insert into messages (session_id, role, content) values ({_SESSION}, 'user', 'text')",
        f"insert into messages (session_id, role, content) values ({_SESSION}, 'user', 'text')",
    ),
)


def bench(project: Project, messages: int = 1_000_000) -> None:
    """Print the ratios for that many messages of 10,000 users in 100,000 sessions, a tenth of all for a tenth."""
    project.up()
    project.run("verify")  # makes the catalog to compare with, once per set of migrations
    with psycopg.connect(project.env()["SUPABASE_DB_URL"], autocommit=True) as connection:
        fill = _FILL.format(users=messages // 100, sessions=messages // 10, messages=messages)
        for statement in fill.split(";"):
            connection.execute(statement.encode())
        connection.execute("vacuum messages")
        for query in QUERIES:
            free, ours = _median(connection, query.free, None), _median(connection, query.sql, "authenticated")
            today = _median(connection, query.sql, "authenticated", present=True)
            print(
                f"{f'{messages:,} messages: {query.title}':<58} {ours:7.2f} ms / {free:7.2f} ms = {ours / free:5.2f}"
                f"  (goal ≤ 2; as the app is today {today:.2f} ms)",
                flush=True,
            )

    spent = []
    for _ in range(5):
        begin = time.perf_counter()
        project.run("verify")
        spent.append(time.perf_counter() - begin)
    title = f"{messages:,} messages: promthctl verify"
    print(f"{title:<58} {statistics.median(spent):7.2f} s  (goal ≤ 3 s)", flush=True)


def _median(connection: psycopg.Connection, sql: str, role: str | None, present: bool = False) -> float:
    """Milliseconds, in a transaction that is rolled back."""
    with _rolled_back(connection):
        if present:
            for command, clause in (("select", "using"), ("insert", "with check")):
                name = f"messages_{command}_own"
                connection.execute(_TODAY.format(name=name, command=command, clause=clause).encode())
        if role:
            claims = "select set_config('request.jwt.claims', json_build_object('sub', md5('user7')::uuid)::text, true)"
            connection.execute(claims)
            connection.execute(f"set local role {role}".encode())
        spent = []
        for _ in range(_ROUNDS):
            begin = time.perf_counter()
            connection.execute(sql.encode())
            spent.append(time.perf_counter() - begin)
        return statistics.median(spent) * 1000


@contextmanager
def _rolled_back(connection: psycopg.Connection) -> Iterator[None]:
    connection.execute("begin")
    try:
        yield
    finally:
        connection.execute("rollback")
