create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, state text not null default 'new');
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy base on notes to authenticated using (state <> 'new' or user_id = auth.uid()) with check (user_id = auth.uid());
create policy guard on notes as restrictive to authenticated using (state in ('new', 'seen', 'kept') and (user_id = auth.uid() or state = 'kept'));
