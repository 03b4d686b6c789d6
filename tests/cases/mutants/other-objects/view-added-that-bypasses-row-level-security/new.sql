create view public.all_keys as select * from public.api_keys;
