create table people (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  name text not null);
create table patients (illness text not null, primary key (id), foreign key (user_id) references auth.users on delete cascade)
  inherits (people);
alter table people enable row level security;
grant select on people, patients to authenticated;
grant all on people, patients to service_role;
create policy own on people for select to authenticated using (user_id = (select auth.uid()));
