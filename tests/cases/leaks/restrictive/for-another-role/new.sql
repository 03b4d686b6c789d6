create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, hot boolean not null default false);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy base on notes using (user_id = auth.uid() or hot) with check (user_id = auth.uid());
create policy guard on notes as restrictive to authenticated using (user_id = auth.uid());
