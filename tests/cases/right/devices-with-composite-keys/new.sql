create table devices (user_id uuid not null references auth.users on delete cascade, serial text not null, label text, primary key (user_id, serial));
create table readings (user_id uuid not null, serial text not null, at timestamptz not null, value double precision, primary key (user_id, serial, at), foreign key (user_id, serial) references devices on delete cascade);
alter table devices enable row level security;
grant all on devices to authenticated, service_role;
alter table readings enable row level security;
grant all on readings to authenticated, service_role;
create policy own on devices to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy own on readings to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
