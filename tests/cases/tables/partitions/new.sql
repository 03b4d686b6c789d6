create table events (id uuid default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, at date not null, primary key (id, at))
  partition by range (at);
alter table events enable row level security;
grant all on events to authenticated, service_role;
create policy own on events to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table events_1 partition of events for values from ('2024-01-01') to ('2025-01-01');
create table events_2 partition of events for values from ('2025-01-01') to ('2026-01-01');
alter table events_1 enable row level security;
