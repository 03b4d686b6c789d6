create view public.listed as select * from public.notes where status = 'active' and is_public;
