create table a (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, sent boolean not null default false);
alter table a enable row level security;
create policy r on a for select to authenticated using (user_id = (select auth.uid()));
create policy w on a for update to authenticated using (user_id = (select auth.uid()) and sent);
