"""A correct database is broken in every way we could think of: verify names each, and what it says mends it.

Every case runs in one transaction of one database, which is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import discover, packaged_source
from promthctl.schema import Catalog, Difference, compare, snapshot
from tests.embedded.test_compat import COMPAT, STYLES
from tests.servers import Server, fresh_database


@dataclass(frozen=True)
class Mutant:
    """One way to break the database.

    sql: breaks it. kind, name: what verify must say, with its state. given: executed first, part of what is expected.
    admin: by the superuser. mends: False where no SQL takes it back.
    """

    title: str
    sql: str
    kind: str
    name: str
    state: str = "different"
    given: str = ""
    admin: bool = False
    mends: bool = True


_OWN = "user_id = (select auth.uid())"
_VIEW = "create view public.v with (security_invoker = true) as select id, title from public.prompts;"
_FUNCTION = """create function public.f(a integer default 1) returns integer language sql stable
  security definer set search_path = '' as 'select a + 1'; revoke all on function public.f from public, anon;"""
_ENUM = "create type public.mood as enum ('good', 'bad');"
_DOMAIN = "create domain public.percent as integer default 0 check (value between 0 and 100);"
_ROLE = "create role reader; grant select on public.prompts to reader;"

MUTANTS = (
    # row level security and policies
    Mutant("rls off", "alter table public.messages disable row level security", "rls", "public.messages"),
    Mutant("force rls on", "alter table public.messages force row level security", "rls", "public.messages"),
    Mutant(
        "force rls off",
        "alter table public.messages no force row level security",
        "rls",
        "public.messages",
        given="alter table public.messages force row level security",
    ),
    Mutant(
        "policy dropped",
        "drop policy messages_select_own on public.messages",
        "policies",
        "public.messages.messages_select_own",
        "missing",
    ),
    Mutant(
        "policy renamed",
        "alter policy messages_select_own on public.messages rename to other",
        "policies",
        "public.messages.other",
        "extra",
    ),
    Mutant(
        "policy widened to true",
        "alter policy messages_select_own on public.messages using (true)",
        "policies",
        "public.messages.messages_select_own",
    ),
    Mutant(
        "policy widened by or",
        f"alter policy api_keys_select_own on public.api_keys using ({_OWN} or provider = 'vanchin')",
        "policies",
        "public.api_keys.api_keys_select_own",
    ),
    Mutant(
        "policy on another column",
        "alter policy projects_select_own on public.projects using (id = (select auth.uid()))",
        "policies",
        "public.projects.projects_select_own",
    ),
    Mutant(
        "policy calls per row",
        "alter policy projects_select_own on public.projects using (user_id = auth.uid())",
        "policies",
        "public.projects.projects_select_own",
    ),
    Mutant(
        "policy given to public",
        "alter policy messages_select_own on public.messages to public",
        "policies",
        "public.messages.messages_select_own",
    ),
    Mutant(
        "policy given to another role",
        "alter policy messages_select_own on public.messages to anon",
        "policies",
        "public.messages.messages_select_own",
    ),
    Mutant(
        "policy given to one more role",
        "alter policy messages_select_own on public.messages to authenticated, anon",
        "policies",
        "public.messages.messages_select_own",
    ),
    Mutant(
        "with check widened",
        "alter policy prompts_insert_own on public.prompts with check (true)",
        "policies",
        "public.prompts.prompts_insert_own",
    ),
    Mutant(
        "with check lost",
        f"""drop policy prompts_update_own on public.prompts;
            create policy prompts_update_own on public.prompts for update to authenticated using ({_OWN})""",
        "policies",
        "public.prompts.prompts_update_own",
    ),
    Mutant(
        "half of with check lost",
        """alter policy tool_executions_insert_own on public.tool_executions with check (
             project_id = any (array(select id from public.projects where user_id = (select auth.uid()))))""",
        "policies",
        "public.tool_executions.tool_executions_insert_own",
    ),
    Mutant(
        "policy for all commands",
        f"""drop policy prompts_delete_own on public.prompts;
            create policy prompts_delete_own on public.prompts for all to authenticated using ({_OWN})""",
        "policies",
        "public.prompts.prompts_delete_own",
    ),
    Mutant(
        "policy restrictive",
        f"""drop policy projects_delete_own on public.projects;
            create policy projects_delete_own on public.projects as restrictive for delete to authenticated
            using ({_OWN})""",
        "policies",
        "public.projects.projects_delete_own",
    ),
    Mutant(
        "one more policy",
        "create policy everybody on public.api_keys for select using (true)",
        "policies",
        "public.api_keys.everybody",
        "extra",
    ),
    Mutant(
        "policy on storage.objects",
        "create policy everybody on storage.objects for select using (true)",
        "policies",
        "storage.objects.everybody",
        "extra",
    ),
    Mutant(
        "policy on storage.objects dropped",
        "drop policy mine on storage.objects",
        "policies",
        "storage.objects.mine",
        "missing",
        given="""create policy mine on storage.objects for select to authenticated
                 using (bucket_id = 'a' and (storage.foldername(name))[1] = (select auth.uid())::text)""",
    ),
    # grants
    Mutant(
        "granted to anon",
        "grant select on public.api_keys to anon",
        "grants",
        "table public.api_keys to anon",
        "extra",
    ),
    Mutant(
        "granted to public",
        "grant select on public.api_keys to public",
        "grants",
        "table public.api_keys to public",
        "extra",
    ),
    Mutant(
        "more granted",
        "grant truncate on public.messages to authenticated",
        "grants",
        "table public.messages to authenticated",
        "extra",
    ),
    Mutant(
        "grant lost",
        "revoke insert on public.messages from authenticated",
        "grants",
        "table public.messages to authenticated",
        "missing",
    ),
    Mutant(
        "service_role locked out",
        "revoke all on public.projects from service_role",
        "grants",
        "table public.projects to service_role",
        "missing",
    ),
    Mutant(
        "grant on a column",
        "grant select (masked_key) on public.api_keys to anon",
        "grants",
        "table public.api_keys to anon",
        "extra",
    ),
    Mutant(
        "grant narrowed to columns",
        """revoke update on public.prompts from authenticated;
           grant update (title, content) on public.prompts to authenticated""",
        "grants",
        "table public.prompts to authenticated",
    ),
    Mutant(
        "grant option",
        "grant select on public.prompts to authenticated with grant option",
        "grants",
        "table public.prompts to authenticated",
        "extra",
    ),
    Mutant(
        "function opened",
        "grant execute on function public.update_updated_at_column() to public",
        "grants",
        "function public.update_updated_at_column() to public",
        "extra",
    ),
    Mutant(
        "schema closed",
        "revoke usage on schema public from public, authenticated",
        "grants",
        "schema public to authenticated",
        "missing",
    ),
    Mutant(
        "schema writable",
        "grant create on schema public to authenticated",
        "grants",
        "schema public to authenticated",
        "extra",
    ),
    Mutant("users opened", "grant select on auth.users to anon", "grants", "table auth.users to anon", "extra"),
    Mutant(
        "sequence opened",
        "grant all on sequence public.s to anon",
        "grants",
        "sequence public.s to anon",
        "extra",
        given="create sequence public.s; revoke all on sequence public.s from anon",
    ),
    Mutant(
        "own role loses its grant",
        "revoke select on public.prompts from reader",
        "grants",
        "table public.prompts to reader",
        "missing",
        given=_ROLE,
    ),
    Mutant(
        "defaults opened",
        "alter default privileges in schema public grant select on tables to public",
        "default_privileges",
        "tables of postgres in schema public to public",
        "extra",
    ),
    Mutant(
        "defaults opened again",
        """alter default privileges for role postgres in schema public grant select on tables to anon""",
        "default_privileges",
        "tables of postgres in schema public to anon",
        "extra",
        given="alter default privileges for role postgres in schema public revoke all on tables from anon",
    ),
    Mutant("role bypasses rls", "alter role authenticated bypassrls", "roles", "authenticated"),
    Mutant("role joins another", "grant service_role to authenticated", "roles", "authenticated"),
    Mutant("role may do nothing more", "alter role service_role nobypassrls", "roles", "service_role"),
    # functions
    Mutant(
        "function body",
        "create or replace function public.f(a integer default 1) returns integer language sql stable"
        " security definer set search_path = '' as 'select a + 2'",
        "functions",
        "public.f(integer)",
        given=_FUNCTION,
    ),
    Mutant(
        "loose search_path",
        "alter function public.f(integer) reset search_path",
        "functions",
        "public.f(integer)",
        given=_FUNCTION,
    ),
    Mutant(
        "other search_path",
        "alter function public.update_updated_at_column() set search_path = public",
        "functions",
        "public.update_updated_at_column()",
    ),
    Mutant(
        "security definer",
        "alter function public.update_updated_at_column() security definer",
        "functions",
        "public.update_updated_at_column()",
    ),
    Mutant(
        "volatility", "alter function public.f(integer) volatile", "functions", "public.f(integer)", given=_FUNCTION
    ),
    Mutant(
        "strictness",
        "alter function public.f(integer) strict",
        "functions",
        "public.f(integer)",
        given=_FUNCTION,
    ),
    Mutant(
        "argument's default",
        """drop function public.f(integer);
           create function public.f(a integer default 7) returns integer language sql stable
           security definer set search_path = '' as 'select a + 1'""",
        "functions",
        "public.f(integer)",
        given=_FUNCTION,
    ),
    Mutant(
        "result type",
        """drop function public.f(integer);
           create function public.f(a integer default 1) returns bigint language sql stable
           security definer set search_path = '' as 'select a + 1'""",
        "functions",
        "public.f(integer)",
        given=_FUNCTION,
    ),
    Mutant("function dropped", "drop function public.f", "functions", "public.f(integer)", "missing", given=_FUNCTION),
    Mutant("one more function", _FUNCTION, "functions", "public.f(integer)", "extra"),
    Mutant(
        "overload",
        "create function public.f(a text) returns text language sql as 'select a'",
        "functions",
        "public.f(text)",
        "extra",
        given=_FUNCTION,
    ),
    # indexes
    Mutant(
        "index dropped",
        "drop index public.messages_session_id_created_at_idx",
        "indexes",
        "public.messages_session_id_created_at_idx",
        "missing",
    ),
    Mutant(
        "index on other columns",
        """drop index public.projects_user_id_updated_at_idx;
           create index projects_user_id_updated_at_idx on public.projects (updated_at desc, user_id)""",
        "indexes",
        "public.projects_user_id_updated_at_idx",
    ),
    Mutant(
        "index in another order",
        """drop index public.projects_user_id_updated_at_idx;
           create index projects_user_id_updated_at_idx on public.projects (user_id, updated_at)""",
        "indexes",
        "public.projects_user_id_updated_at_idx",
    ),
    Mutant(
        "index made partial",
        """drop index public.cli_sessions_user_id_idx;
           create index cli_sessions_user_id_idx on public.cli_sessions (user_id) where status = 'connected'""",
        "indexes",
        "public.cli_sessions_user_id_idx",
    ),
    Mutant(
        "index no longer partial",
        """drop index public.prompts_public_updated_at_idx;
           create index prompts_public_updated_at_idx on public.prompts (updated_at desc)""",
        "indexes",
        "public.prompts_public_updated_at_idx",
    ),
    Mutant(
        "index of another method",
        """drop index public.cli_sessions_user_id_idx;
           create index cli_sessions_user_id_idx on public.cli_sessions using hash (user_id)""",
        "indexes",
        "public.cli_sessions_user_id_idx",
    ),
    Mutant(
        "index no longer unique",
        "drop index public.u; create index u on public.prompts (title)",
        "indexes",
        "public.u",
        given="create unique index u on public.prompts (title)",
    ),
    Mutant(
        "one more index",
        "create index more on public.messages (role)",
        "indexes",
        "public.more",
        "extra",
    ),
    # columns
    Mutant(
        "default changed",
        "alter table public.chat_sessions alter column title set default 'Chat'",
        "columns",
        "public.chat_sessions.title",
    ),
    Mutant(
        "default lost",
        "alter table public.messages alter column id drop default",
        "columns",
        "public.messages.id",
    ),
    Mutant(
        "null allowed",
        "alter table public.messages alter column content drop not null",
        "columns",
        "public.messages.content",
    ),
    Mutant(
        "null forbidden",
        "alter table public.prompts alter column tags set not null",
        "columns",
        "public.prompts.tags",
    ),
    Mutant(
        "length changed",
        "alter table public.chat_sessions alter column title type varchar(100)",
        "columns",
        "public.chat_sessions.title",
    ),
    Mutant(
        "type changed",
        "alter table public.projects alter column current_agent type bigint",
        "columns",
        "public.projects.current_agent",
    ),
    Mutant(
        "timestamp without time zone",
        "alter table public.agent_logs alter column created_at type timestamp",
        "columns",
        "public.agent_logs.created_at",
    ),
    Mutant(
        "column dropped",
        "alter table public.api_keys drop column metadata",
        "columns",
        "public.api_keys.metadata",
        "missing",
    ),
    Mutant(
        "one more column",
        "alter table public.api_keys add column plain_key text",
        "columns",
        "public.api_keys.plain_key",
        "extra",
    ),
    Mutant(
        "one more serial column",
        "alter table public.api_keys add column number serial",
        "columns",
        "public.api_keys.number",
        "extra",
    ),
    Mutant(
        "column renamed",
        "alter table public.api_keys rename column masked_key to mask",
        "columns",
        "public.api_keys.masked_key",
        "missing",
    ),
    Mutant(
        "identity changed",
        "alter table public.prompts alter column number set generated by default",
        "columns",
        "public.prompts.number",
        given="alter table public.prompts add column number bigint generated always as identity",
    ),
    Mutant(
        "identity lost",
        "alter table public.prompts alter column number drop identity",
        "columns",
        "public.prompts.number",
        given="alter table public.prompts add column number bigint generated always as identity",
    ),
    Mutant(
        "no longer generated",
        "alter table public.prompts alter column size drop expression",
        "columns",
        "public.prompts.size",
        given="alter table public.prompts add column size integer generated always as (length(content)) stored",
    ),
    Mutant(
        "generated where plain",
        """alter table public.projects drop column error_message;
           alter table public.projects add column error_message text generated always as (status || '!') stored""",
        "columns",
        "public.projects.error_message",
    ),
    Mutant(
        "collation",
        'alter table public.prompts alter column content type text collate "C"',
        "columns",
        "public.prompts.content",
    ),
    # constraints
    Mutant(
        "cascade lost",
        """alter table public.messages drop constraint messages_session_id_fkey,
           add constraint messages_session_id_fkey foreign key (session_id) references public.chat_sessions (id)""",
        "constraints",
        "public.messages.messages_session_id_fkey",
    ),
    Mutant(
        "foreign key to another table",
        """alter table public.messages drop constraint messages_session_id_fkey,
           add constraint messages_session_id_fkey foreign key (session_id) references public.projects (id)
           on delete cascade""",
        "constraints",
        "public.messages.messages_session_id_fkey",
    ),
    Mutant(
        "foreign key dropped",
        "alter table public.agent_logs drop constraint agent_logs_project_id_fkey",
        "constraints",
        "public.agent_logs.agent_logs_project_id_fkey",
        "missing",
    ),
    Mutant(
        "foreign key not valid",
        """alter table public.agent_logs drop constraint agent_logs_project_id_fkey,
           add constraint agent_logs_project_id_fkey foreign key (project_id) references public.projects (id)
           on delete cascade not valid""",
        "constraints",
        "public.agent_logs.agent_logs_project_id_fkey",
    ),
    Mutant(
        "foreign key deferrable",
        "alter table public.agent_logs alter constraint agent_logs_project_id_fkey deferrable initially deferred",
        "constraints",
        "public.agent_logs.agent_logs_project_id_fkey",
    ),
    Mutant(
        "check dropped",
        "alter table public.messages drop constraint messages_role_check",
        "constraints",
        "public.messages.messages_role_check",
        "missing",
    ),
    Mutant(
        "check widened",
        """alter table public.messages drop constraint messages_role_check,
           add constraint messages_role_check check (role in ('user', 'assistant', 'system', 'tool'))""",
        "constraints",
        "public.messages.messages_role_check",
    ),
    Mutant(
        "one more check",
        "alter table public.messages add constraint short check (length(content) < 100)",
        "constraints",
        "public.messages.short",
        "extra",
    ),
    Mutant(
        "unique dropped",
        "alter table public.cli_sessions drop constraint cli_sessions_session_token_key",
        "constraints",
        "public.cli_sessions.cli_sessions_session_token_key",
        "missing",
    ),
    Mutant(
        "primary key changed",
        """alter table public.messages drop constraint messages_pkey,
           add constraint messages_pkey primary key (id, session_id)""",
        "constraints",
        "public.messages.messages_pkey",
    ),
    Mutant(
        "primary key dropped",
        "alter table public.messages drop constraint messages_pkey",
        "constraints",
        "public.messages.messages_pkey",
        "missing",
    ),
    # triggers
    Mutant(
        "trigger disabled",
        "alter table public.projects disable trigger update_projects_updated_at",
        "triggers",
        "public.projects.update_projects_updated_at",
    ),
    Mutant(
        "trigger dropped",
        "drop trigger update_projects_updated_at on public.projects",
        "triggers",
        "public.projects.update_projects_updated_at",
        "missing",
    ),
    Mutant(
        "trigger's time",
        """create or replace trigger update_projects_updated_at after update on public.projects
           for each row execute function public.update_updated_at_column()""",
        "triggers",
        "public.projects.update_projects_updated_at",
    ),
    Mutant(
        "trigger's events",
        """create or replace trigger update_projects_updated_at before insert on public.projects
           for each row execute function public.update_updated_at_column()""",
        "triggers",
        "public.projects.update_projects_updated_at",
    ),
    Mutant(
        "trigger's condition",
        """create or replace trigger update_projects_updated_at before update on public.projects
           for each row when (old.status <> new.status) execute function public.update_updated_at_column()""",
        "triggers",
        "public.projects.update_projects_updated_at",
    ),
    Mutant(
        "trigger's function",
        """create or replace trigger update_projects_updated_at before update on public.projects
           for each row execute function public.update_cli_session_last_seen()""",
        "triggers",
        "public.projects.update_projects_updated_at",
    ),
    Mutant(
        "one more trigger",
        """create trigger more before insert on public.projects
           for each row execute function public.update_updated_at_column()""",
        "triggers",
        "public.projects.more",
        "extra",
    ),
    Mutant(
        "trigger on auth.users",
        """create trigger welcome after insert on auth.users
           for each row execute function public.update_updated_at_column()""",
        "triggers",
        "auth.users.welcome",
        "extra",
    ),
    Mutant(
        "trigger on auth.users dropped",
        "drop trigger welcome on auth.users",
        "triggers",
        "auth.users.welcome",
        "missing",
        given="""create trigger welcome after insert on auth.users
                 for each row execute function public.update_updated_at_column()""",
    ),
    Mutant(
        "event trigger",
        """create function public.on_ddl() returns event_trigger language plpgsql as 'begin end';
           create event trigger spy on ddl_command_end execute function public.on_ddl()""",
        "event_triggers",
        "spy",
        "extra",
        admin=True,
    ),
    Mutant(
        "foreign keys not watched",
        "alter table public.messages disable trigger all",
        "constraints",
        "public.messages.messages_session_id_fkey",
        admin=True,
    ),
    # tables, views, types, sequences, schemas, extensions, publications
    Mutant("table without rls", "create table public.t (id int)", "tables", "public.t", "extra"),
    Mutant("table dropped", "drop table public.tool_executions", "tables", "public.tool_executions", "missing"),
    Mutant(
        "tables dropped",
        "drop table public.projects, public.agent_logs, public.deployment_logs, public.tool_executions",
        "tables",
        "public.projects",
        "missing",
    ),
    Mutant("all lost", "drop schema public cascade; create schema public", "tables", "public.messages", "missing"),
    Mutant("table unlogged", "alter table public.tool_executions set unlogged", "tables", "public.tool_executions"),
    Mutant("replica identity", "alter table public.messages replica identity full", "tables", "public.messages"),
    Mutant(
        "view bypasses rls",
        "create view public.all_keys as select * from public.api_keys",
        "views",
        "public.all_keys",
        "extra",
    ),
    Mutant(
        "view no longer invoker's", "alter view public.v reset (security_invoker)", "views", "public.v", given=_VIEW
    ),
    Mutant(
        "view's text",
        "create or replace view public.v with (security_invoker = true) as"
        " select id, title from public.prompts where is_public",
        "views",
        "public.v",
        given=_VIEW,
    ),
    Mutant("view dropped", "drop view public.v", "views", "public.v", "missing", given=_VIEW),
    Mutant(
        "materialized view",
        """create materialized view public.m as select * from public.api_keys;
           create index on public.m (user_id)""",
        "views",
        "public.m",
        "extra",
    ),
    Mutant(
        "enum value added", "alter type public.mood add value 'fair'", "types", "public.mood", given=_ENUM, mends=False
    ),
    Mutant(
        "enum value lacking",
        "drop type public.mood; create type public.mood as enum ('bad')",
        "types",
        "public.mood",
        given=_ENUM,
    ),
    Mutant("enum dropped", "drop type public.mood", "types", "public.mood", "missing", given=_ENUM),
    Mutant(
        "domain's check",
        """alter domain public.percent drop constraint percent_check;
           alter domain public.percent add constraint percent_check check (value > 0)""",
        "types",
        "public.percent",
        given=_DOMAIN,
    ),
    Mutant(
        "sequence's step",
        "alter sequence public.s increment 2",
        "sequences",
        "public.s",
        given="create sequence public.s",
    ),
    Mutant(
        "sequence dropped",
        "drop sequence public.s",
        "sequences",
        "public.s",
        "missing",
        given="create sequence public.s",
    ),
    Mutant("schema added", "create schema app", "schemas", "app", "extra"),
    Mutant(
        "schema dropped",
        "drop schema app",
        "schemas",
        "app",
        "missing",
        given="create schema app; grant usage on schema app to anon",
    ),
    Mutant("extension added", "create extension citext with schema extensions", "extensions", "citext", "extra"),
    Mutant(
        "extension dropped",
        "drop extension citext",
        "extensions",
        "citext",
        "missing",
        given="create extension citext with schema extensions",
    ),
    Mutant(
        "table published",
        "alter publication supabase_realtime add table public.api_keys",
        "publications",
        "supabase_realtime: public.api_keys",
        "extra",
    ),
    Mutant(
        "table no longer published",
        "alter publication supabase_realtime drop table public.messages",
        "publications",
        "supabase_realtime: public.messages",
        "missing",
        given="alter publication supabase_realtime add table public.messages",
    ),
    Mutant(
        "fewer changes published",
        "alter publication supabase_realtime set (publish = 'insert')",
        "publications",
        "supabase_realtime",
        given="alter publication supabase_realtime add table public.messages",
    ),
    Mutant(
        "fewer columns published",
        """alter publication supabase_realtime drop table public.messages;
           alter publication supabase_realtime add table public.messages (id)""",
        "publications",
        "supabase_realtime: public.messages",
        given="alter publication supabase_realtime add table public.messages",
    ),
)

# What may differ between two databases that are the same. Title → SQL, after which nothing may be reported.
HARMLESS = {
    "comments": """comment on table public.messages is 'x'; comment on column public.messages.id is 'x';
        comment on policy messages_select_own on public.messages is 'x'; comment on schema public is 'x'""",
    "index renamed": "alter index public.messages_session_id_created_at_idx rename to messages_created_at_idx",
    "constraint renamed": "alter table public.messages rename constraint messages_role_check to role_is_known",
    "primary key renamed": "alter index public.messages_pkey rename to messages_id_pk",
    "column order": """alter table public.api_keys drop column metadata;
        alter table public.api_keys add column metadata jsonb not null default '{}';
        alter table public.api_keys drop column last_used, add column last_used timestamptz;
        create index on public.api_keys using gin (metadata)""",
    "owner": "alter table public.messages owner to supabase_admin",
    "function's owner": "alter function public.update_updated_at_column() owner to supabase_admin",
    "whitespace, case and comments in a body": """create or replace function public.update_updated_at_column()
        returns trigger language plpgsql set search_path = '' as
        $$ BEGIN -- stamps it
             NEW.updated_at = NOW() ; /* now */
             RETURN NEW; END; $$""",
    "policy written differently": """alter policy projects_select_own on public.projects
        using (((projects.user_id) = (SELECT auth.uid() AS "uid")))""",
    "grants one by one": """revoke all on public.projects from authenticated;
        grant select, insert on public.projects to authenticated;
        grant update, delete on public.projects to authenticated""",
    "grant on every column": """revoke select on public.cli_sessions from authenticated;
        grant select (id, user_id, session_token, machine_id, machine_name, os_info, cli_version, connected_at,
          last_seen_at, status, metadata) on public.cli_sessions to authenticated""",
    "grant that everybody has": "revoke usage on schema public from authenticated",
    "default written differently": "alter table public.chat_sessions alter column metadata set default jsonb '{}'",
    "history": """create schema supabase_migrations;
        create table supabase_migrations.schema_migrations (version text primary key)""",
    "roles of the platform": """create role supabase_etl_admin; create role cli_login_postgres;
        create role somebody; grant select on all tables in schema public to supabase_etl_admin""",
    "extensions of the platform": "create extension pg_net; create extension pg_graphql",
    "new projects grant nothing by default": """
        alter default privileges for role postgres in schema public
          revoke all on tables from anon, authenticated, service_role;
        alter default privileges for role postgres in schema public
          revoke all on routines from anon, authenticated, service_role;
        alter default privileges for role postgres revoke execute on routines from public""",
    "statistics and storage": """alter table public.messages alter column content set statistics 500;
        alter table public.messages set (fillfactor = 80); alter table public.messages cluster on messages_pkey""",
    "rows": "insert into auth.users (id, email) values (gen_random_uuid(), 'a@b.c')",
    "rls switched on for new tables": """create function public.rls_auto_enable() returns event_trigger
        language plpgsql security definer set search_path = pg_catalog as 'begin end';
        create event trigger ensure_rls on ddl_command_end execute function public.rls_auto_enable()""",
    "no realtime": "drop publication supabase_realtime",
    "function planned differently": "alter function public.update_updated_at_column() cost 50",
}
_AS_ADMIN = {"owner", "function's owner", "rls switched on for new tables"}


@pytest.fixture(scope="module")
def database_name(server: Server) -> Iterator[str]:
    """One Supabase-shaped database with the Mr.Promth migrations; no case leaves anything in it."""
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for migration in discover(packaged_source()):
                connection.execute(migration.content)
        yield url.rpartition("/")[2]


@pytest.fixture(scope="module")
def connections(server: Server, database_name: str) -> Iterator[dict[str, psycopg.Connection[Any]]]:
    with (
        psycopg.connect(server.url(database_name)) as postgres,
        psycopg.connect(server.url(database_name, "supabase_admin")) as admin,
    ):
        yield {"postgres": postgres, "supabase_admin": admin}


@pytest.fixture
def database(connections: dict[str, psycopg.Connection[Any]]) -> Iterator[psycopg.Connection[Any]]:
    """The database as role postgres; what a test does is rolled back."""
    connection = connections["postgres"]
    yield connection
    connection.rollback()


@pytest.fixture
def admin(connections: dict[str, psycopg.Connection[Any]]) -> Iterator[psycopg.Connection[Any]]:
    connection = connections["supabase_admin"]
    yield connection
    connection.rollback()


def mended(connection: psycopg.Connection[Any], expected: Catalog, found: tuple[Difference, ...]) -> None:
    """Executing what verify says leaves nothing to say."""
    for difference in found:
        connection.execute(difference.fix.encode())
    again = compare(expected, snapshot(connection))
    assert again == (), "\n".join(f"{one}\n{one.fix}" for one in (*found, *again))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.title)
def test_a_broken_database_is_named_and_mended(
    database: psycopg.Connection[Any], admin: psycopg.Connection[Any], mutant: Mutant
) -> None:
    connection = admin if mutant.admin else database
    connection.execute(mutant.given.encode())
    expected = snapshot(connection)
    assert compare(expected, expected) == ()
    connection.execute(mutant.sql.encode())
    found = compare(expected, snapshot(connection))
    assert (mutant.kind, mutant.name, mutant.state) in [(one.kind, one.name, one.state) for one in found], found
    assert len(found) <= 3 or mutant.title in ("tables dropped", "all lost"), found
    if mutant.mends:
        mended(connection, expected, found)
    else:
        assert all(one.fix.startswith("--") for one in found)


@pytest.mark.parametrize("title", HARMLESS)
def test_what_does_not_matter_is_not_reported(
    database: psycopg.Connection[Any], admin: psycopg.Connection[Any], title: str
) -> None:
    connection = admin if title in _AS_ADMIN else database
    expected = snapshot(connection)
    connection.execute(HARMLESS[title].encode())
    assert compare(expected, snapshot(connection)) == ()


def test_a_dump_and_its_restore_change_nothing(database: psycopg.Connection[Any]) -> None:
    """What Postgres prints and reads again it may print differently: (array[...])::text[] for one."""
    expected = snapshot(database)
    for name, policy in expected.of("policies").items():
        table = policy["table"]
        using = f" using ({policy['using']})" if policy["using"] else ""
        check = f" with check ({policy['check']})" if policy["check"] else ""
        database.execute(f"alter policy {name[len(table) + 1 :]} on {table}{using}{check}".encode())
    for name, constraint in expected.of("constraints").items():
        if constraint["definition"].startswith("CHECK"):
            table, short = constraint["table"], name[len(constraint["table"]) + 1 :]
            anew = f"drop constraint {short}, add constraint {short} {constraint['definition']}"
            database.execute(f"alter table {table} {anew}".encode())
    assert compare(expected, snapshot(database)) == ()


def test_only_asks_for_some_kinds(database: psycopg.Connection[Any]) -> None:
    expected = snapshot(database)
    database.execute(
        """alter table public.messages disable row level security; drop index public.cli_sessions_user_id_idx;
           alter table public.prompts drop column tags; grant select on public.prompts to anon"""
    )
    found = compare(expected, snapshot(database), only=("tables", "rls", "indexes"))
    assert [one.kind for one in found] == ["columns", "indexes", "rls"]
    assert compare(expected, snapshot(database), only=("functions",)) == ()


def test_a_reading_changes_nothing(database: psycopg.Connection[Any]) -> None:
    database.execute("set search_path = public; set datestyle = 'German'")
    snapshot(database)
    for name, value in (("search_path", "public"), ("datestyle", "German, DMY"), ("transaction_read_only", "off")):
        assert database.execute(f"show {name}".encode()).fetchone() == (value,)


# Its extensions hold up one another, which their names do not tell.
_STYLES = [style for style in STYLES if style not in ("platform", "search")]


@pytest.mark.parametrize("style", _STYLES)
def test_schemas_of_other_projects_are_built_and_taken_down(database: psycopg.Connection[Any], style: str) -> None:
    """From nothing to everything and back, by executing what verify says."""
    empty = snapshot(database)
    for file in sorted((COMPAT / style).glob("*.sql")):
        database.execute(file.read_bytes())
    full = snapshot(database)
    assert Catalog.from_json(full.to_json()) == full
    mended(database, empty, compare(empty, full))
    mended(database, full, compare(full, snapshot(database)))
