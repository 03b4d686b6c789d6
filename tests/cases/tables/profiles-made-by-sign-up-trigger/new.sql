create table profiles (id uuid primary key references auth.users on delete cascade,
  username text not null unique check (length(username) > 3));
alter table profiles enable row level security;
grant all on profiles to authenticated, service_role;
create policy own on profiles to authenticated using (id = (select auth.uid()))
  with check (id = (select auth.uid()));
create function new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin insert into public.profiles values (new.id, new.raw_user_meta_data ->> 'username'); return new; end $$;
create trigger new_user after insert on auth.users for each row execute function new_user();
create table follows (follower uuid references profiles, followed uuid references profiles,
  primary key (follower, followed), check (follower <> followed));
alter table follows enable row level security;
grant all on follows to authenticated, service_role;
create policy own on follows to authenticated using (follower = (select auth.uid()))
  with check (follower = (select auth.uid()));
