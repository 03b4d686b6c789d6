-- as supabase_admin
alter schema app owner to postgres;
