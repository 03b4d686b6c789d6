create table a (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade);
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table b (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade);
alter table b enable row level security;
grant all on b to authenticated, service_role;
create policy own on b to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table c (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade,
  a uuid references a, b uuid references b, check (num_nonnulls(a, b) = 1));
alter table c enable row level security;
create policy own on c to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()) and (a is null or exists (
  select from a where a.id = c.a)) and (b is null or exists (select from b where b.id = c.b)));
