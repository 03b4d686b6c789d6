-- A policy names one row of a list of roles, in a table that has a row per user: the list belongs to no group.
create table site_settings (only_row boolean primary key default true check (only_row), banner text not null default '');
insert into site_settings default values;
create table app_roles (name text primary key, rank smallint not null check (rank between 1 and 9));
insert into app_roles values ('reader', 1), ('editor', 2), ('chief', 3);
create table staff (user_id uuid primary key references auth.users on delete cascade, role_name text not null references app_roles);
alter table site_settings enable row level security;
alter table app_roles enable row level security;
alter table staff enable row level security;
grant select on site_settings to anon;
grant select, update on site_settings to authenticated;
grant select on app_roles, staff to authenticated;
grant all on site_settings, app_roles, staff to service_role;
create policy see on site_settings for select using (true);
create policy change on site_settings for update to authenticated
  using (exists (select from staff s where s.user_id = (select auth.uid()) and s.role_name = 'chief'))
  with check (exists (select from staff s where s.user_id = (select auth.uid()) and s.role_name = 'chief'));
create policy see on app_roles for select to authenticated using (true);
create policy own on staff for select to authenticated using (user_id = (select auth.uid()));
