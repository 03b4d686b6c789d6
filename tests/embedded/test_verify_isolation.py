"""The isolation proof: it proves the migrations, names what breaks them, copes with odd tables and leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from promthctl.declarations import public_where
from promthctl.errors import PromthctlError, UsageError
from promthctl.isolation import IsolationReport, TableProof, find_side_effects, prove_isolation
from promthctl.mr_promth import lifecycle
from promthctl.mr_promth.public import PUBLIC_FLAGS
from tests.cases import Case, case_names, find_cases
from tests.servers import Server, fresh_database

MIGRATIONS = files("promthctl.mr_promth") / "migrations"
VERSIONS = ("001_initial_schema", "002_agent_chain_schema", "003_add_metadata_and_cli_sessions")
DIRECT = ("api_keys", "chat_sessions", "prompts", "projects", "cli_sessions")
THROUGH_PROJECT = ("agent_logs", "deployment_logs", "tool_executions")
TABLES = (*DIRECT, *THROUGH_PROJECT, "messages", "user_profiles")

prove = partial(prove_isolation, public_flags=PUBLIC_FLAGS)


@pytest.fixture(scope="module")
def migrated(server: Server) -> Iterator[str]:
    """A database with the three migrations, for tests that roll back what they do."""
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for version in VERSIONS:
                connection.execute((MIGRATIONS / f"{version}.sql").read_text(encoding="utf-8").encode())
        yield url


@pytest.fixture(scope="module")
def bare(server: Server) -> Iterator[str]:
    """A database as a new project has it, for tests that roll back what they do."""
    with fresh_database(server) as url:
        yield url


def after(url: str, change: str, **options: Any) -> IsolationReport:
    """The proof of the database as `change` makes it; the change is rolled back."""
    with psycopg.connect(url) as connection:
        connection.execute(change.encode())
        report = prove(connection, **options)
        connection.rollback()
    return report


def of(report: IsolationReport, table: str) -> TableProof:
    return next(proof for proof in report.tables if proof.table == table)


def verdict(proof: TableProof) -> dict[str, Any]:
    """As expected.json has it: the state, and the attempts with the wrong outcome."""
    attempts = sorted(wrong(proof))
    return {"state": proof.state} | ({"attempts": attempts} if attempts else {})


def wrong(proof: TableProof) -> set[str]:
    return {f"{attempt.role} {attempt.verb}" for attempt in proof.attempts if not attempt.ok}


def test_the_migrations_are_proven(migrated: str) -> None:
    with psycopg.connect(migrated, autocommit=True) as connection:
        report = prove(connection)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert {proof.table for proof in report.tables} == set(TABLES)
    assert {proof.state for proof in report.tables} == {"proven"}, [p for p in report.tables if p.state != "proven"]
    assert report.ok and report.caveats == ()
    for proof in report.tables:
        tried = {(attempt.role, attempt.verb) for attempt in proof.attempts}
        verbs = ("select", "insert", "update", "delete", "move", "upsert")
        assert tried == {(role, verb) for role in ("anon", "owner", "other", "service_role") for verb in verbs}
        reached = {(a.role, a.verb) for a in proof.attempts if a.outcome == "reached"} - {("other", "select")}
        owner = {("owner", verb) for verb in ("select", "insert", "update", "delete", "upsert")}
        if proof.table in THROUGH_PROJECT:
            owner.remove(("owner", "delete"))
        assert reached == owner | {("service_role", verb) for verb in verbs}


def test_public_prompts_are_read_by_others_and_private_ones_are_not(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        attempts = of(prove(connection), "prompts").attempts
    reads = {(a.detail, a.outcome) for a in attempts if (a.role, a.verb) == ("other", "select")}
    assert reads == {("another user's row", "filtered"), ("a public row", "reached")}
    assert not [a for a in attempts if a.role == "other" and a.verb != "select" and a.outcome == "reached"]


def test_a_report_becomes_json(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        report = prove(connection)
    assert json.loads(json.dumps(asdict(report)))["tables"][0]["attempts"][0]["role"] == "anon"


def test_a_database_without_the_roles_is_refused(server: Server) -> None:
    with psycopg.connect(server.url("postgres", "promthctl_api")) as connection:
        connection.execute("set role anon")
        with pytest.raises(PromthctlError, match="cannot act as authenticated, service_role"):
            prove(connection)


def own(table: str, column: str = "user_id", grants: str = "authenticated, service_role") -> str:
    """Row level security on `table`: who `column` names may do anything with their rows."""
    mine = f"{column} = (select auth.uid())"
    return (
        f"alter table {table} enable row level security; grant all on {table} to {grants};"
        f" create policy own on {table} to authenticated using ({mine}) with check ({mine});"
    )


USER = "user_id uuid not null references auth.users on delete cascade"
BODY = "id uuid primary key default gen_random_uuid(), " + USER
ODD = find_cases("tables")


@pytest.mark.parametrize("case", ODD, ids=case_names(ODD))
def test_odd_tables(bare: str, case: Case) -> None:
    proofs = after(bare, case.new).tables
    case.check({"isolation": {proof.table: verdict(proof) for proof in proofs}})
    assert all(proof.reason for proof in proofs if proof.state != "proven")


def test_policies_that_no_grant_puts_to_use_are_named_as_not_tried(bare: str) -> None:
    made = f"create table a ({BODY}); {own('a', grants='service_role')} revoke all on a from anon, authenticated;"
    report = after(bare, f"{made} create table b ({BODY}); {own('b')}")
    assert of(report, "a").reason.startswith("server only")
    assert any(text.startswith("the policies of 1 table were not tried") and "(a)" in text for text in report.caveats)


def test_teams_are_proven_for_their_members_and_reported_as_shared(bare: str) -> None:
    teams = (files("tests.embedded") / "compat" / "tenants" / "001_teams.sql").read_text(encoding="utf-8")
    report = after(bare, teams)
    assert "whoever has an e-mail address such as" in of(report, "notes").reason
    report = after(bare, f"{teams}; drop policy staff on notes")
    assert {proof.table: proof.state for proof in report.tables} == dict.fromkeys(
        ("notes", "team_members", "teams"), "proven"
    )
    assert all("shared through team_members" in proof.reason for proof in report.tables)
    join = "create policy joins on team_members for insert to authenticated with check (user_id = auth.uid())"
    assert wrong(of(after(bare, f"{teams}; {join}"), "team_members")) == {"other insert"}


def test_tables_in_other_schemas_are_tried_too(bare: str) -> None:
    change = f"""create schema api; grant usage on schema api to authenticated, service_role;
      create table api.notes ({BODY}, x text); {own("api.notes")}"""
    assert [(p.table, p.state) for p in after(bare, change).tables] == [("api.notes", "proven")]
    assert after(bare, change, schemas=("public",)).tables == ()


def test_what_is_declared_public_may_be_read_and_not_written(bare: str) -> None:
    change = f"""create table posts ({BODY}, status text not null default 'draft' check (status in ('draft', 'live')));
      {own("posts")} create policy live on posts for select to anon, authenticated using (status = 'live');
      grant select on posts to anon; create table tags (name text primary key);
      alter table tags enable row level security; create policy everyone on tags for select using (true)"""
    assert not after(bare, change).ok
    report = after(
        bare, change, declared=public_where({"public.posts": "status = 'live'", "tags": "true", "nothing": "true"})
    )
    assert report.ok, report
    assert [(one.name, one.what) for one in report.unneeded] == [("nothing", "true")] and not report.caveats
    assert of(after(bare, change, declared=public_where(["tags"])), "tags").state == "proven"
    assert (
        of(after(bare, change, declared=public_where({"posts": "no_such_column = 1"})), "posts").state == "not proven"
    )
    open_for_all = "create policy open on tags for update using (true) with check (true)"
    assert {"anon update", "other update"} <= wrong(
        of(after(bare, f"{change}; {open_for_all}", declared=public_where(["tags"])), "tags")
    )


@pytest.mark.parametrize(
    "condition",
    [
        "true); commit; create table canary (); begin; select (true",
        "true) is true from posts; commit; create table canary (); begin; select (true",
        "true) is null; create table canary (); select (true",
        "true) is true, (select 1",
        "id is null union select true",
        "no such column",
        "pg_notify('canary', '') is null",
        "exists (select pg_catalog.set_config('role', 'postgres', false))",
    ],
)
def test_a_condition_that_is_more_than_one_is_refused(bare: str, condition: str) -> None:
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute(f"create table posts ({BODY})")
        try:
            with pytest.raises(UsageError, match="wrong setting: public"):
                prove(connection, declared=public_where({"posts": condition}))
            assert connection.execute("select to_regclass('canary')").fetchone() == (None,)
        finally:
            connection.execute("drop table posts")


def test_triggers_that_act_outside_the_database_are_named(bare: str) -> None:
    change = f"""create extension pg_net; create table a ({BODY}); {own("a")}
      create function tell() returns trigger language plpgsql as $$
      begin perform net.http_post('http://127.0.0.1'); perform pg_notify('a', ''); return new; end $$;
      create function draw() returns trigger language plpgsql as $$
      begin perform nextval('public.numbers'); return new; end $$;
      create sequence numbers; create trigger tell after insert on a for each row execute function tell();
      create trigger draw after insert on a for each row execute function draw()"""
    with psycopg.connect(bare) as connection:
        connection.execute(change.encode())
        before, report = find_side_effects(connection), prove(connection)
        connection.rollback()
    ways = {one.path: one.harmless for one in before}
    assert ways == {
        "trigger draw on a → public.draw → nextval": False,
        "trigger tell on a → public.tell → net.http_post": True,
        "trigger tell on a → public.tell → pg_notify": True,
    }
    assert (
        report.side_effects == before
        and report.caveats[:3] == tuple(one.text for one in before)
        and any("sequence public.numbers advanced" in text for text in report.caveats)
    )
    assert report.ok


CHECKSUM = """
select 'table ' || c.oid::regclass, (xpath('/row/c/text()', query_to_xml(format(
    'select md5(string_agg(t::text || xmin || xmax || ctid, '','' order by ctid)) as c from %s t', c.oid::regclass),
    false, true, '')))[1]::text
from pg_class c where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'auth'::regnamespace)
union all
select 'sequence ' || schemaname || '.' || sequencename, last_value::text from pg_sequences
union all select 'locks', count(*)::text from pg_locks where locktype = 'relation' and pid <> pg_backend_pid()
  and database = (select oid from pg_database where datname = current_database())
"""


def test_nothing_is_left_and_no_row_of_a_real_user_is_touched(server: Server) -> None:
    """Not even locked: a lock would show in the row's xmax."""
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for version in VERSIONS:
                connection.execute((MIGRATIONS / f"{version}.sql").read_text(encoding="utf-8").encode())
            connection.execute(
                f"""create table counted (id bigserial primary key, n int generated always as identity, {USER});
                {own("counted")}
                insert into auth.users (id, email)
                  select gen_random_uuid(), n || '@example.com' from generate_series(1, 9) n;
                insert into user_profiles (id, email) select id, email from auth.users;
                insert into counted (user_id) select id from auth.users;
                insert into prompts (user_id, title, content, is_public) select id, 't', 'c', true from auth.users;
                insert into chat_sessions (user_id) select id from auth.users;
                insert into messages (session_id, role, content) select id, 'user', 'hello' from chat_sessions;
                insert into projects (user_id, name, user_prompt) select id, 'n', 'p' from auth.users;""".encode()
            )
        with psycopg.connect(server.url(url.rpartition("/")[2], "supabase_admin"), autocommit=True) as admin:
            before = sorted(admin.execute(CHECKSUM.encode()).fetchall())
            with psycopg.connect(url) as connection:
                assert prove(connection).ok
                assert all(one.ok for one in lifecycle.check_lifecycles(connection))
                assert sorted(admin.execute(CHECKSUM.encode()).fetchall()) == before
            assert sorted(admin.execute(CHECKSUM.encode()).fetchall()) == before


def test_a_transaction_of_the_callers_goes_on_as_it_was(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        connection.execute("create table mine (id int)")
        connection.execute("set local statement_timeout = '7s'")
        prove(connection)
        lifecycle.check_lifecycles(connection)
        settings = (
            "select current_user, current_setting('statement_timeout'), current_setting('request.jwt.claims', true)"
        )
        assert connection.execute(settings.encode()).fetchone() in {("postgres", "7s", ""), ("postgres", "7s", None)}
        assert connection.execute("select count(*) from mine").fetchone() == (0,)
        connection.rollback()


def test_an_interrupt_leaves_nothing(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from promthctl.isolation.attempts import TableTrial

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TableTrial, "writes", interrupted)
    with psycopg.connect(migrated, autocommit=True) as connection:
        with pytest.raises(KeyboardInterrupt):
            prove(connection)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert connection.execute("select count(*) from auth.users").fetchone() == (0,)


def test_a_locked_table_is_not_waited_for(migrated: str) -> None:
    with psycopg.connect(migrated) as other, psycopg.connect(migrated) as connection:
        other.execute("lock table api_keys in share mode")
        report = prove(connection)
        other.rollback()
    assert of(report, "api_keys").state == "not proven" and "lock timeout" in of(report, "api_keys").reason
    assert {proof.state for proof in report.tables if proof.table != "api_keys"} == {"proven"}


# Each call is counted, also one that was undone, and takes longer than the limits.
SLEEPER = """
create schema private;
grant usage on schema private to authenticated;
create sequence private.calls;
create function private.sleeps() returns boolean language plpgsql security definer set search_path = '' as $$
begin
  perform nextval('private.calls');
  perform pg_catalog.pg_sleep(20);
  return true;
end $$;
create policy slow on api_keys {};
"""


@pytest.mark.parametrize(
    "policy",
    [
        "as restrictive to authenticated using (private.sleeps())",
        "to authenticated using (provider = 'archived' and private.sleeps())",  # of a row that has to be made for it
    ],
)
def test_what_a_slow_policy_holds_up_is_waited_for_once(
    migrated: str, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    for name, milliseconds in (("scenes._BATCH", 1000), ("scenes._SINGLE", 500), ("trial_matrix._BLOCK", 1000),
                               ("trial_matrix._PAIR", 500)):  # fmt: skip
        monkeypatch.setattr(f"promthctl.isolation.{name}_MS", milliseconds)
    with psycopg.connect(migrated) as connection:
        connection.execute(SLEEPER.format(policy).encode())
        report = prove(connection)
        calls = connection.execute("select last_value, is_called from private.calls").fetchone()
        connection.rollback()
    proof = of(report, "api_keys")
    assert proof.state == "not proven" and "took too long" in proof.reason
    assert calls in ((1, True), (2, True))  # a second one where the first began late in a message
    assert {other.state for other in report.tables if other is not proof} == {"proven"}


# name of the scenario: (a change that breaks it, what is said then)
BROKEN_SCENARIOS = {
    "A CLI session is created, touched and closed": (
        "alter table cli_sessions disable trigger user",
        "does not change last_seen_at",
    ),
    "An API key's metadata holds its endpoint": (
        "alter policy api_keys_select_own on api_keys using (false)",
        "does not find",
    ),
    "updated_at changes with every update": (
        "alter table prompts disable trigger user",
        "prompts does not change updated_at",
    ),
    "Deleting a user deletes all their rows": (
        "alter table projects drop constraint projects_user_id_fkey",
        "rows are left in projects",
    ),
}


def test_the_scenarios_pass(migrated: str, bare: str) -> None:
    for url, state in ((migrated, "passed"), (bare, "skipped")):
        with psycopg.connect(url, autocommit=True) as connection:
            found = lifecycle.check_lifecycles(connection)
            assert connection.execute("select count(*) from auth.users").fetchone() == (0,)
        assert {one.name: one.state for one in found} == dict.fromkeys(BROKEN_SCENARIOS, state)


@pytest.mark.parametrize("name", BROKEN_SCENARIOS)
def test_a_broken_scenario_is_found(migrated: str, name: str) -> None:
    change, said = BROKEN_SCENARIOS[name]
    with psycopg.connect(migrated) as connection:
        connection.execute(change.encode())
        found = {one.name: one for one in lifecycle.check_lifecycles(connection)}
        connection.rollback()
    assert found[name].state == "failed" and said in found[name].detail, found
