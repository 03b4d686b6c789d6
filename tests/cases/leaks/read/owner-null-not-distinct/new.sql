create table notes (id uuid primary key default gen_random_uuid(), user_id uuid references auth.users on delete set null, body text);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes using (user_id is not distinct from auth.uid());
