create table orgs (id uuid primary key default gen_random_uuid(), name text not null);
create table members (org_id uuid not null references orgs on delete cascade, user_id uuid not null references auth.users on delete cascade,
  role text not null default 'member' check (role in ('owner', 'admin', 'member')), primary key (org_id, user_id));
create function my_orgs(at_least text) returns setof uuid language sql stable security definer set search_path = '' as $$
  select m.org_id from public.members m where m.user_id = auth.uid() and (at_least = 'member' or m.role = 'owner' or m.role = at_least) $$;
create function add_creator() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if auth.uid() is not null then
    insert into public.members values (new.id, auth.uid(), 'owner');
  end if;
  return new;
end $$;
create trigger add_creator after insert on orgs for each row execute function add_creator();
alter table orgs enable row level security;
alter table members enable row level security;
grant all on orgs, members to authenticated, service_role;
create policy see on orgs for select to authenticated using (id in (select my_orgs('member')));
create policy make on orgs for insert to authenticated with check (true);
create policy change on orgs for update to authenticated using (id in (select my_orgs('admin'))) with check (id in (select my_orgs('admin')));
create policy remove on orgs for delete to authenticated using (id in (select my_orgs('owner')));
create policy see on members for select to authenticated using (org_id in (select my_orgs('member')));
create policy admins on members for all to authenticated using (org_id in (select my_orgs('admin'))) with check (org_id in (select my_orgs('admin')));
create table docs (id uuid primary key default gen_random_uuid(), org_id uuid not null references orgs on delete cascade, body text);
alter table docs enable row level security;
grant all on docs to authenticated, service_role;
create policy own on docs to authenticated using (org_id in (select my_orgs('member'))) with check (org_id in (select my_orgs('member')));
