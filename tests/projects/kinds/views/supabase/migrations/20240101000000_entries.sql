create table public.entries (
  id bigint generated always as identity primary key,
  user_id uuid not null default auth.uid() references auth.users on delete cascade,
  amount numeric(12, 2) not null,
  booked_on date not null default current_date
);
create index on public.entries (user_id, booked_on);
alter table public.entries enable row level security;
create policy own on public.entries to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
grant select, insert, update, delete on public.entries to authenticated, service_role;

create view public.balances with (security_invoker = true) as
  select user_id, date_trunc('month', booked_on)::date as month, sum(amount) as balance
    from public.entries group by 1, 2;
grant select on public.balances to authenticated, service_role;

create materialized view public.totals as select count(*) as entries, sum(amount) as amount from public.entries;
create unique index on public.totals (entries);
revoke all on public.totals from anon, authenticated;
