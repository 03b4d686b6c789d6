create table accounts (id uuid primary key default gen_random_uuid(), user_id uuid not null unique references auth.users, opened_at timestamptz not null default now());
create table entries (id bigint primary key generated always as identity, account_id uuid not null references accounts, amount numeric not null, at timestamptz not null default now());
alter table accounts enable row level security;
alter table entries enable row level security;
grant select on accounts, entries to authenticated;
grant select, insert, update on accounts to service_role;
grant select, insert on entries to service_role;
create policy own on accounts for select to authenticated using (user_id = auth.uid());
create policy own on entries for select to authenticated using (account_id in (select a.id from accounts a where a.user_id = auth.uid()));
