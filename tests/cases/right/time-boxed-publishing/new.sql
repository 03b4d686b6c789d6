create table articles (id uuid primary key default gen_random_uuid(), author_id uuid not null references auth.users on delete cascade, publish_at timestamptz, unpublish_at timestamptz);
alter table articles enable row level security;
grant all on articles to anon, authenticated, service_role;
create policy shown on articles for select using (publish_at <= now() and (unpublish_at is null or unpublish_at > now()));
create policy own on articles to authenticated using (author_id = auth.uid()) with check (author_id = auth.uid());
