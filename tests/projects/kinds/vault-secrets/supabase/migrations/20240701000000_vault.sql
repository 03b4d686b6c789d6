create extension if not exists supabase_vault with schema vault;

create table public.integrations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references auth.users on delete cascade,
  kind text not null,
  secret_id uuid unique references vault.secrets (id) on delete set null
);
create index on public.integrations (user_id);
alter table public.integrations enable row level security;
grant select, insert, update, delete on public.integrations to authenticated, service_role;
create policy own on public.integrations to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create function public.secret_of(integration uuid) returns text
language sql stable security definer set search_path = '' as $$
  select decrypted_secret from vault.decrypted_secrets s
    join public.integrations i on i.secret_id = s.id where i.id = $1 and i.user_id = (select auth.uid())
$$;
revoke execute on function public.secret_of(uuid) from public, anon;
grant execute on function public.secret_of(uuid) to authenticated;

select vault.create_secret('http://127.0.0.1:54321', 'project_url', 'where the functions are');
do $$
begin
  if not exists (select from vault.decrypted_secrets where name = 'project_url' and decrypted_secret like 'http%') then
    raise exception 'the secret cannot be read';
  end if;
end $$;
