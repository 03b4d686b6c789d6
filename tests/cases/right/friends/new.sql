create table friendships (a uuid not null references auth.users on delete cascade, b uuid not null references auth.users on delete cascade, accepted boolean not null default false, primary key (a, b), check (a < b));
create table walls (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text not null);
create function befriended(other uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.friendships f where f.accepted and f.a = least(other, auth.uid()) and f.b = greatest(other, auth.uid())) $$;
alter table friendships enable row level security;
grant all on friendships to authenticated, service_role;
alter table walls enable row level security;
grant all on walls to authenticated, service_role;
create policy mine on friendships for select to authenticated using (auth.uid() in (a, b));
create policy own on walls to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy friends on walls for select to authenticated using (befriended(user_id));
