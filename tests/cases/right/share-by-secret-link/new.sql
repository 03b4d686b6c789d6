create table files (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, name text not null, token uuid not null default gen_random_uuid());
alter table files enable row level security;
grant all on files to anon, authenticated, service_role;
create policy own on files to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy link on files for select using (token::text = current_setting('request.headers', true)::json ->> 'x-share-token');
