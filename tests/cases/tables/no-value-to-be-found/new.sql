create table a (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, x text not null check (md5(x) like '0000000%'));
alter table a enable row level security;
grant all on a to authenticated, service_role;
create policy own on a to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table b (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade, a uuid not null references a);
alter table b enable row level security;
grant all on b to authenticated, service_role;
create policy own on b to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table c (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade);
alter table c enable row level security;
grant all on c to authenticated, service_role;
create policy own on c to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create function never() returns trigger language plpgsql as $$ begin raise exception 'never'; end $$;
create trigger never before insert on c for each row execute function never();
create table d (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade,
  x int not null, exclude using btree ((x * 0) with =));
alter table d enable row level security;
grant all on d to authenticated, service_role;
create policy own on d to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
create table e (id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade,
  room int not null, exclude using btree (room with =));
alter table e enable row level security;
grant all on e to authenticated, service_role;
create policy own on e to authenticated using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));
