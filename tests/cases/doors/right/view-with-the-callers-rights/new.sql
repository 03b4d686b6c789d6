create view public.my_titles with (security_invoker = true) as select id, title from public.notes;
