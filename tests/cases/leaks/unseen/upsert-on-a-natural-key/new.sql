create table pages (id uuid primary key default gen_random_uuid(), slug text not null unique, user_id uuid not null references auth.users on delete cascade, locked boolean not null default true);
alter table pages enable row level security;
grant all on pages to authenticated, service_role;

create policy see on pages for select to authenticated using (user_id = auth.uid() or not locked);
create policy add on pages for insert to authenticated with check (user_id = auth.uid());
create policy edit on pages for update to authenticated using (user_id = auth.uid() or not locked) with check (user_id = auth.uid());
