create table inboxes (name text primary key, user_id uuid not null references auth.users on delete cascade, note text not null default '');
alter table inboxes enable row level security;
grant all on inboxes to authenticated, service_role;
create policy see on inboxes for select to authenticated using (user_id = (select auth.uid()));
create policy add on inboxes for insert to authenticated with check (user_id = (select auth.uid()));
create policy edit on inboxes for update to authenticated using (note = '') with check (user_id = (select auth.uid()));
