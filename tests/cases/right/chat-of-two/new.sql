create table rooms (id uuid primary key default gen_random_uuid(), created_at timestamptz not null default now());
create table participants (room_id uuid not null references rooms on delete cascade, user_id uuid not null references auth.users on delete cascade, primary key (room_id, user_id));
create table messages (id uuid primary key default gen_random_uuid(), room_id uuid not null references rooms on delete cascade, sender_id uuid not null references auth.users on delete cascade, body text not null);
create function in_room(room uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select 1 from public.participants where room_id = room and user_id = (select auth.uid())) $$;
alter table rooms enable row level security;
grant all on rooms to authenticated, service_role;
alter table participants enable row level security;
grant all on participants to authenticated, service_role;
alter table messages enable row level security;
grant all on messages to authenticated, service_role;
create policy see on rooms for select to authenticated using (in_room(id));
create policy see on participants for select to authenticated using (in_room(room_id));
create policy see on messages for select to authenticated using (in_room(room_id));
create policy send on messages for insert to authenticated with check (sender_id = auth.uid() and in_room(room_id));
create policy edit on messages for update to authenticated using (sender_id = auth.uid()) with check (sender_id = auth.uid() and in_room(room_id));
