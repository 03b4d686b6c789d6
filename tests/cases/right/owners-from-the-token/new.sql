-- Triggers write who calls, and refuse or forget what nobody calls for.
create table orders (id uuid primary key default gen_random_uuid(), ordered_by uuid not null references auth.users, title text not null);
create table ideas (id uuid primary key default gen_random_uuid(), user_id uuid references auth.users, title text not null);
create table votes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users, idea_id uuid not null references ideas on delete cascade);
create function set_ordered_by() returns trigger language plpgsql as $$ begin new.ordered_by := auth.uid(); return new; end $$;
create function set_user() returns trigger language plpgsql as $$ begin new.user_id := auth.uid(); return new; end $$;
create function only_signed_in() returns trigger language plpgsql as $$
begin
  if auth.uid() is null then raise exception 'sign in first'; end if;
  return new;
end $$;
create trigger a before insert on orders for each row execute function set_ordered_by();
create trigger a before insert on ideas for each row execute function set_user();
create trigger a before insert on votes for each row execute function only_signed_in();
alter table orders enable row level security;
alter table ideas enable row level security;
alter table votes enable row level security;
grant select, insert on orders, ideas, votes to authenticated;
grant all on orders, ideas, votes to service_role;
create policy own on orders to authenticated using (ordered_by = auth.uid()) with check (ordered_by = auth.uid());
create policy own on ideas to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy own on votes to authenticated using (user_id = auth.uid())
  with check (user_id = auth.uid() and exists (select from ideas i where i.id = idea_id and i.user_id = auth.uid()));
