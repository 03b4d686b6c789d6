-- as supabase_admin
insert into auth.users (id, email) values ('a11ce000-0000-0000-0000-000000000000', 'alice@example.com');
grant select on auth.users to anon;
alter table auth.users enable row level security;
create policy p on auth.users for select to anon using (true);
