create view private.totals as select user_id, number, amount from public.invoices;
grant select on private.totals to anon;
create function public.totals() returns setof private.totals language sql  as $$
select * from private.totals
$$;
