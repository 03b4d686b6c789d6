-- as anon
select * from public.users;
