create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text);
create function staff() returns boolean language sql stable security definer set search_path = '' as
 $$ select coalesce((select raw_user_meta_data ->> 'role' = 'staff' from auth.users where id = auth.uid()), false) $$;
alter table notes enable row level security;
grant all on notes to authenticated, service_role;

create policy own on notes to authenticated using (user_id = auth.uid() or staff()) with check (user_id = auth.uid());
