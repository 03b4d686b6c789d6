create table clubs (id uuid primary key default gen_random_uuid(), name text);
create table memberships (club_id uuid references clubs on delete cascade, user_id uuid not null references auth.users on delete cascade, state text not null default 'asked' check (state in ('asked', 'in')), primary key (club_id, user_id));
create table minutes (id uuid primary key default gen_random_uuid(), club_id uuid not null references clubs on delete cascade, body text);
create function member(club uuid) returns boolean language sql stable security definer set search_path = '' as $$ select exists (select from public.memberships where club_id = club and user_id = auth.uid() and state = 'in') $$;
alter table clubs enable row level security;
grant all on clubs to authenticated, service_role;
alter table memberships enable row level security;
grant all on memberships to authenticated, service_role;
alter table minutes enable row level security;
grant all on minutes to authenticated, service_role;

create policy mine on clubs for select to authenticated using (member(id));
create policy mine on memberships for select to authenticated using (user_id = auth.uid());
create policy ask on memberships for insert to authenticated with check (user_id = auth.uid());
create policy see on minutes for select to authenticated using (member(club_id));
