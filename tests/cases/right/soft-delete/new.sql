create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text, deleted_at timestamptz);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy see on notes for select to authenticated using (user_id = auth.uid() and deleted_at is null);
create policy add on notes for insert to authenticated with check (user_id = auth.uid());
create policy edit on notes for update to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
