-- The table that `promthctl seed` and `promthctl keys` work with; its keys are encrypted before they are stored.

create table public.api_keys (
  id            uuid not null default gen_random_uuid(),
  user_id       uuid not null,
  provider      varchar(50) not null,
  encrypted_key text not null,
  key_hash      text not null,
  masked_key    varchar(20) not null,
  metadata      jsonb not null default '{}',
  last_used     timestamptz,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint api_keys_pkey primary key (id),
  constraint api_keys_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

create index api_keys_user_id_provider_idx on public.api_keys (user_id, provider);
create index api_keys_metadata_idx on public.api_keys using gin (metadata);

create function public.update_api_keys_updated_at()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at = now();
  return new;
end;
$$;

revoke all on function public.update_api_keys_updated_at() from public, anon, authenticated, service_role;

create trigger update_api_keys_updated_at
  before update on public.api_keys
  for each row execute function public.update_api_keys_updated_at();

revoke all on table public.api_keys from public, anon, authenticated;
grant select, insert, update, delete on table public.api_keys to authenticated;
grant all on table public.api_keys to service_role;

alter table public.api_keys enable row level security;

create policy api_keys_select_own on public.api_keys
  for select to authenticated
  using (user_id = (select auth.uid()));

create policy api_keys_insert_own on public.api_keys
  for insert to authenticated
  with check (user_id = (select auth.uid()));

create policy api_keys_update_own on public.api_keys
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

create policy api_keys_delete_own on public.api_keys
  for delete to authenticated
  using (user_id = (select auth.uid()));
