create table invoices (id uuid primary key default gen_random_uuid(), org_id uuid not null, amount numeric not null);
alter table invoices enable row level security;
grant all on invoices to authenticated, service_role;
create policy see on invoices for select to authenticated
  using (org_id = ((select auth.jwt()) -> 'app_metadata' ->> 'org_id')::uuid);
create policy change on invoices for update to authenticated
  using (org_id = ((select auth.jwt()) -> 'app_metadata' ->> 'org_id')::uuid
    and ((select auth.jwt()) -> 'app_metadata' ->> 'org_role') in ('owner', 'billing'))
  with check (org_id = ((select auth.jwt()) -> 'app_metadata' ->> 'org_id')::uuid);
