-- as supabase_admin
create table t (a text);
insert into t values ('of alice');
alter table t enable row level security;
grant select on t to anon;
alter role anon bypassrls;
