create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, deleted_at timestamptz);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create view live_notes as select id, user_id, title from notes where deleted_at is null;
grant select on live_notes to authenticated;
