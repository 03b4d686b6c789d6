create table orgs (id uuid primary key default gen_random_uuid(), name text not null);
create table members (org_id uuid references orgs on delete cascade, user_id uuid references auth.users on delete cascade,
  primary key (org_id, user_id));
create table invitations (id uuid primary key default gen_random_uuid(), org_id uuid not null references orgs on delete cascade,
  email text not null, token text not null unique default gen_random_uuid()::text, accepted_at timestamptz);
alter table orgs enable row level security;
alter table members enable row level security;
alter table invitations enable row level security;
grant all on orgs, members, invitations to authenticated, service_role;
create policy own on members for select to authenticated using (user_id = (select auth.uid()));
create policy see on orgs for select to authenticated using (exists (
  select from members m where m.org_id = orgs.id and m.user_id = (select auth.uid())));
create policy see on invitations for select to authenticated using (token is not null and accepted_at is null);
