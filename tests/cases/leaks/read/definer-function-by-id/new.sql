create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, stage text not null default 'one');
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create function may_see(note uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.notes n where n.id = note and (n.user_id = auth.uid() or n.stage = 'final')) $$;
create policy see on notes for select to authenticated using (may_see(id));
create policy own on notes to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
