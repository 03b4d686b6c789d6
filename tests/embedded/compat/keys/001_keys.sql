create extension if not exists "uuid-ossp";
create extension if not exists "pgcrypto" with schema extensions;

create table public.api_tokens (
  id uuid primary key default uuid_generate_v4(),
  public_id uuid not null default extensions.uuid_generate_v4(),
  other_id uuid not null default gen_random_uuid(),
  token text not null default encode(gen_random_bytes(24), 'hex'),
  short_code text unique default upper(substr(encode(extensions.gen_random_bytes(8), 'base64'), 1, 6)),
  secret_hash text,
  created_at timestamptz not null default now()
);
alter table public.api_tokens enable row level security;

create function public.hash_secret(secret text) returns text language sql
set search_path = public, extensions as $$ select crypt(secret, gen_salt('bf', 4)) $$;
create function public.check_secret(token_id uuid, secret text) returns boolean language sql stable
set search_path = '' as $$
  select secret_hash = extensions.crypt(secret, secret_hash) from public.api_tokens where id = token_id
$$;

insert into public.api_tokens (secret_hash) values (public.hash_secret('open sesame'));
select encode(digest('abc', 'sha256'), 'hex'), encode(extensions.hmac('a', 'b', 'sha1'), 'base64');
