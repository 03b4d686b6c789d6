create table objects (id uuid primary key default gen_random_uuid(), bucket text not null default 'private', name text not null);
alter table objects enable row level security;
grant all on objects to authenticated, service_role;
create policy own on objects to authenticated using (split_part(name, '/', 1) = auth.uid()::text) with check (split_part(name, '/', 1) = auth.uid()::text);
