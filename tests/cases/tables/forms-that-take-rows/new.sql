-- Nobody but the server reads what is sent to these.
create table contact (id uuid primary key default gen_random_uuid(), email text not null, message text not null);
create policy send on contact for insert to anon with check (true);
create table feedback (id uuid primary key default gen_random_uuid(), stars int not null, spam boolean not null default false);
create policy send on feedback for insert to authenticated with check (stars between 1 and 5 and not spam);
create table page_views (id bigint generated always as identity primary key, path text not null, at timestamptz default now());
create policy count on page_views for insert to anon, authenticated with check (true);
-- Those who are on a list read it.
create table staff (user_id uuid primary key references auth.users on delete cascade);
create policy me on staff for select to authenticated using (user_id = (select auth.uid()));
create table leads (id uuid primary key default gen_random_uuid(), email text not null);
create policy send on leads for insert to anon with check (true);
create policy see on leads for select to authenticated using (exists (select from staff s where s.user_id = (select auth.uid())));
-- More than a form: whoever is named reads it, everybody reads it, anybody changes it.
create table letters (id uuid primary key default gen_random_uuid(), recipient text not null, text text not null);
create policy send on letters for insert to anon with check (true);
create policy see on letters for select to authenticated using (recipient = (select auth.email()));
create table guestbook (id uuid primary key default gen_random_uuid(), text text not null);
create policy send on guestbook for insert to anon with check (true);
create policy see on guestbook for select to anon using (true);
create table board (id uuid primary key default gen_random_uuid(), text text not null);
create policy send on board for insert to anon with check (true);
create policy edit on board for update to anon using (true);
do $$
declare
  name text;
begin
  foreach name in array array['contact', 'feedback', 'page_views', 'staff', 'leads', 'letters', 'guestbook', 'board'] loop
    execute format('alter table %I enable row level security; grant all on %I to anon, authenticated, service_role', name, name);
  end loop;
end $$;
