create table wages (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, amount numeric not null default 0, year int not null default 2026);
alter table wages enable row level security;
grant all on wages to authenticated, service_role;

create policy own on wages to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create view wages_by_year with (security_barrier) as select user_id, amount from wages where case when year < 2020 then true else false end;
grant select on wages_by_year to authenticated;
