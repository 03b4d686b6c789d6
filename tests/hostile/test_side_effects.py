"""Tables whose triggers, defaults, operators … act outside the transaction: verify tries no rows there unasked.

Each case ends in a canary that no rollback resets: a sequence. `pull` is the function that draws from it.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from promthctl.isolation import find_side_effects, prove_isolation
from tests.servers import Server, fresh_database

CANARY = """
set local check_function_bodies = off;
create sequence canary;
create schema deep;
create function deep.pull() returns boolean language plpgsql as
  $$ begin perform nextval('public.canary'); return true; end $$;
create function deep.calm(anyelement) returns boolean language plpgsql immutable as $$ begin return deep.pull(); end $$;
create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, body text, n int default 1);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create table calm (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade);
alter table calm enable row level security;
grant all on calm to anon, authenticated, service_role;
create policy own on calm to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
"""


def trigger(body: str, language: str = "plpgsql", when: str = "before insert") -> str:
    return f"""create function run() returns trigger language {language} as $run$ {body} $run$;
      create trigger run {when} on notes for each row execute function run();"""


def plain(statements: str) -> str:
    return trigger(f"begin {statements}; return new; end")


ATTACKS = {
    "one call deep": plain("perform deep.pull()"),
    "three calls deep and round": """create function a() returns void language plpgsql as 'begin perform b(); end';
      create function b() returns void language sql as 'select c(); select deep.pull()';
      create function c() returns void language plpgsql as 'begin if false then perform a(); end if; end';"""
    + plain("perform a()"),
    "a name in quotes and comments": 'create function "B.x("() returns bool language sql as'
    ' $$select deep . /* ; */ "pull" ()$$;' + plain('perform public -- here\n . "B.x("()'),
    "execute of a literal": plain("execute 'select deep.pull()'"),
    "execute of a dollar quote with a do block": plain("execute $x$do $y$begin perform deep.pull(); end$y$$x$"),
    "execute of a text that is built": plain("execute 'select deep.pu' || 'll()'"),
    "execute of a variable": trigger(
        "declare q text := 'select deep.' || reverse('llup') || '()'; begin execute q; return new; end"
    ),
    "execute of a format with a name": plain("execute format('select deep.%I()', 'pu' || 'll')"),
    "execute of an escape": plain(r"execute E'select deep.\x70ull()'"),
    "a name with escapes": plain(r"""perform deep.U&"\0070ull"()"""),
    "a function with a standard body": """create function a() returns boolean language sql
      begin atomic; select deep.pull(); end;"""
    + plain("perform a()"),
    "a default": "alter table notes alter n set default (case when deep.pull() then 1 end);",
    "a default of an argument": "create function a(x bool default deep.pull()) returns bool language sql as 'select x';"
    + plain("perform a()"),
    "a check": "alter table notes add check (deep.calm(n));",
    "a generated column": "alter table notes add g boolean generated always as (deep.calm(n)) stored;",
    "an index": "create index on notes (deep.calm(n));",
    "a policy": "create policy more on notes for select to authenticated using (deep.calm(n));",
    "a condition of a trigger": "create function run() returns trigger language plpgsql as 'begin return new; end';"
    "create trigger run before insert on notes for each row when (deep.calm(new.n)) execute function run();",
    "a domain": "create domain tame as int check (deep.calm(value)); alter table notes alter n type tame;",
    "an operator": """create function plus(text, int) returns bool language sql as 'select deep.pull()';
      create operator ### (leftarg = text, rightarg = int, function = plus);"""
    + plain("perform 'a'::text ### 1"),
    "a cast": """create type pair as (a int);
      create function plus(pair) returns int language sql as 'select deep.pull()::int';
      create cast (pair as int) with function plus(pair);"""
    + plain("new.n := row(1)::pair::int"),
    "an aggregate": """create function step(int, int) returns int language sql as 'select deep.pull()::int';
      create aggregate total(int) (sfunc = step, stype = int, initcond = '0');"""
    + plain("perform total(x) from generate_series(1, 2) x"),
    "the attribute of a row": """create type pair as (a int);
      create function pulled(pair) returns bool language sql as 'select deep.pull()';"""
    + trigger("declare p pair; b bool; begin b := p.pulled; return new; end"),
    "another table's trigger": """create table log (x int); create function run2() returns trigger language plpgsql as
      'begin perform deep.pull(); return new; end';
      create trigger run2 after insert on log for each row execute function run2();"""
    + plain("insert into public.log values (1)"),
    "another table's trigger through a view": """create table log (x int); create view shown as select x from log;
      create function run2() returns trigger language plpgsql as 'begin perform deep.pull(); return new; end';
      create trigger run2 after insert on log for each row execute function run2();"""
    + plain("insert into shown values (1)"),
    "a view": "create view pulled as select deep.pull() as x;" + plain("perform x from pulled"),
    "a rule": "create rule more as on insert to notes do also select deep.pull();",
    "a trigger on delete of what refers to it": """create table parts (note_id uuid references notes on delete cascade);
      create function run2() returns trigger language plpgsql as 'begin perform deep.pull(); return old; end';
      create trigger run2 after delete on parts for each row execute function run2();
      create function fill() returns trigger language plpgsql as
        'begin insert into parts values (new.id); return new; end';
      create trigger fill after insert on notes for each row execute function fill();""",
    "a trigger of a partition": """drop table notes; create table notes (id uuid default gen_random_uuid(),
        user_id uuid not null references auth.users) partition by list (user_id);
      create table rest partition of notes default; alter table notes enable row level security;
      create function run() returns trigger language plpgsql as 'begin perform deep.pull(); return new; end';
      create trigger run before insert on rest for each row execute function run();""",
    "sql from a query to xml": plain("perform query_to_xml('select deep.pu' || 'll()', true, true, '')"),
    "an update": trigger("begin perform deep.pull(); return new; end", when="before update of body"),
    "a domain of a row": """create type pair as (a int); create domain couple as pair;
      create function pulled(couple, bool default true) returns bool language sql as 'select deep.pull()';"""
    + trigger("declare p couple; b bool; begin b := p.pulled; return new; end"),
    "a format of one's own": """create function format(text, text) returns text language sql as
      $$select 'select deep.pu' || 'll()'$$;"""
    + plain("execute format('select %L', 'a'::text)"),
    "an escape without an e": plain(r"set local standard_conforming_strings = off; execute 'select deep.\160ull()'"),
    "a text given to an extension": "create extension tablefunc schema extensions;"
    + trigger(
        "declare q text := 'select deep.pull(), 1, 1'; begin perform * from extensions.crosstab(q) as x (a int, b int);"
        " return new; exception when others then return new; end"
    ),
    "setval": plain("perform setval('canary', 7)"),
    "dblink": """create extension dblink schema extensions;"""
    + plain(
        "begin perform extensions.dblink_exec('host=127.0.0.1 port=1', 'select 1'); exception when others then end"
    ),
    "a session that is ended": plain("perform pg_terminate_backend(pid) from pg_stat_activity where false"),
    "copy to a program": trigger("begin if false then copy calm to program 'true'; end if; return new; end"),
    "a file": trigger("begin if false then perform lo_export(1, '/nowhere'); end if; return new; end"),
}


@pytest.fixture(scope="module")
def bare(server: Server) -> Iterator[str]:
    with fresh_database(server) as url:
        yield url


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_row_is_tried_where_that_cannot_be_undone(bare: str, attack: str) -> None:
    with psycopg.connect(bare) as connection:
        connection.execute((CANARY + ATTACKS[attack]).encode())
        told = find_side_effects(connection)
        report = prove_isolation(connection, spare=True)
        drawn = connection.execute("select is_called from canary").fetchone()
        connection.rollback()
    states = {proof.table: proof for proof in report.tables}
    assert drawn == (False,)
    assert any(one.table in ("notes", "rest") and not one.harmless for one in told), told
    assert states["notes"].state in ("not proven", "leak") and not states["notes"].attempts
    if states["notes"].state == "not proven":
        assert ("--yes" in states["notes"].reason and "→" in states["notes"].reason) or "execute" in states[
            "notes"
        ].reason
    assert report.side_effects == told
    if "operator" not in attack and "cast" not in attack and "domain" not in attack:
        assert states["calm"].state == "proven", states["calm"].reason


SIGN_UP = """create function deep.on_user() returns trigger language plpgsql as
  'begin perform deep.pull(); return new; end';
  create trigger on_user after insert on auth.users for each row execute function deep.on_user();"""


def test_a_trigger_on_the_users_spares_every_table(bare: str) -> None:
    with psycopg.connect(bare) as connection:
        connection.execute((CANARY + SIGN_UP).encode())
        report = prove_isolation(connection, spare=True)
        assert connection.execute("select is_called from canary").fetchone() == (False,)
        agreed = prove_isolation(connection)
        assert connection.execute("select is_called from canary").fetchone() == (True,)
        connection.rollback()
    chain = "trigger on_user on auth.users → deep.on_user → deep.pull → nextval"
    assert all(proof.state == "not proven" and chain in proof.reason for proof in report.tables)
    assert report.side_effects[0].path == chain and report.side_effects[0].table == "auth.users"
    assert agreed.ok and any(chain in caveat for caveat in agreed.caveats)


def test_an_event_trigger_is_followed_where_a_trigger_defines_something(server: Server) -> None:
    with fresh_database(server) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            (CANARY.replace("set local", "set") + plain("create temp table x () on commit drop")).encode()
        )
        connection.execute(
            "create function public.seen() returns event_trigger language plpgsql as 'begin perform deep.pull(); end'"
        )
        assert all(one.harmless for one in find_side_effects(connection))
        with psycopg.connect(server.url(url.rpartition("/")[2], "supabase_admin"), autocommit=True) as admin:
            admin.execute("create event trigger seen on ddl_command_end execute function public.seen()")
        report = prove_isolation(connection, spare=True)
        assert connection.execute("select is_called from canary").fetchone() == (False,)
    assert "public.run → public.seen → deep.pull" in next(t.reason for t in report.tables if t.table == "notes")


HARMLESS = {
    "pg_net": "create extension pg_net;" + plain("perform net.http_post('http://127.0.0.1')"),
    "notify": plain("notify a; perform pg_notify('a', '')"),
    "a column that numbers its rows": "create table deep.log (x bigserial, y int generated always as identity);"
    + plain("insert into deep.log default values")
    + "alter function run() security definer;",
    "an insert into what refers to it": """create table deep.parts (note_id uuid references notes on delete cascade,
      x text default nextval('canary')::text, y bool default deep.pull());
      create function deep.run2() returns trigger language plpgsql as 'begin perform deep.pull(); return new; end';
      create trigger run2 before insert on deep.parts for each row execute function deep.run2();""",
    "a setting": plain("perform set_config('a.b', 'c', false); set local b.c = 'd'"),
    "a lock": plain("perform pg_advisory_xact_lock(1); perform pg_advisory_lock(2); perform pg_advisory_unlock(2)"),
    "a message": plain("raise log 'a'; raise warning 'cannot execute %: copy it to a safe place', 1"),
    "execute with values": plain("execute 'insert into calm select $1.id, $1.user_id where false' using new"),
    "execute of a format with values": plain("execute format('set local a.b to %L', coalesce(new.body, ''))"),
    "pgcrypto": "create extension if not exists pgcrypto;" + plain("new.body := md5(new.body)"),
    "a large object": plain("perform lo_unlink(lo_from_bytea(0, 'x'))"),
    "a trigger that is off": plain("perform deep.pull()") + "alter table notes disable trigger run;",
    "a function that nobody calls": "create function idle() returns bool language sql as 'select deep.pull()';",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_a_rollback_undoes_needs_no_question(bare: str, name: str) -> None:
    with psycopg.connect(bare) as connection:
        connection.execute((CANARY + HARMLESS[name]).encode())
        told = find_side_effects(connection)
        report = prove_isolation(connection, spare=True)
        assert connection.execute("select is_called from canary").fetchone() == (False,)
        connection.rollback()
    assert all(one.harmless for one in told), told
    assert report.ok, report.tables
