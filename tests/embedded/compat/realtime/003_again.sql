-- The older way of saying it.
drop publication if exists supabase_realtime;
create publication supabase_realtime;
alter publication supabase_realtime add table public.room_messages, public.rooms;
alter publication supabase_realtime set (publish = 'insert, update, delete');
