create type kind as enum ('private', 'team', 'shared');
create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, kind kind not null default 'private');
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or kind = 'shared') with check (user_id = (select auth.uid()));
