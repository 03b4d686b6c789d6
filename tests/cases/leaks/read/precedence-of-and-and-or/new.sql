create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  team text not null default 'none', shared boolean not null default false);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy see on notes for select to authenticated using (user_id = auth.uid() and team = 'none' or team = 'red' or shared and team = 'blue');
create policy own on notes to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
