create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create function notes_of(who uuid) returns setof notes language sql stable security definer set search_path = '' as $$
  select * from public.notes where user_id = who $$;
create function my_notes(who uuid default auth.uid()) returns setof notes language sql stable set search_path = '' as $$
  select * from public.notes_of(who) $$;
revoke execute on function notes_of, my_notes from public, anon;
grant execute on function notes_of, my_notes to authenticated;
