create table plans (id uuid primary key default gen_random_uuid(), name text not null, price numeric not null);
alter table plans enable row level security;
grant select on plans to anon, authenticated, service_role;
create policy shown on plans for select to anon, authenticated using (true);
