create view public.users as select id, email, created_at from auth.users;
