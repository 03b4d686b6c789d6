create table people (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  name text not null);
create table patients (illness text not null, primary key (id), foreign key (user_id) references auth.users on delete cascade)
  inherits (people);
alter table people enable row level security;
alter table patients enable row level security;
grant all on people, patients to authenticated, service_role;
create policy own on people to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy own on patients to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
