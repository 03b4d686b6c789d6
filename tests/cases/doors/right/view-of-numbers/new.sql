create view public.totals as select status, count(*) as number, sum(price) as price from public.notes group by status;
