create table a (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade);
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create function me() returns trigger language plpgsql as $$
begin new.user_id = coalesce(auth.uid(), new.user_id); return new; end $$;
create trigger me before insert on a for each row execute function me();
