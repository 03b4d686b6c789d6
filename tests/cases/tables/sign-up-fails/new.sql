create table a (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade);
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create function never() returns trigger language plpgsql as $$ begin raise exception 'never'; end $$;
create trigger never before insert on auth.users for each row execute function never();
