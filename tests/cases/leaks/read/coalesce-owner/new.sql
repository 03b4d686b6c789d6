create table notes (id uuid primary key default gen_random_uuid(), user_id uuid references auth.users on delete set null, body text);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (coalesce(user_id, auth.uid()) = auth.uid()) with check (user_id = auth.uid());
