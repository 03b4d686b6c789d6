create table posts (id uuid primary key default gen_random_uuid(), author_id uuid not null references auth.users on delete cascade, title text not null, published boolean not null default false, published_at timestamptz);
alter table posts enable row level security;
grant all on posts to anon, authenticated, service_role;
create policy public on posts for select using (published);
create policy own on posts to authenticated using (author_id = auth.uid()) with check (author_id = auth.uid());
