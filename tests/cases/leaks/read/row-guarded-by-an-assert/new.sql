create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null);
alter table notes enable row level security;
grant all on notes to authenticated, service_role;
create function keep_title() returns trigger language plpgsql as $$
begin
  assert new.user_id = old.user_id, 'a note keeps its owner';
  return new;
end $$;
create trigger kept before update on notes for each row execute function keep_title();
create policy see on notes for select to authenticated using (user_id = (select auth.uid()));
create policy add on notes for insert to authenticated with check (user_id = (select auth.uid()));
create policy edit on notes for update to authenticated using (true);
