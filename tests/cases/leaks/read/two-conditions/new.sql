create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, status text not null default 'draft', price int not null default 9);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or (status = 'sold' and price < 5)) with check (user_id = (select auth.uid()));
