create table trips (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, km numeric not null default 0);
alter table trips enable row level security;
grant all on trips to authenticated, service_role;
create policy own on trips to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create view my_trips with (security_invoker) as select * from trips where km > 0;
create view my_own_trips as select id, km from trips where user_id = auth.uid();
grant select on my_trips, my_own_trips to authenticated;
