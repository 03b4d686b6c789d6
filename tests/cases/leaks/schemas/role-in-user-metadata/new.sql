create table reports (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  text text not null);
alter table reports enable row level security;
grant all on reports to authenticated, service_role;
create policy own on reports to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy admins on reports for select to authenticated
  using ((select auth.jwt() -> 'user_metadata' ->> 'org_role') = 'auditor');
