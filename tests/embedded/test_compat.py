"""Migrations in the manner of real Supabase projects apply unchanged on the embedded engine, and do there what they
do on the hosted platform; what the hosted platform refuses is refused here too."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import FeatureNotSupported, InsufficientPrivilege, InvalidParameterValue

from promthctl.sql.statements import split_statements

COMPAT = pathlib.Path(__file__).parent / "compat"
STYLES = sorted(folder.name for folder in COMPAT.iterdir() if folder.is_dir())
ALICE, BOB = UUID(int=0xA11CE), UUID(int=0xB0B)
UPLOAD = "insert into storage.objects (bucket_id, name) values ('documents', %s)"

Database: TypeAlias = psycopg.Connection[tuple[Any, ...]]


def apply(connection: Database, style: str) -> None:
    """Run the folder's files in order, each in a transaction of its own by statements, as `supabase db push` does."""
    for file in sorted((COMPAT / style).glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        with connection.transaction():
            for start, end, _ in split_statements(text):
                connection.execute(text[start:end].encode(), prepare=False)


@pytest.fixture
def postgres(database_url: str) -> Iterator[Database]:
    """A connection as `postgres`; settings of roles, which all databases share, are put back afterwards."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
        connection.execute(
            "alter role anon set statement_timeout = '3s'; alter role postgres reset statement_timeout;"
            "alter role postgres reset pgaudit.log; alter role authenticator reset pgrst.db_schemas;"
            "alter role authenticator reset pgrst.db_pre_request"
        )


@contextmanager
def request(connection: Database, role: str, **claims: Any) -> Iterator[Database]:
    """What the API server does around a request: set the role and the token's claims, for one transaction."""
    with connection.transaction(force_rollback=True):
        connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"role": role} | claims)])
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        yield connection


def one(connection: Database, query: LiteralString, *arguments: object) -> Any:
    """The single value the query answers with; None without a row."""
    row = connection.execute(query, arguments or None).fetchone()
    return None if row is None else row[0]


def sign_up(connection: Database, user: UUID, email: str, **metadata: str) -> None:
    connection.execute(
        "insert into auth.users (id, email, raw_user_meta_data) values (%s, %s, %s)",
        [user, email, json.dumps(metadata)],
    )


@pytest.mark.parametrize("style", STYLES)
def test_folder_applies_unchanged(postgres: Database, style: str) -> None:
    apply(postgres, style)


def test_new_user_gets_a_profile(postgres: Database) -> None:
    apply(postgres, "profiles")
    sign_up(postgres, ALICE, "alice@example.com", full_name="Alice")
    profile = postgres.execute("select username, full_name, email from profiles where id = %s", [ALICE]).fetchone()
    assert profile == ("alice", "Alice", "alice@example.com")
    postgres.execute("delete from auth.users where id = %s", [ALICE])
    assert one(postgres, "select count(*) from profiles") == 0


def test_storage_policies_keep_folders_apart(postgres: Database) -> None:
    apply(postgres, "storage")
    for owner in (ALICE, BOB):
        with request(postgres, "authenticated", sub=str(owner)):
            postgres.execute(UPLOAD, [f"{owner}/a.txt"])
        postgres.execute(UPLOAD, [f"{owner}/a.txt"])
    with request(postgres, "authenticated", sub=str(ALICE)):
        assert postgres.execute("select name from storage.objects").fetchall() == [(f"{ALICE}/a.txt",)]
        assert postgres.execute("select name, id from storage.search(%s, 'documents')", [""]).fetchall() == [
            (str(ALICE), None)
        ]
        with pytest.raises(InsufficientPrivilege), postgres.transaction():
            postgres.execute(UPLOAD, [f"{BOB}/b.txt"])
        with pytest.raises(InsufficientPrivilege), postgres.transaction():
            postgres.execute(UPLOAD, [f"{ALICE}/b.exe"])
    with request(postgres, "anon"):
        assert one(postgres, "select count(*) from storage.objects") == 0
    assert one(postgres, "select count(*) from attachments") == 2


def test_paths_are_taken_apart_as_storage_does(postgres: Database) -> None:
    parts = "select storage.foldername(%s), storage.filename(%s), storage.extension(%s)"
    for path, expected in {
        "a/b/c.tar.gz": (["a", "b"], "c.tar.gz", "gz"),
        "plain": ([], "plain", "plain"),
    }.items():
        assert postgres.execute(parts, [path] * 3).fetchone() == expected


def test_generated_ids_and_password_hashes(postgres: Database) -> None:
    apply(postgres, "keys")
    row = postgres.execute("select id, length(token), length(short_code) from api_tokens").fetchone()
    assert row is not None and row[1:] == (48, 6)
    assert one(postgres, "select check_secret(%s, 'open sesame')", row[0]) is True
    assert one(postgres, "select check_secret(%s, 'wrong')", row[0]) is False


def test_changes_are_broadcast_to_those_who_may_listen(postgres: Database) -> None:
    apply(postgres, "realtime")
    payload = one(postgres, "select payload from realtime.messages where private")
    assert payload["operation"] == "INSERT" and payload["record"]["body"] == "hello" and payload["id"]
    published = (
        "select array_agg(tablename order by tablename) from pg_publication_tables where pubname = 'supabase_realtime'"
    )
    assert one(postgres, published) == ["room_messages", "rooms"]
    listen: LiteralString = "select set_config('realtime.topic', %s, true)"
    with request(postgres, "authenticated", sub=str(ALICE)):
        postgres.execute(listen, ["room:1"])
        assert one(postgres, "select count(*) from realtime.messages") == 2
        postgres.execute(listen, ["other"])
        assert one(postgres, "select count(*) from realtime.messages") == 0
    with request(postgres, "anon"):
        postgres.execute(listen, ["room:1"])
        assert one(postgres, "select count(*) from realtime.messages") == 0


def test_vault_keeps_secrets_for_the_service_role(postgres: Database) -> None:
    apply(postgres, "vault")
    secrets = postgres.execute("select name, decrypted_secret from vault.decrypted_secrets order by name").fetchall()
    assert secrets == [("project_url", "https://project.example.com"), ("webhook_secret", "second")]
    assert one(postgres, "select secret from vault.secrets where name = 'webhook_secret'") != "second"
    with request(postgres, "service_role"):
        assert len(one(postgres, "select sign_payload('x')")) == 64
        assert one(postgres, "select vault.create_secret('third')") is not None
    for role in ("anon", "authenticated"):
        for query in (
            "select * from vault.secrets",
            "select * from vault.decrypted_secrets",
            "select sign_payload('x')",
        ):
            with pytest.raises(InsufficientPrivilege), request(postgres, role):
                postgres.execute(query)


def test_default_privileges_reach_what_is_created_later(postgres: Database) -> None:
    apply(postgres, "access")
    postgres.execute("create table api.later (id integer); create table public.later (id integer)")
    with request(postgres, "anon"):
        assert one(postgres, "select count(*) from api.later") == 0
        postgres.execute("insert into public.later values (1)")
        with pytest.raises(InsufficientPrivilege), postgres.transaction():
            postgres.execute("insert into api.later values (1)")
        with pytest.raises(InsufficientPrivilege), postgres.transaction():
            postgres.execute("select internal_only()")


def test_access_token_hook_decides_what_a_role_may(postgres: Database) -> None:
    apply(postgres, "hook")
    sign_up(postgres, ALICE, "alice@example.com")
    postgres.execute("insert into user_roles (user_id, role) values (%s, 'admin')", [ALICE])
    postgres.execute("insert into channels (slug) values ('public')")
    event = json.dumps({"user_id": str(ALICE), "claims": {"sub": str(ALICE)}})
    claims = one(postgres, "select custom_access_token_hook(%s) -> 'claims'", event)
    assert claims == {"sub": str(ALICE), "user_role": "admin"}
    with request(postgres, "authenticated", **claims):
        assert postgres.execute("delete from channels").rowcount == 1
    with request(postgres, "authenticated", sub=str(BOB), user_role="moderator"):
        assert postgres.execute("delete from channels").rowcount == 0
        with pytest.raises(InsufficientPrivilege):
            postgres.execute("select custom_access_token_hook('{}')")


def test_jobs_are_recorded_and_requests_queued(postgres: Database) -> None:
    apply(postgres, "scheduler")
    jobs = postgres.execute("select jobname, schedule, username, active from cron.job order by jobname").fetchall()
    assert jobs == [("call-every-minute", "* * * * *", "postgres", True), ("nightly", "0 4 * * *", "postgres", True)]
    call = one(postgres, "select command from cron.job where jobname = 'call-every-minute'")
    assert one(postgres, call) == 1
    with request(postgres, "service_role"):
        postgres.execute("insert into events default values")
        queued = postgres.execute("select method, url from net.http_request_queue order by id").fetchall()
    assert queued == [
        ("POST", "https://project.example.com/functions/v1/hello"),
        ("POST", "https://backend.example.com/hook"),
    ]
    with pytest.raises(InvalidParameterValue, match="invalid schedule"):
        postgres.execute("select cron.schedule('bad', 'every day', 'select 1')")


def test_search_without_accents_and_without_overlap(postgres: Database) -> None:
    apply(postgres, "search")
    assert one(postgres, "select title from search_articles('brulee')") == "Crème brûlée at home"
    assert one(postgres, "select count(*) from articles where author = 'ADA@example.com' and path <@ 'food'") == 1
    postgres.execute("insert into bookings values (1, '[2026-01-01, 2026-01-03)'), (2, '[2026-01-01, 2026-01-03)')")
    with pytest.raises(psycopg.errors.ExclusionViolation):
        postgres.execute("insert into bookings values (1, '[2026-01-02, 2026-01-04)')")


def test_baseline_leaves_rows_with_their_owner(postgres: Database) -> None:
    apply(postgres, "baseline")
    sign_up(postgres, ALICE, "alice@example.com")
    sign_up(postgres, BOB, "bob@example.com")
    with request(postgres, "authenticated", sub=str(ALICE)):
        assert one(postgres, "insert into orders default values returning user_id") == ALICE
        assert one(postgres, "select count(*) from open_orders") == 1
        postgres.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": str(BOB)})])
        assert one(postgres, "select count(*) from open_orders") == 0
        assert "errors" in one(postgres, "select graphql_public.graphql(query := '{ orders { id } }')")


def test_teams_meet_only_their_own_notes(postgres: Database) -> None:
    apply(postgres, "tenants")
    for user, email in ((ALICE, "alice@example.com"), (BOB, "bob@example.com")):
        sign_up(postgres, user, email)
        team = one(postgres, "insert into teams (name) values (%s) returning id", email)
        postgres.execute("insert into team_members (team_id, user_id) values (%s, %s)", [team, user])
        postgres.execute("insert into notes (team_id, body) values (%s, %s)", [team, email])
    with request(postgres, "authenticated", sub=str(ALICE)):
        assert postgres.execute("select body from notes").fetchall() == [("alice@example.com",)]
    with request(postgres, "authenticated", sub=str(ALICE), is_anonymous=True):
        assert one(postgres, "select count(*) from notes") == 0
    with request(postgres, "service_role"):
        assert one(postgres, "select count(*) from notes") == 2
    with request(postgres, "anon"):
        # The older way to pass claims: one setting each.
        postgres.execute("select set_config('request.jwt.claims', '', true)")
        postgres.execute("select set_config('request.jwt.claim.email', 'x@staff.example.com', true)")
        assert one(postgres, "select auth.email()") == "x@staff.example.com"
        assert one(postgres, "select count(*) from notes") == 2


def test_queues_tokens_and_json_schemas_work(postgres: Database) -> None:
    apply(postgres, "queues")
    message = postgres.execute("select msg_id, message from pgmq.read('mail', 30, 1)").fetchone()
    assert message == (1, {"to": "ada@example.com"})
    assert one(postgres, "select pgmq.archive('mail', 1::bigint)") is True
    assert one(postgres, "select count(*) from pgmq.a_mail") == 1
    postgres.execute('insert into settings values (1, \'{"theme": "dark"}\')')
    with pytest.raises(psycopg.errors.CheckViolation):
        postgres.execute('insert into settings values (2, \'{"theme": "blue"}\')')
    key = "a secret of at least thirty-two bytes"
    assert postgres.execute("select payload, valid from extensions.verify(guest_token(), %s)", [key]).fetchone() == (
        {"role": "anon"},
        True,
    )


def test_privileges_lent_for_a_statement_do_not_stay(postgres: Database) -> None:
    apply(postgres, "platform")
    with pytest.raises(psycopg.errors.UndefinedTable):
        postgres.execute("create policy nowhere on storage.nothing using (true)")
    lent: LiteralString = "select rolsuper or pg_has_role(%s, 'member') from pg_roles where rolname = 'postgres'"
    assert one(postgres, lent, "supabase_storage_admin") is False
    assert one(postgres, "select email from auth.identities") == "imported@example.com"


@pytest.mark.parametrize(
    ("extension", "call"),
    [
        ("http", "select http_get('https://example.com')"),
        ("hypopg", "select hypopg_create_index('create index on t (a)')"),
    ],
)
def test_a_call_that_cannot_work_says_so(postgres: Database, extension: LiteralString, call: LiteralString) -> None:
    postgres.execute(sql.SQL("create extension {} with schema extensions").format(sql.Identifier(extension)))
    with pytest.raises(FeatureNotSupported, match="not available on the embedded engine"):
        postgres.execute(call)


def test_a_delete_does_not_fail_for_a_server_that_cannot_be_told(postgres: Database) -> None:
    apply(postgres, "dump")
    warnings: list[str] = []
    postgres.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
    secret = one(postgres, "select vault.create_secret('token')")
    postgres.execute("insert into servers (token_id, url) values (%s, 'https://example.com')", [secret])
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        postgres.execute("delete from vault.secrets where id = %s", [secret])
    postgres.execute("delete from servers")
    assert one(postgres, "select count(*) from servers") == 0
    assert warnings == ["http_post is not available on the embedded engine: https://example.com was not called"]


REFUSED: tuple[LiteralString, ...] = (
    "alter table auth.users add column nickname text",
    "alter table storage.objects enable row level security",
    "alter table realtime.messages disable row level security",
    "create table auth.extra (id integer)",
    "create function auth.extra() returns integer language sql as 'select 1'",
    "create table storage.extra (id integer)",
    "create index on auth.users (phone)",
    "drop schema auth cascade",
    "drop schema storage cascade",
    "drop table auth.users cascade",
    "drop function auth.uid()",
    "create or replace function auth.uid() returns uuid language sql as 'select null::uuid'",
    "delete from storage.objects",
    "insert into vault.secrets (secret) values ('x')",
    "alter role postgres superuser",
    "set role supabase_auth_admin",
    "grant supabase_admin to postgres",
    "alter default privileges for role supabase_admin in schema public grant all on tables to anon",
    "create extension file_fdw",
    "copy (select 1) to program 'true'",
    "select pg_read_file('PG_VERSION')",
    "create function f() returns void language c as 'nothing'",
    "alter database postgres set app.settings.jwt_secret = 'x'",
    "set role anon; select * from vault.decrypted_secrets",
    "set role authenticated; select vault.create_secret('x')",
    "set role authenticated; select email from auth.users",
    "set role service_role; create table public.t (id integer)",
)


def test_what_hosted_refuses_is_refused(postgres: Database) -> None:
    allowed = []
    for statement in REFUSED:
        try:
            with postgres.transaction(force_rollback=True):
                postgres.execute(statement)
            allowed.append(statement)
        except InsufficientPrivilege:
            pass
    assert not allowed


def test_pgvector_is_not_pretended(postgres: Database) -> None:
    with pytest.raises(FeatureNotSupported, match='extension "vector" is not available'):
        postgres.execute("create extension if not exists vector with schema extensions")
