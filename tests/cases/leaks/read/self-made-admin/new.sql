create table profiles (id uuid primary key references auth.users on delete cascade, name text, is_admin boolean not null default false);
create table tickets (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text);
alter table profiles enable row level security; alter table tickets enable row level security;
grant all on profiles, tickets to authenticated, service_role;
create policy own on profiles to authenticated using (id = auth.uid()) with check (id = auth.uid());
create policy own on tickets to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy admins on tickets for select to authenticated using (exists (select from profiles p where p.id = auth.uid() and p.is_admin));
