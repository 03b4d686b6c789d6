create table orgs (user_id uuid not null references auth.users on delete cascade, no int, primary key (user_id, no));
alter table orgs enable row level security;
grant all on orgs to authenticated, service_role;
create policy own on orgs to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table items (user_id uuid, org int, place int, primary key (user_id, org, place),
  foreign key (user_id, org) references orgs);
alter table items enable row level security;
grant all on items to authenticated, service_role;
create policy own on items to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
