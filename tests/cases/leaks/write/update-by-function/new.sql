create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, status text not null default 'draft');
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy see on notes for select to authenticated using (user_id = auth.uid());
create function unlocked(s text) returns boolean language plpgsql stable as $$ begin return s = any (array['a1', 'b2']); end $$;
create policy u on notes for update to authenticated using (unlocked(status)) with check (true);
