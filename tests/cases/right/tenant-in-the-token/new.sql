create table tenants (id uuid primary key default gen_random_uuid(), name text not null);
create table orders (id uuid primary key default gen_random_uuid(), tenant_id uuid not null references tenants on delete cascade, total int not null default 0);
alter table tenants enable row level security;
grant all on tenants to authenticated, service_role;
alter table orders enable row level security;
grant all on orders to authenticated, service_role;
create policy mine on tenants for select to authenticated using (id = (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid);
create policy mine on orders to authenticated using (tenant_id = (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid)
  with check (tenant_id = (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid);
