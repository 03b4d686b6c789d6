create or replace function public.broadcast_room() returns trigger security definer language plpgsql as $$
begin
  perform realtime.broadcast_changes('room:' || coalesce(new.room_id, old.room_id)::text, tg_op, tg_op,
                                     tg_table_name, tg_table_schema, new, old);
  return null;
end;
$$;
create trigger broadcast_room after insert or update or delete on public.room_messages
  for each row execute function public.broadcast_room();

insert into public.rooms (topic) values ('lobby');
insert into public.room_messages (room_id, body) select id, 'hello' from public.rooms;
select realtime.send(jsonb_build_object('hello', 'world'), 'event', 'room:1', false);
alter publication supabase_realtime drop table public.rooms;
