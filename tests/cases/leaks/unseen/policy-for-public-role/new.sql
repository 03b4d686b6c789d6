create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text, state text not null default 'kept');
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;

create policy p1 on notes using (case when auth.uid() is null then state = 'lost' else user_id = auth.uid() end);
