create or replace view public.balances with (security_invoker = on) as
  select user_id, date_trunc('month', booked_on)::date as month, sum(amount) as balance, count(*) as entries
    from public.entries group by 1, 2;
comment on view public.balances is 'Per user and month; the policies of entries hold.';
refresh materialized view public.totals;
