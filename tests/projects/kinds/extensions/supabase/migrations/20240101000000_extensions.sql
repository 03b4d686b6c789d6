create extension if not exists ltree with schema extensions;
create extension if not exists citext with schema extensions;
create extension if not exists unaccent schema extensions;
create extension if not exists pg_trgm with schema extensions;
create extension if not exists hstore with schema extensions;
create extension if not exists "uuid-ossp";
create extension if not exists moddatetime schema extensions;
create extension if not exists fuzzystrmatch with schema public;
set search_path = public, extensions;

create table public.places (
  id uuid primary key default uuid_generate_v4(),
  path extensions.ltree not null,
  name extensions.citext not null unique,
  attributes extensions.hstore not null default '',
  token text not null default encode(extensions.gen_random_bytes(16), 'hex'),
  updated_at timestamptz not null default now()
);
create index places_path on public.places using gist (path);
create index places_name on public.places using gin ((name::text) extensions.gin_trgm_ops);
create trigger touched before update on public.places for each row execute procedure extensions.moddatetime(updated_at);
alter table public.places enable row level security;
grant select on public.places to service_role;
