create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text);
create table old_notes (closed boolean not null default false, primary key (id)) inherits (notes);
alter table notes enable row level security; alter table old_notes enable row level security;
grant all on notes, old_notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy own on old_notes to authenticated using (user_id = auth.uid() or closed) with check (user_id = auth.uid());
