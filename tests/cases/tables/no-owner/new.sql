create table countries (code char(2) primary key);
alter table countries enable row level security;
create policy everyone on countries for select using (true);
create table addresses (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, country char(2) not null references countries);
alter table addresses enable row level security;
grant all on addresses to authenticated, service_role;
create policy own on addresses to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table inbox (id serial primary key, body text);
alter table inbox enable row level security;
create policy anyone on inbox for insert with check (true);
create table rules (id serial primary key);
alter table rules enable row level security;
create policy few on rules for select using (auth.jwt() ->> 'email' = 'a@example.com');
create table settings (id serial primary key);
alter table settings enable row level security;
revoke all on settings from anon, authenticated;
