-- What a trigger made refers to what it made before, and lets neither go alone.
create table teams (id uuid primary key default gen_random_uuid(), name text not null, founder uuid not null references auth.users);
create table team_roles (id uuid primary key default gen_random_uuid(), team_id uuid not null references teams on delete cascade, name text not null, unique (team_id));
create table team_members (team_id uuid not null references teams on delete cascade, user_id uuid not null references auth.users on delete cascade,
  role_id uuid not null references team_roles, primary key (team_id, user_id));
create function my_teams() returns setof uuid language sql stable security definer set search_path = '' as
  $$ select m.team_id from public.team_members m where m.user_id = auth.uid() $$;
create function add_founder() returns trigger language plpgsql security definer set search_path = '' as $$
declare made uuid;
begin
  insert into public.team_roles (team_id, name) values (new.id, 'founder') returning id into made;
  insert into public.team_members values (new.id, new.founder, made);
  return new;
end $$;
create trigger add_founder after insert on teams for each row execute function add_founder();
alter table teams enable row level security;
alter table team_roles enable row level security;
alter table team_members enable row level security;
grant select on teams, team_roles, team_members to authenticated;
grant all on teams, team_roles, team_members to service_role;
create policy members on teams for select to authenticated using (id in (select my_teams()));
create policy members on team_roles for select to authenticated using (team_id in (select my_teams()));
create policy members on team_members for select to authenticated using (team_id in (select my_teams()));
