create table tenants (id uuid primary key default gen_random_uuid(), name text); create table bills (id uuid primary key default gen_random_uuid(), tenant_id uuid not null references tenants on delete cascade, total int);
alter table tenants enable row level security;
grant all on tenants to authenticated, service_role;
alter table bills enable row level security;
grant all on bills to authenticated, service_role;

create policy mine on tenants for select to authenticated using (id::text = auth.jwt() -> 'user_metadata' ->> 'tenant');
create policy mine on bills for select to authenticated using (tenant_id::text = auth.jwt() -> 'user_metadata' ->> 'tenant');
