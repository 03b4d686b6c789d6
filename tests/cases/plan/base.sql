-- The database before the migration, in every case of this folder.
create schema s;
create extension citext schema extensions;
create type s.mood as enum ('sad', 'ok');
create domain s.positive as int check (value > 0);
create domain s.plain as text;
create table s.parent (id int primary key);
create table s.t (
  id int primary key, a int, free int, b text, v varchar(20), un varchar, c char(10), n numeric(10,2), anyn numeric,
  big bigint, f float8, ts timestamptz, tz timestamp, tsp timestamp(3), d date, j json, jb jsonb, m s.mood,
  dp s.positive, ip inet, cd cidr, arr int[], arrt text[], u uuid, nn int not null,
  checked int constraint known check (checked is not null), g int generated always as (a + 1) stored
);
create table s.child (id int primary key, t_id int references s.t on delete cascade);
create view s.v as select id, free from s.t;
create index t_a on s.t (a);
create unique index t_nn on s.t (nn);
create table s.part (id int, k int) partition by list (k);
create table s.part1 partition of s.part for values in (1);
create table s.loose (id int, k int);
create materialized view s.mv as select * from s.parent;
create function s.tf() returns trigger language plpgsql as 'begin return new; end';
create function s.vol() returns int language plpgsql volatile as 'begin return 1; end';
create function s.sta() returns int language sql stable as 'select 1';
create trigger trg before insert on s.t for each row execute function s.tf();
alter table s.t enable row level security;
create policy p on s.t using (true);
create policy q on s.child using (exists (select from s.t where t.id = child.t_id));
insert into s.parent select generate_series(1, 10);
insert into s.t (id, a, b, v, n, big, nn, checked, m)
  select i, i, '1', '1', 1.25, i, i, 1, 'ok' from generate_series(1, 10) i;
insert into s.child select i, i % 10 + 1 from generate_series(1, 30) i;
insert into s.part select i, 1 from generate_series(1, 5) i;
insert into s.loose select 1, 2;
refresh materialized view s.mv;
