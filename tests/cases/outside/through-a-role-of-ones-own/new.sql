create table t (a text);
insert into t values ('of alice');
alter table t enable row level security;
create role staff;
grant service_role to staff;
grant staff to anon;
