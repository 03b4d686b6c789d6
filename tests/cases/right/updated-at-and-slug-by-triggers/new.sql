create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, slug text unique, updated_at timestamptz);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create policy own on notes to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create function fill_slug() returns trigger language plpgsql as $$
begin
  update public.notes set slug = md5(random()::text) where id = new.id;
  return null;
end $$;
create trigger slugged after insert on notes for each row execute function fill_slug();
create function touch() returns trigger language plpgsql as $$ begin new.updated_at := clock_timestamp(); return new; end $$;
create trigger touched before update on notes for each row execute function touch();
