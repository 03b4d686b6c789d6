create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create table note_log (id bigint generated always as identity primary key, note_id uuid not null, user_id uuid not null
  references auth.users on delete cascade, title text not null, at timestamptz not null default now());
alter table note_log enable row level security;
grant select on note_log to authenticated;
grant all on note_log to service_role;
create policy see on note_log for select to authenticated using (at > now() - interval '1 day');
create function log_note() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.note_log (note_id, user_id, title) values (new.id, new.user_id, new.title);
  return new;
end $$;
create trigger logged after insert on notes for each row execute function log_note();
