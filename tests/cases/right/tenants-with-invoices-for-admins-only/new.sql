create table orgs (id uuid primary key default gen_random_uuid(), name text not null);
create table members (org_id uuid not null references orgs on delete cascade, user_id uuid not null references auth.users on delete cascade,
  role text not null default 'member' check (role in ('owner', 'admin', 'member')), primary key (org_id, user_id));
create function is_member(org uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.members m where m.org_id = org and m.user_id = auth.uid()) $$;
create function has_role(org uuid, roles text[]) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.members m where m.org_id = org and m.user_id = auth.uid() and m.role = any (roles)) $$;
alter table orgs enable row level security;
grant all on orgs to authenticated, service_role;
alter table members enable row level security;
grant all on members to authenticated, service_role;
create policy see on orgs for select to authenticated using (is_member(id));
create policy admins on orgs for update to authenticated using (has_role(id, '{owner,admin}')) with check (has_role(id, '{owner,admin}'));
create policy see on members for select to authenticated using (is_member(org_id));
create policy admins on members for all to authenticated using (has_role(org_id, '{owner,admin}')) with check (has_role(org_id, '{owner,admin}'));
create table invoices (id uuid primary key default gen_random_uuid(), org_id uuid not null references orgs on delete cascade, total numeric not null default 0);
alter table invoices enable row level security;
grant all on invoices to authenticated, service_role;
create policy admins on invoices for select to authenticated using (has_role(org_id, '{owner,admin}'));
