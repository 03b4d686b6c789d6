-- as authenticated
select email from auth.users;
