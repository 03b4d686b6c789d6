"""The Mr.Promth schema: its files can be applied, repeated and taken back, and each user meets only their own rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import CheckViolation, InsufficientPrivilege, NotNullViolation
from psycopg.types.json import Jsonb

MIGRATIONS = files("promthctl") / "mr_promth" / "migrations"
VERSIONS = ("001_initial_schema", "002_agent_chain_schema", "003_add_metadata_and_cli_sessions")
ALICE, BOB = UUID(int=0xA11CE), UUID(int=0xB0B)

STAMPED = ("api_keys", "chat_sessions", "cli_sessions", "deployment_logs", "projects", "prompts", "user_profiles")
APPEND_ONLY = {"agent_logs", "deployment_logs", "tool_executions"}  # rows go only with their project
LINKS = ("user_id", "session_id", "project_id", "agent_log_id")  # columns that decide whose a row is


def rows(owner: UUID) -> dict[str, dict[str, Any]]:
    """One row of every table for `owner`, parents first."""
    mine = {"user_id": owner}
    session = {"session_id": uuid5(owner, "chat_sessions")}
    project = {"project_id": uuid5(owner, "projects")}
    log = {"agent_log_id": uuid5(owner, "agent_logs")}
    key = {"provider": "vanchin", "encrypted_key": "e", "key_hash": "h", "masked_key": "abcd...xyz"}
    tables: dict[str, dict[str, Any]] = {
        "user_profiles": {"id": owner, "email": f"{owner.hex}@example.com"},
        "api_keys": mine | key,
        "chat_sessions": mine,
        "messages": session | {"role": "user", "content": "hello"},
        "prompts": mine | {"title": "t", "content": "c"},
        "projects": mine | {"name": "n", "user_prompt": "p"},
        "agent_logs": project | {"agent_number": 1, "agent_name": "a", "status": "running"},
        "cli_sessions": mine | {"session_token": owner.hex},
        "deployment_logs": project,
        "tool_executions": project | log | {"tool_name": "t", "tool_parameters": Jsonb({})},
    }
    return {table: {"id": uuid5(owner, table)} | columns for table, columns in tables.items()}


TABLES = tuple(rows(ALICE))
# A column of each table that its owner would change, and a new value for it.
CHANGES: dict[str, tuple[str, Any]] = {
    "user_profiles": ("name", "Alice"),
    "api_keys": ("metadata", Jsonb({"endpoint_id": "ep-1"})),
    "chat_sessions": ("title", "renamed"),
    "messages": ("content", "edited"),
    "prompts": ("is_public", True),
    "projects": ("current_agent", 2),
    "agent_logs": ("status", "success"),
    "cli_sessions": ("status", "disconnected"),
    "deployment_logs": ("deployment_status", "success"),
    "tool_executions": ("execution_status", "running"),
}

CATALOG = """
with tables as (
  select oid, relname, relowner, relacl, relrowsecurity from pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'r'
), functions as (
  select * from pg_proc where pronamespace = 'public'::regnamespace
)
select 'table', relname, concat_ws('|', relrowsecurity, obj_description(oid, 'pg_class')) from tables
union all
select 'column', relname, concat_ws('|', attname, format_type(atttypid, atttypmod), attnotnull,
  pg_get_expr(adbin, adrelid), attacl, col_description(attrelid, attnum))
from pg_attribute join tables on tables.oid = attrelid
left join pg_attrdef on adrelid = attrelid and adnum = attnum where attnum > 0 and not attisdropped
union all
select 'constraint', relname, conname || ' ' || pg_get_constraintdef(pg_constraint.oid)
from pg_constraint join tables on tables.oid = conrelid
union all
select 'index', tablename, indexdef from pg_indexes where schemaname = 'public'
union all
select 'policy', tablename, concat_ws('|', policyname, permissive, roles, cmd, qual, with_check)
from pg_policies where schemaname = 'public'
union all
select 'trigger', relname, pg_get_triggerdef(pg_trigger.oid)
from pg_trigger join tables on tables.oid = tgrelid where not tgisinternal
union all
select 'function', proname, concat_ws('|', pg_get_functiondef(oid), obj_description(oid, 'pg_proc')) from functions
union all
select 'grant', relname, concat_ws(' ', grantee::regrole, privilege_type, is_grantable)
from tables, aclexplode(coalesce(relacl, acldefault('r', relowner)))
union all
select 'grant', proname, concat_ws(' ', grantee::regrole, privilege_type, is_grantable)
from functions, aclexplode(coalesce(proacl, acldefault('f', proowner)))
"""


def read(url: str, query: str, *params: Any) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute(query, params or None).fetchall()


def up(url: str, *versions: str, suffix: str = ".sql") -> None:
    """Run files as a SQL editor does: the whole text in one implicit transaction."""
    with psycopg.connect(url, autocommit=True) as conn:
        for version in versions or VERSIONS:
            conn.execute((MIGRATIONS / f"{version}{suffix}").read_text(encoding="utf-8"))


def down(url: str, *versions: str) -> None:
    up(url, *(versions or VERSIONS[::-1]), suffix=".down.sql")


def catalog(url: str) -> list[tuple[str, str, str]]:
    return sorted(read(url, CATALOG))


def add_user(url: str, user: UUID, email: str | None) -> None:
    with psycopg.connect(url) as conn:
        conn.execute("insert into auth.users (id, email) values (%s, %s)", (user, email))


@contextmanager
def acting(url: str, role: str, user: UUID | None = None) -> Iterator[psycopg.Connection[Any]]:
    """A transaction as the API would run it for `role`; committed unless it raises."""
    claims = json.dumps({"role": role} | ({"sub": str(user)} if user else {}))
    with psycopg.connect(url) as conn:
        conn.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        conn.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
        yield conn


def insert(conn: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> int:
    statement = sql.SQL("insert into public.{} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    return conn.execute(statement, list(row.values())).rowcount


def update(conn: psycopg.Connection[Any], table: str, row_id: UUID, column: str, value: Any) -> int:
    statement = sql.SQL("update public.{} set {} = %s where id = %s")
    return conn.execute(statement.format(sql.Identifier(table), sql.Identifier(column)), (value, row_id)).rowcount


def delete(conn: psycopg.Connection[Any], table: str, row_id: UUID) -> int:
    statement = sql.SQL("delete from public.{} where id = %s").format(sql.Identifier(table))
    return conn.execute(statement, (row_id,)).rowcount


def visible(conn: psycopg.Connection[Any], table: str) -> set[UUID]:
    return {found for (found,) in conn.execute(sql.SQL("select id from public.{}").format(sql.Identifier(table)))}


@contextmanager
def refused(conn: psycopg.Connection[Any], error: type[psycopg.Error] = InsufficientPrivilege) -> Iterator[None]:
    """Expect `error` and keep the surrounding transaction usable."""
    with pytest.raises(error), conn.transaction():
        yield


@pytest.fixture
def schema(database_url: str) -> str:
    """A database with all three migrations."""
    up(database_url)
    return database_url


@pytest.fixture
def people(schema: str) -> str:
    """The schema with Alice and Bob, each having written a row to every table themselves."""
    for user in (ALICE, BOB):
        add_user(schema, user, f"{user.hex}@example.com")
        with acting(schema, "authenticated", user) as conn:
            for table, row in rows(user).items():
                assert insert(conn, table, row) == 1
    return schema


def test_files_apply_in_order_and_make_every_table_with_row_level_security(schema: str) -> None:
    assert {name: text[0] for kind, name, text in catalog(schema) if kind == "table"} == dict.fromkeys(TABLES, "t")


def test_applying_a_file_twice_changes_nothing(database_url: str) -> None:
    for version in VERSIONS:
        up(database_url, version)
        once = catalog(database_url)
        up(database_url, version)
        assert catalog(database_url) == once


def test_applying_again_keeps_the_rows(people: str) -> None:
    up(people)
    with acting(people, "service_role") as conn:
        assert all(len(visible(conn, table)) == 2 for table in TABLES)


def test_each_down_file_undoes_its_migration_and_can_be_repeated(database_url: str) -> None:
    steps = [catalog(database_url)]
    for version in VERSIONS:
        up(database_url, version)
        steps.append(catalog(database_url))
    for version, before in zip(VERSIONS[::-1], steps[-2::-1], strict=True):
        down(database_url, version, version)
        assert catalog(database_url) == before
    down(database_url)  # on a database that has nothing of it
    assert catalog(database_url) == steps[0]


@pytest.mark.parametrize("versions", [VERSIONS, VERSIONS[-1:]], ids=["all", "the last"])
def test_down_then_up_gives_the_same_catalog(schema: str, versions: tuple[str, ...]) -> None:
    before = catalog(schema)
    down(schema, *versions[::-1])
    up(schema, *versions)
    assert catalog(schema) == before


def test_grants_do_not_depend_on_default_privileges(schema: str) -> None:
    before = catalog(schema)
    for change in ("grant all on {} to anon, authenticated", "revoke all on {} from anon, authenticated"):
        down(schema)
        with psycopg.connect(schema) as conn:
            for kind in ("tables", "functions"):
                conn.execute(f"alter default privileges in schema public {change.format(kind)}")
        up(schema)
        assert catalog(schema) == before


def test_existing_users_get_a_profile(database_url: str) -> None:
    add_user(database_url, ALICE, "alice@example.com")
    add_user(database_url, BOB, None)
    up(database_url)
    assert read(database_url, "select id, email from public.user_profiles") == [(ALICE, "alice@example.com")]


def test_a_user_whose_email_has_a_profile_already_is_skipped(schema: str) -> None:
    add_user(schema, ALICE, "alice@example.com")
    with psycopg.connect(schema) as conn:
        insert(conn, "user_profiles", {"id": ALICE, "email": "bob@example.com"})
    add_user(schema, BOB, "bob@example.com")
    up(schema)
    assert read(schema, "select id from public.user_profiles") == [(ALICE,)]


def test_every_foreign_key_leads_a_whole_index(schema: str) -> None:
    unindexed = """
    select conrelid::regclass::text, conname from pg_constraint
    where contype = 'f' and connamespace = 'public'::regnamespace and not exists (
      select from pg_index where indrelid = conrelid and indkey[0] = conkey[1] and indpred is null and indisvalid)
    """
    assert read(schema, unindexed) == []


def test_no_index_is_the_beginning_of_another(schema: str) -> None:
    redundant = """
    select a.indexrelid::regclass::text, b.indexrelid::regclass::text from pg_index a
    join pg_index b on a.indrelid = b.indrelid and a.indexrelid <> b.indexrelid
    join pg_class on pg_class.oid = a.indexrelid and relnamespace = 'public'::regnamespace
    where not a.indisunique and a.indpred is null and b.indpred is null
      and b.indkey::text || ' ' like a.indkey::text || ' %'
    """
    assert read(schema, redundant) == []


def test_policies_name_authenticated_and_ask_for_the_user_once(schema: str) -> None:
    policies = read(
        schema, "select tablename, cmd, roles::text[], qual, with_check from pg_policies where schemaname = 'public'"
    )
    commands = {(table, cmd) for table, cmd, *_ in policies}
    expected = {(t, c) for t in TABLES for c in ("SELECT", "INSERT", "UPDATE", "DELETE")}
    assert commands == expected - {(t, "DELETE") for t in APPEND_ONLY}
    assert len(policies) == len(commands), "two policies for one table and command"
    for table, cmd, roles, using, check in policies:
        assert roles == ["authenticated"], table
        assert (using is not None, check is not None) == (cmd != "INSERT", cmd in ("INSERT", "UPDATE")), (table, cmd)
        for condition in filter(None, (using, check)):
            wrapped = re.sub(r"\( ?SELECT auth\.uid\(\) AS uid\)", "", condition)
            assert wrapped != condition and "auth.uid()" not in wrapped, (table, cmd, condition)


def test_functions_pin_an_empty_search_path_and_run_as_their_caller(schema: str) -> None:
    functions = "select prosecdef, proconfig from pg_proc where pronamespace = 'public'::regnamespace"
    assert read(schema, functions) == [(False, ['search_path=""'])] * 2


def test_grants_are_what_the_policies_allow(schema: str) -> None:
    granted: dict[tuple[str, str], set[str]] = {}
    for kind, name, text in catalog(schema):
        if kind == "grant":
            grantee, privilege, _ = text.split(" ")
            granted.setdefault((grantee, name), set()).add(privilege)
    assert not {grantee for grantee, _ in granted} & {"anon", "-"}, "- is public"
    everything = {"SELECT", "INSERT", "UPDATE", "DELETE"}
    for table in TABLES:
        assert granted["authenticated", table] == everything - ({"DELETE"} if table in APPEND_ONLY else set())
        assert granted["service_role", table] >= everything


@pytest.mark.parametrize("table", TABLES)
def test_an_owner_reads_changes_and_deletes_their_row(people: str, table: str) -> None:
    row_id = rows(ALICE)[table]["id"]
    with acting(people, "authenticated", ALICE) as conn:
        assert visible(conn, table) == {row_id}
        assert update(conn, table, row_id, *CHANGES[table]) == 1
        if table in APPEND_ONLY:
            with refused(conn):
                delete(conn, table, row_id)
        else:
            assert delete(conn, table, row_id) == 1


@pytest.mark.parametrize("table", TABLES)
def test_another_user_can_neither_touch_a_row_nor_hand_one_over(people: str, table: str) -> None:
    hers, his = rows(ALICE)[table], rows(BOB)[table]
    with acting(people, "authenticated", BOB) as conn:
        assert visible(conn, table) == {his["id"]}
        assert update(conn, table, hers["id"], *CHANGES[table]) == 0
        if table not in APPEND_ONLY:
            assert delete(conn, table, hers["id"]) == 0
        for link in [column for column in his if column in LINKS] or ["id"]:
            with refused(conn):
                insert(conn, table, his | {link: hers[link]})
            with refused(conn):
                update(conn, table, his["id"], link, hers[link])
    with acting(people, "service_role") as conn:
        assert visible(conn, table) == {hers["id"], his["id"]}


def test_a_tool_execution_names_an_agent_log_of_its_own_project(people: str) -> None:
    other, log = uuid5(ALICE, "other project"), uuid5(ALICE, "agent_logs")
    execution = rows(ALICE)["tool_executions"] | {"id": uuid5(ALICE, "other execution"), "project_id": other}
    with acting(people, "authenticated", ALICE) as conn:
        insert(conn, "projects", rows(ALICE)["projects"] | {"id": other})
        with refused(conn):
            insert(conn, "tool_executions", execution)
        assert insert(conn, "tool_executions", execution | {"agent_log_id": None}) == 1
        with refused(conn):
            update(conn, "tool_executions", execution["id"], "agent_log_id", log)


def test_public_prompts_are_read_by_every_signed_in_user_and_changed_by_none(people: str) -> None:
    prompt = rows(ALICE)["prompts"]["id"]
    with acting(people, "authenticated", ALICE) as conn:
        update(conn, "prompts", prompt, "is_public", True)
    with acting(people, "authenticated", BOB) as conn:
        assert visible(conn, "prompts") == {prompt, rows(BOB)["prompts"]["id"]}
        assert update(conn, "prompts", prompt, "title", "mine") == 0
        assert delete(conn, "prompts", prompt) == 0


def test_anon_is_denied_everything(people: str) -> None:
    with acting(people, "anon") as conn:
        for table, row in rows(ALICE).items():
            with refused(conn):
                visible(conn, table)
            with refused(conn):
                insert(conn, table, row)
            with refused(conn):
                update(conn, table, row["id"], *CHANGES[table])
            with refused(conn):
                delete(conn, table, row["id"])


def test_every_table_has_created_at_and_most_have_updated_at(schema: str) -> None:
    query = """select table_name::text from information_schema.columns
      where table_schema = 'public' and column_name = %s and data_type = 'timestamp with time zone'
        and is_nullable = 'NO' and column_default = 'now()' order by 1"""
    assert [name for (name,) in read(schema, query, "created_at")] == sorted(TABLES)
    assert [name for (name,) in read(schema, query, "updated_at")] == sorted(STAMPED)


def test_a_signed_in_request_without_a_user_sees_nothing(people: str) -> None:
    with acting(people, "authenticated") as conn:
        assert all(visible(conn, table) == set() for table in TABLES)


def test_time_stamps_move_on_every_update(people: str) -> None:
    for table, column in [("cli_sessions", "last_seen_at"), *((table, "updated_at") for table in STAMPED)]:
        query = f"select {column} from public.{table} where id = %s"
        row_id = rows(ALICE)[table]["id"]
        [(before,)] = read(people, query, row_id)
        with acting(people, "authenticated", ALICE) as conn:
            update(conn, table, row_id, column, "2000-01-01")
        [(after,)] = read(people, query, row_id)
        assert after > before, table


def test_deleting_a_user_deletes_all_that_is_theirs(people: str) -> None:
    with psycopg.connect(people) as conn:
        conn.execute("delete from auth.users where id = %s", (ALICE,))
    with acting(people, "service_role") as conn:
        assert all(visible(conn, table) == {row["id"]} for table, row in rows(BOB).items())


def test_unknown_roles_and_statuses_are_refused(people: str) -> None:
    checked = {"messages": "role", "cli_sessions": "status"}
    checked |= {"deployment_logs": "deployment_status", "tool_executions": "execution_status"}
    with acting(people, "authenticated", ALICE) as conn:
        for table, column in checked.items():
            with refused(conn, CheckViolation):
                update(conn, table, rows(ALICE)[table]["id"], column, "unheard of")
        with refused(conn, NotNullViolation):
            update(conn, "tool_executions", rows(ALICE)["tool_executions"]["id"], "tool_parameters", None)
