BEGIN;

create table accounts (
  id int primary key,
  name text not null,
  opened_on date not null default current_date
);
alter table accounts enable row level security;
grant select on accounts to service_role;

create temp table opening (id int, name text) on commit drop;
insert into opening values (1, 'cash'), (2, 'bank');
insert into accounts (id, name) select id, name from opening;

COMMIT;
