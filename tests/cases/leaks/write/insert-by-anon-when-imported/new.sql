create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, source text not null default 'app');
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy see on notes for select to authenticated using (user_id = auth.uid());
create policy i on notes for insert to anon with check (source = 'import');
