create table orgs (id uuid primary key default gen_random_uuid(), name text);
create table members (org_id uuid references orgs on delete cascade, user_id uuid references auth.users on delete cascade,
  role text not null default 'member' check (role in ('member', 'admin')), primary key (org_id, user_id));
create table invoices (id uuid primary key default gen_random_uuid(), org_id uuid not null references orgs on delete cascade, total numeric);
alter table orgs enable row level security; alter table members enable row level security; alter table invoices enable row level security;
grant all on orgs, members, invoices to authenticated, service_role;
create policy mine on members for select to authenticated using (user_id = auth.uid());
create policy mine on orgs for select to authenticated using (exists (select from members m where m.org_id = orgs.id and m.user_id = auth.uid()));
create policy admins on invoices for select to authenticated using (
  exists (select from members m where m.user_id = auth.uid() and m.role = 'admin'));
