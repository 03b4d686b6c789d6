create table plans (id text primary key, free boolean not null default false);
alter table plans enable row level security;
grant all on plans to service_role; grant select on plans to authenticated;
create policy everyone on plans for select to authenticated using (true);
create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, plan text);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or exists (select from plans p where p.id = notes.plan and p.free)) with check (user_id = (select auth.uid()));
