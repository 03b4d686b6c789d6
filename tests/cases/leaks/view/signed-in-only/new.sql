create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  body text, published boolean not null default false);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create view board as select * from notes where auth.uid() is not null;
grant select on board to authenticated;
