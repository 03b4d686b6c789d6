grant select on auth.users to anon;
