-- as anon
select email from auth.users;
