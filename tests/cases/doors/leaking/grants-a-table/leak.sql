-- as anon
select share();
select * from public.profiles;
