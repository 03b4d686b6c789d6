create table contact (id uuid primary key default gen_random_uuid(), email text not null, message text not null check (length(message) between 1 and 5000));
alter table contact enable row level security;
grant all on contact to anon, authenticated, service_role;
create policy send on contact for insert to anon, authenticated with check (true);
