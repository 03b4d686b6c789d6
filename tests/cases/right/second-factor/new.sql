create table wallets (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, balance numeric not null default 0);
alter table wallets enable row level security;
grant all on wallets to authenticated, service_role;
create policy own on wallets to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy factor on wallets as restrictive to authenticated using (auth.jwt() ->> 'aal' = 'aal2');
