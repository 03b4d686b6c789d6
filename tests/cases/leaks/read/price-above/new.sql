create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, price numeric not null default 0);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or price > 100) with check (user_id = (select auth.uid()));
