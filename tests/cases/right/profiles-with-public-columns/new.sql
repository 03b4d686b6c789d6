create table profiles (id uuid primary key references auth.users on delete cascade, username text not null unique, phone text);
alter table profiles enable row level security;
grant all on profiles to authenticated, service_role;
create policy own on profiles to authenticated using (id = auth.uid()) with check (id = auth.uid());
create view public_profiles as select id, username from profiles;
grant select on public_profiles to anon, authenticated;
