create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, slug text, archived boolean not null default false);
alter table notes enable row level security;
grant select, insert on notes to authenticated;
grant all on notes to service_role;
create function fill_slug() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.notes set slug = id::text where id = new.id;
  return null;
end $$;
create trigger slugged after insert on notes for each row execute function fill_slug();
create policy see on notes for select to authenticated using (user_id = (select auth.uid()) or archived);
create policy add on notes for insert to authenticated with check (user_id = (select auth.uid()));
