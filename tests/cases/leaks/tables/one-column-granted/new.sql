create table accounts (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, iban text not null default '', frozen boolean not null default false);
alter table accounts enable row level security;
revoke all on accounts from anon, authenticated; grant select (iban) on accounts to anon; grant all on accounts to service_role; grant select on accounts to authenticated;
create policy own on accounts for select to authenticated using (user_id = auth.uid());
create policy frozen on accounts for select to anon using (frozen);
