create table notes (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, title text not null, a text not null default 'x', b int not null default 0, c boolean not null default false);
alter table notes enable row level security;
grant all on notes to anon, authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid()) or (a = 'k' and b > 77 and c)) with check (user_id = (select auth.uid()));
