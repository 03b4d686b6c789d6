-- A handle is made of what stands before the @ of an address.
create table people (id uuid primary key references auth.users on delete cascade, handle text not null unique check (handle ~ '^[a-z][a-z0-9_]{2,19}$'), about text);
alter table people enable row level security;
grant select, update (about) on people to authenticated;
grant all on people to service_role;
create policy own on people to authenticated using (id = auth.uid()) with check (id = auth.uid());
create function add_person() returns trigger language plpgsql security definer set search_path = '' as
  $$ begin insert into public.people (id, handle) values (new.id, split_part(new.email, '@', 1)); return new; end $$;
create trigger add_person after insert on auth.users for each row execute function add_person();
revoke execute on function add_person() from public, anon, authenticated;
