-- Exactly one of the columns is filled.
create table options (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, flag boolean, amount numeric, word text, day date,
  check ((flag is not null)::integer + (amount is not null)::integer + (word is not null)::integer + (day is not null)::integer = 1));
alter table options enable row level security;
grant select, insert, update, delete on options to authenticated;
create policy own on options to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
