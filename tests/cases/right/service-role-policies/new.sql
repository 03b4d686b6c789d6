create table webhooks (id uuid primary key default gen_random_uuid(), body text);
alter table webhooks enable row level security;
grant all on webhooks to anon, authenticated, service_role;
create policy server on webhooks using (auth.role() = 'service_role') with check (auth.role() = 'service_role');
create table stripe (user_id uuid primary key references auth.users on delete cascade, customer text);
alter table stripe enable row level security;
grant all on stripe to authenticated, service_role;
create policy server on stripe to service_role using (true) with check (true);
