create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, locked boolean not null default false);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy see on notes for select to authenticated using (user_id = auth.uid());
create policy u on notes for update to authenticated using (locked = false and title = 'todo') with check (true);
