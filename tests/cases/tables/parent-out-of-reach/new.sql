create role keeper;
grant keeper to postgres with inherit false, set true;
create schema kept;
grant all on schema kept to keeper;
set local role keeper;
create table kept.far (id int primary key);
grant references, select on kept.far to postgres;
reset role;
create table a (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, far int not null references kept.far);
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
