-- For the server only, and said so by policies that let in nobody.
create table tokens (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, hash text not null);
alter table tokens enable row level security;
grant all on tokens to anon, authenticated, service_role;
create policy nobody on tokens to anon using (false);
create policy no_user on tokens to authenticated using (false) with check (false);
