create table a (id int primary key, b int not null, user_id uuid not null references auth.users on delete cascade);
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table b (id int primary key, a int not null references a,
  user_id uuid not null references auth.users on delete cascade);
alter table b enable row level security;
grant all on b to authenticated, service_role;
create policy own on b to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
alter table a add foreign key (b) references b;
