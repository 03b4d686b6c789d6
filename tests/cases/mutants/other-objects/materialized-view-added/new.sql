create materialized view public.m as select * from public.api_keys;
create index on public.m (user_id);
