-- as supabase_admin
alter table public.messages disable trigger all;
