create table events (id uuid not null default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  at date not null, what text not null, primary key (id, at)) partition by range (at);
create table events_old partition of events for values from ('2020-01-01') to ('2025-01-01');
create table events_new partition of events for values from ('2025-01-01') to ('2040-01-01');
alter table events enable row level security;
alter table events_old enable row level security;
alter table events_new enable row level security;
grant select, insert on events to authenticated;
grant all on events, events_old, events_new to service_role;
create policy own on events to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
