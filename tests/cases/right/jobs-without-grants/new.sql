create table jobs (id uuid primary key default gen_random_uuid(), payload jsonb not null default '{}');
revoke all on jobs from anon, authenticated, public;
alter table jobs enable row level security;
create table locks (name text primary key);
alter table locks enable row level security;
grant all on locks to anon, authenticated, service_role;
