create table events (id uuid primary key default gen_random_uuid(), organizer_id uuid not null references auth.users on delete cascade, title text not null, is_public boolean not null default false);
create table tickets (id uuid primary key default gen_random_uuid(), event_id uuid not null references events on delete cascade, holder_id uuid not null references auth.users on delete cascade, used boolean not null default false);
create function organizes(event uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.events e where e.id = event and e.organizer_id = auth.uid()) $$;
alter table events enable row level security;
grant all on events to anon, authenticated, service_role;
alter table tickets enable row level security;
grant all on tickets to anon, authenticated, service_role;
create policy shown on events for select using (is_public or organizer_id = auth.uid());
create policy own on events to authenticated using (organizer_id = auth.uid()) with check (organizer_id = auth.uid());
create policy holder on tickets for select to authenticated using (holder_id = auth.uid());
create policy organizer on tickets to authenticated using (organizes(event_id)) with check (organizes(event_id));
