create schema if not exists private;
create schema api;
revoke all on schema private from public;
grant usage on schema private to service_role;
grant usage on schema api to anon, authenticated, service_role;

create table private.settings (key text primary key, value jsonb not null);
create table public.posts (
  id bigint generated always as identity primary key,
  author uuid not null default auth.uid() references auth.users on delete cascade,
  title text not null
);
create index on public.posts (author);
alter table public.posts enable row level security;

create function private.limit_of(name text) returns integer language sql stable security definer set search_path = ''
as $$ select (value ->> 0)::integer from private.settings where key = name $$;

create policy own on public.posts for all to authenticated
  using (author = (select auth.uid())) with check (author = (select auth.uid()));
grant select, insert, update, delete on public.posts to authenticated, service_role;

create function api.count_posts() returns bigint language sql stable security invoker
as $$ select count(*) from public.posts $$;
insert into private.settings values ('posts', '[100]');
