create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create function my_notes() returns setof notes language sql stable security definer set search_path = '' as $$
  select * from public.notes where user_id = (select auth.uid()) $$;
create function add_note(title text) returns uuid language sql security definer set search_path = '' as $$
  insert into public.notes (user_id, title) values ((select auth.uid()), add_note.title) returning id $$;
create function drop_note(note uuid) returns void language sql security definer set search_path = '' as $$
  delete from public.notes where id = note and user_id = (select auth.uid()) $$;
revoke execute on function my_notes, add_note, drop_note from public, anon;
grant execute on function my_notes, add_note, drop_note to authenticated;
