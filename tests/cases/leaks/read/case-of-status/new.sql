create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, status text not null default 'draft');
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or case status when 'open' then true when 'draft' then false else false end) with check (user_id = (select auth.uid()));
