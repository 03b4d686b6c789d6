-- Roles and their rights are rows that everybody reads; who created a row opens nothing.
create table roles (name text primary key, rank integer not null default 1);
create table role_rights (role text not null references roles on delete cascade, permission text not null, primary key (role, permission));
insert into roles values ('owner', 2), ('member', 1);
insert into role_rights values ('owner', 'contracts.manage'), ('owner', 'firm.manage'), ('member', 'contracts.manage');
create table firms (id uuid primary key default gen_random_uuid(), created_by uuid not null references auth.users, name text not null);
create table memberships (id uuid primary key default gen_random_uuid(), firm_id uuid not null references firms on delete cascade,
  user_id uuid not null references auth.users on delete cascade, role text not null references roles, unique (firm_id, user_id));
create table contracts (id uuid primary key default gen_random_uuid(), firm_id uuid not null references firms on delete cascade,
  created_by uuid references auth.users, title text not null);
create function may(firm uuid, wanted text) returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select from public.memberships m join public.role_rights r on r.role = m.role
    where m.firm_id = firm and m.user_id = auth.uid() and r.permission = wanted) $$;
create function my_firms() returns setof uuid language sql stable security definer set search_path = '' as
  $$ select m.firm_id from public.memberships m where m.user_id = auth.uid() $$;
create function add_owner() returns trigger language plpgsql security definer set search_path = '' as
  $$ begin insert into public.memberships (firm_id, user_id, role) values (new.id, new.created_by, 'owner'); return new; end $$;
create trigger add_owner after insert on firms for each row execute function add_owner();
alter table roles enable row level security;
alter table role_rights enable row level security;
alter table firms enable row level security;
alter table memberships enable row level security;
alter table contracts enable row level security;
grant select on roles, role_rights to authenticated;
grant select, insert, update, delete on firms, memberships, contracts to authenticated;
grant all on roles, role_rights, firms, memberships, contracts to service_role;
create policy everybody on roles for select to authenticated using (true);
create policy everybody on role_rights for select to authenticated using (true);
create policy see on firms for select to authenticated using (id in (select my_firms()));
create policy make on firms for insert to authenticated with check (created_by = auth.uid());
create policy change on firms for update to authenticated using (may(id, 'firm.manage')) with check (may(id, 'firm.manage'));
create policy see on memberships for select to authenticated using (firm_id in (select my_firms()));
create policy manage on memberships to authenticated using (may(firm_id, 'firm.manage')) with check (may(firm_id, 'firm.manage'));
create policy see on contracts for select to authenticated using (firm_id in (select my_firms()));
create policy manage on contracts to authenticated using (may(firm_id, 'contracts.manage')) with check (may(firm_id, 'contracts.manage'));
