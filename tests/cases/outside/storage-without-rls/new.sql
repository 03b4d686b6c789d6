-- as supabase_admin
insert into storage.buckets (id, name) values ('bucket of alice', 'b');
alter table storage.buckets disable row level security;
