create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create table note_history (id bigint generated always as identity primary key, note_id uuid not null, user_id uuid not null
  references auth.users on delete cascade, title text not null, at timestamptz not null default now());
alter table note_history enable row level security;
grant select on note_history to authenticated;
grant all on note_history to service_role;
create policy own on note_history for select to authenticated using (user_id = (select auth.uid()));
create function keep_note() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.note_history (note_id, user_id, title) values (new.id, new.user_id, new.title);
  return new;
end $$;
create trigger kept after insert or update on notes for each row execute function keep_note();
