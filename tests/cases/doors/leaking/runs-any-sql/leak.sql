-- as mallory
select exec_sql('delete from public.notes');
