-- as supabase_admin
alter table public.messages owner to supabase_admin;
