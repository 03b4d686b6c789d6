create table t (a text);
insert into t values ('of alice');
alter table t enable row level security;
grant service_role to authenticated;
