-- What a member may do asks more than who calls: nobody deletes the membership of whoever founded the group.
create table groups (id uuid primary key default gen_random_uuid(), founder_id uuid not null references auth.users, name text not null);
create table group_members (group_id uuid references groups on delete cascade, user_id uuid references auth.users on delete cascade,
  role text not null default 'owner' check (role in ('owner', 'member')), primary key (group_id, user_id));
create function in_group(its uuid, wanted text default null) returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select from public.group_members m where m.group_id = its and m.user_id = auth.uid() and (wanted is null or m.role = wanted)) $$;
create function add_founder() returns trigger language plpgsql security definer set search_path = '' as
  $$ begin insert into public.group_members values (new.id, new.founder_id, 'owner'); return new; end $$;
create trigger add_founder after insert on groups for each row execute function add_founder();
alter table groups enable row level security;
alter table group_members enable row level security;
grant select, delete on groups, group_members to authenticated;
grant all on groups, group_members to service_role;
create policy members on groups for select to authenticated using (in_group(id) or founder_id = auth.uid());
create policy members on group_members for select to authenticated using (in_group(group_id));
create policy owners on group_members for delete to authenticated
  using (in_group(group_id, 'owner') and user_id <> (select founder_id from groups g where g.id = group_id));
