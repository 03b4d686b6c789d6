create table a (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade);
alter table a enable row level security;
create policy own on a to authenticated using (user_id = (select auth.uid()) and exists (select from a));
