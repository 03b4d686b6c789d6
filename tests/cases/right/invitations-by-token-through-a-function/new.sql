create table orgs (id uuid primary key default gen_random_uuid(), name text not null);
create table members (org_id uuid not null references orgs on delete cascade, user_id uuid not null references auth.users on delete cascade,
  role text not null default 'member' check (role in ('owner', 'member')), primary key (org_id, user_id));
create table invitations (id uuid primary key default gen_random_uuid(), org_id uuid not null references orgs on delete cascade,
  token text not null unique default gen_random_uuid()::text, expires_at timestamptz not null default now() + interval '7 days');
alter table orgs enable row level security;
alter table members enable row level security;
alter table invitations enable row level security;
grant all on orgs, members, invitations to authenticated, service_role;
create function is_member(org uuid) returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select from public.members m where m.org_id = org and m.user_id = (select auth.uid())) $$;
create policy see on orgs for select to authenticated using (is_member(id));
create policy see on members for select to authenticated using (is_member(org_id));
create policy see on invitations for select to authenticated using (is_member(org_id));
create function accept_invitation(token text) returns void language plpgsql security definer set search_path = '' as $$
declare
  found public.invitations;
begin
  select * into found from public.invitations i where i.token = accept_invitation.token and i.expires_at > now();
  if found.id is null then raise exception 'no such invitation'; end if;
  insert into public.members (org_id, user_id) values (found.org_id, auth.uid());
  delete from public.invitations where id = found.id;
end $$;
revoke execute on function is_member, accept_invitation from public, anon;
grant execute on function is_member, accept_invitation to authenticated;
