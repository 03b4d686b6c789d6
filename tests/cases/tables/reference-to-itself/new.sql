create table nodes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, parent uuid references nodes);
alter table nodes enable row level security;
grant all on nodes to authenticated, service_role;
create policy own on nodes to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table trees (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, root uuid not null references trees);
alter table trees enable row level security;
grant all on trees to authenticated, service_role;
create policy own on trees to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
drop policy own on trees;
create policy own on trees to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()) and root = id);
