create table a (id serial primary key, owner_id uuid references auth.users,
  approved_by uuid references auth.users);
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (owner_id = (select auth.uid()))
  with check (owner_id = (select auth.uid()));
create table b (id serial primary key, created_by uuid not null references auth.users,
  assignee uuid not null references auth.users, check (created_by <> assignee));
alter table b enable row level security;
grant all on b to authenticated, service_role;
create policy own on b to authenticated using (created_by = (select auth.uid()))
  with check (created_by = (select auth.uid()));
create table c (id serial primary key, user_id uuid not null default auth.uid());
alter table c enable row level security;
grant all on c to authenticated, service_role;
create policy own on c to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
