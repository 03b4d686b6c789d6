create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, score int not null default 0);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy see on notes for select to authenticated using (user_id = auth.uid());
create policy d on notes for delete to authenticated using (user_id = auth.uid() or score <= -5);
