create table a (user_id uuid not null references auth.users on delete cascade, x text);
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
