create materialized view public.totals as select status, count(*) as number from public.notes group by status;
