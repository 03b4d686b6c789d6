create table events (id uuid not null default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, year int not null default 2026, primary key (id, year)) partition by list (year);
create table events_2026 partition of events for values in (2026);
alter table events enable row level security;
grant all on events to authenticated, service_role; grant select on events_2026 to authenticated;
create policy own on events to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
