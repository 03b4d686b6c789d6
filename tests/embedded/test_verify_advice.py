"""Advice: each rule is shown a database that breaks it, and what it says mends that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import discover, packaged_source
from promthctl.sql.expressions import arrayed, called_once
from promthctl.verify.advice import Advice, advise

_BASE = """
create table public.a (id int primary key, user_id uuid not null, public boolean not null default false);
create index on public.a (user_id);
create table public.b (id int primary key, a_id int not null references public.a (id), note text);
create index b_a_id_idx on public.b (a_id);
alter table public.a enable row level security;
alter table public.b enable row level security;
create policy a_own on public.a to authenticated using (user_id = (select auth.uid()));
create policy b_own on public.b to authenticated
  using (a_id = any (array(select id from public.a where user_id = (select auth.uid()))));
create view public.v with (security_invoker = true) as select * from public.a;
create function public.f() returns int language sql security definer set search_path = '' as 'select 1';
"""
# rule → (level, the object it names, SQL that breaks it)
CASES = {
    "no_rls": ("error", "public.b", "alter table public.b disable row level security"),
    "view_bypasses_rls": ("error", "public.v", "alter view public.v reset (security_invoker)"),
    "loose_search_path": ("error", "public.f()", "alter function public.f() reset search_path"),
    "unindexed_foreign_key": ("warning", "public.b.b_a_id_fkey", "drop index public.b_a_id_idx"),
    "duplicate_index": ("warning", "public.twin", "create index twin on public.b (a_id)"),
    "no_primary_key": ("warning", "public.b", "alter table public.b drop constraint b_pkey"),
    "auth_called_per_row": ("warning", "public.a.a_own", "alter policy a_own on public.a using (user_id = auth.uid())"),
    "policy_scans": (
        "warning",
        "public.b.b_own",
        "alter policy b_own on public.b using (a_id in (select id from public.a where user_id = (select auth.uid())))",
    ),
    "unindexed_policy_column": ("warning", "public.a.a_own", "drop index public.a_user_id_idx"),
    "multiple_permissive_policies": (
        "warning",
        "public.a",
        "create policy a_public on public.a to authenticated using (public)",
    ),
}
_NO_SQL = {"no_primary_key"}


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        connection.execute(_BASE)
        yield connection
        connection.rollback()


def of(findings: tuple[Advice, ...], kind: str) -> list[Advice]:
    return [finding for finding in findings if finding.kind == kind]


def test_a_good_schema_gets_no_advice(database: psycopg.Connection[Any]) -> None:
    assert advise(database) == ()


@pytest.mark.parametrize("kind", CASES)
def test_each_rule_finds_and_mends(database: psycopg.Connection[Any], kind: str) -> None:
    level, name, sql = CASES[kind]
    database.execute(sql.encode())
    found = of(advise(database), kind)
    assert (level, name) in [(one.level, one.object) for one in found]
    assert name.rpartition(".")[2] in found[0].text
    if kind in _NO_SQL:
        assert found[0].fix == ""
    else:
        for statement in dict.fromkeys(one.fix for one in found):
            database.execute(statement.encode())
        assert of(advise(database), kind) == []


def test_the_mr_promth_schema_gets_no_advice(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for file in discover(packaged_source()):
            connection.execute(file.content)
        assert advise(connection) == ()
        connection.rollback()


def test_what_clients_cannot_reach_needs_no_guard(database: psycopg.Connection[Any]) -> None:
    database.execute(
        """create schema private; create table private.t (id int primary key);
           alter view public.v reset (security_invoker); revoke all on public.v from anon, authenticated;
           create materialized view private.m as select 1"""
    )
    assert advise(database) == ()


def test_a_materialized_view_in_the_api_is_named(database: psycopg.Connection[Any]) -> None:
    database.execute("create materialized view public.m as select user_id from public.a")
    assert [(one.kind, one.object) for one in advise(database)] == [("view_bypasses_rls", "public.m")]


def test_a_function_whose_path_clients_can_write_to(database: psycopg.Connection[Any]) -> None:
    database.execute("alter function public.f() set search_path = pg_catalog")
    assert advise(database) == ()
    database.execute(
        "grant create on schema public to authenticated; alter function public.f() set search_path = public"
    )
    assert [(one.level, one.kind) for one in advise(database)] == [("error", "loose_search_path")]


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("(user_id = auth.uid())", "(user_id = (select auth.uid()))"),
        ("(user_id = ( SELECT auth.uid() AS uid))", None),
        ("((( SELECT (auth.jwt() ->> 'role'::text)) = 'x'::text) OR (a = 'auth.uid()'::text))", None),
        (
            "(EXISTS ( SELECT 1\n   FROM public.a\n  WHERE (a.user_id = auth.uid())))",
            "(EXISTS ( SELECT 1\n   FROM public.a\n  WHERE (a.user_id = (select auth.uid()))))",
        ),
        (
            "((auth.uid() = a) AND (current_setting('x.y)'::text, true) = b))",
            "(((select auth.uid()) = a) AND ((select current_setting('x.y)'::text, true)) = b))",
        ),
    ],
)
def test_calls_are_wrapped(text: str, better: str | None) -> None:
    assert called_once(text) == (better or text)
    assert called_once(called_once(text)) == called_once(text)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("(a IN ( SELECT b.id\n   FROM b))", "(a = ANY (ARRAY( SELECT b.id\n   FROM b)))"),
        ("(NOT (a IN ( SELECT 1)))", "(NOT (a = ANY (ARRAY( SELECT 1))))"),
        ("(a = ' IN ( SELECT )'::text)", None),
        ("(a = ANY (ARRAY[1, 2]))", None),
    ],
)
def test_lists_become_arrays(text: str, better: str | None) -> None:
    assert arrayed(text) == (better or text)
