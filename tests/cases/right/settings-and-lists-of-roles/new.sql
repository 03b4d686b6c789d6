create table settings (id boolean primary key default true check (id), fee numeric not null check (fee > 0),
  opens int not null, closes int not null, ends int not null, check (opens > closes and closes > ends and ends > 0));
create table secrets (id int primary key default 1 check (id = 1), value text not null);
create table locks (id int primary key default 1 check (id = 1), held_until timestamptz);
alter table settings enable row level security;
alter table secrets enable row level security;
alter table locks enable row level security;
grant select on settings to anon, authenticated;
grant all on settings, secrets, locks to service_role;
create policy see on settings for select using (true);
insert into settings values (true, 1.5, 24, 12, 6);
insert into secrets values (1, 'FAKE');
create table times (id boolean primary key default true check (id), opens int not null, closes int not null, ends int not null,
  constraint falling check (opens > closes and closes > ends), constraint positive check (ends > 0));
create table schools (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, a text not null, b text not null default '',
  c text not null default '', d text not null default '', e text not null default '', f text not null default '',
  check (btrim(a) <> '' and btrim(b) <> '' and btrim(c) <> '' and btrim(d) <> '' and btrim(e) <> '' and btrim(f) <> ''));
create table roles (id text primary key check (id in ('admin', 'member', 'guest')), title text not null);
insert into roles values ('admin', 'Admin'), ('member', 'Member'), ('guest', 'Guest');
create table people (user_id uuid primary key references auth.users on delete cascade, role_id text not null references roles);
create table notices (id bigint primary key generated always as identity, body text not null);
alter table times enable row level security;
alter table schools enable row level security;
alter table roles enable row level security;
alter table people enable row level security;
alter table notices enable row level security;
grant all on times, schools, roles, people, notices to service_role;
grant select on roles, people, notices to authenticated;
grant all on schools to authenticated;
create policy own on schools to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy own on people for select to authenticated using (user_id = auth.uid());
create policy see on roles for select to authenticated using (true);
create policy staff on notices for select to authenticated using (exists (select from people p where p.user_id = auth.uid() and p.role_id in ('admin', 'member')));
