create policy "members listen" on realtime.messages for select to authenticated
  using (exists (select 1 from public.room_users r
                  where r.user_id = (select auth.uid()) and 'room:' || r.room_id = (select realtime.topic())
                    and realtime.messages.extension in ('broadcast', 'presence')));

create function public.tell_room() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform realtime.broadcast_changes('room:' || coalesce(new.room_id, old.room_id), tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
  return null;
end $$;
create trigger tell_room after insert or update or delete on public.messages
  for each row execute function public.tell_room();
alter publication supabase_realtime drop table public.room_users;
