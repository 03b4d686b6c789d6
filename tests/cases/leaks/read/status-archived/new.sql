create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, status text not null default 'draft' check (status in ('draft', 'review', 'archived')));
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or status = 'archived') with check (user_id = (select auth.uid()));
