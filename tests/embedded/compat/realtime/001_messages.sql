create table public.rooms (id bigint generated always as identity primary key, topic text unique not null);
create table public.room_messages (
  id bigint generated always as identity primary key,
  room_id bigint not null references public.rooms on delete cascade,
  body text not null,
  inserted_at timestamptz not null default now()
);
alter table public.rooms enable row level security;
alter table public.room_messages enable row level security;
alter table public.room_messages replica identity full;

alter publication supabase_realtime add table public.room_messages;
alter publication supabase_realtime add table only public.rooms;

do $$
begin
  if not exists (select from pg_publication_tables
                  where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'rooms') then
    alter publication supabase_realtime add table public.rooms;
  end if;
end $$;

create policy "Signed-in users receive broadcasts" on realtime.messages for select to authenticated
  using (realtime.messages.extension in ('broadcast', 'presence') and (select realtime.topic()) like 'room:%');
create policy "Signed-in users send broadcasts" on "realtime"."messages" for insert to authenticated with check (true);
