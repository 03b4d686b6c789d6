create table profiles (id uuid primary key references auth.users on delete cascade, name text, is_admin boolean not null default false);
create table reports (id uuid primary key default gen_random_uuid(), reporter_id uuid not null references auth.users on delete cascade, reason text not null);
create table flags (id uuid primary key default gen_random_uuid(), key text not null, enabled boolean not null default false);
create function is_admin() returns boolean language sql stable security definer set search_path = '' as
  $$ select coalesce((select is_admin from public.profiles where id = auth.uid()), false) $$;
alter table profiles enable row level security;
grant all on profiles to authenticated, service_role;
alter table reports enable row level security;
grant all on reports to authenticated, service_role;
alter table flags enable row level security;
grant all on flags to authenticated, service_role;
revoke insert, update on profiles from authenticated; grant update (name) on profiles to authenticated;
create policy own on profiles for select to authenticated using (id = auth.uid());
create policy rename on profiles for update to authenticated using (id = auth.uid()) with check (id = auth.uid());
create policy report on reports for insert to authenticated with check (reporter_id = auth.uid());
create policy own on reports for select to authenticated using (reporter_id = auth.uid() or is_admin());
create policy admins on flags to authenticated using (is_admin()) with check (is_admin());
