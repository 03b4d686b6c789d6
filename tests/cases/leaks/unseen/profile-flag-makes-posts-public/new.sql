create table profiles (id uuid primary key references auth.users on delete cascade, discoverable boolean not null default false);
create table posts (id uuid primary key default gen_random_uuid(), author_id uuid not null references profiles on delete cascade, body text);
alter table profiles enable row level security;
grant all on profiles to authenticated, service_role;
alter table posts enable row level security;
grant all on posts to authenticated, service_role;

create policy own on profiles to authenticated using (id = auth.uid()) with check (id = auth.uid());
create function discoverable(who uuid) returns boolean language sql stable security definer set search_path = '' as $$ select discoverable from public.profiles where id = who $$;
create policy see on posts for select to authenticated using (author_id = auth.uid() or discoverable(author_id));
create policy own on posts to authenticated using (author_id = auth.uid()) with check (author_id = auth.uid());
