-- case: delete in a common table expression of create table as
create table archive as with gone as (delete from comments returning id) select * from gone;
-- case: loop over delete returning
do $$ declare r record; begin for r in delete from comments returning id loop null; end loop; end $$;
-- case: schema renamed and dropped
alter schema app rename to app_old; drop schema app_old cascade;
-- case: enum renamed and dropped with its columns
alter type mood rename to mood_old; create type mood as enum ('calm'); drop type mood_old cascade;
-- case: drop table put together in a do block
do $$ begin execute 'drop table ' || 'comments'; end $$;
-- case: truncate in execute
do $$ begin execute format('truncate %I', 'comments'); end $$;
-- case: truncate cascade
truncate notes cascade;
-- case: truncate only a partition
truncate app.logs_low;
-- case: drop table
drop table comments;
-- case: drop table cascade
drop table notes cascade;
-- case: drop column
alter table notes drop column body;
-- case: drop column by cascade of a domain
create domain code_text as text; alter table notes alter code type code_text; drop domain code_text cascade;
-- case: drop two columns after renaming one
alter table notes rename body to content; alter table notes drop column content, drop column code;
-- case: table renamed and dropped later
alter table comments rename to old_comments; create table comments (id int); drop table old_comments;
-- case: moved to another schema and dropped there
alter table comments set schema app; drop table app.comments;
-- case: delete all
delete from comments;
-- case: delete all by a condition on every row
delete from comments where id > 0;
-- case: delete some by a condition
delete from notes where title like '%note 3';
-- case: delete by a date
delete from notes where made < '2024-02-06';
-- case: delete using another table
delete from comments c using notes n where n.id = c.note_id and n.status = 'closed';
-- case: delete in a common table expression of an insert
with gone as (delete from comments where id = 4 returning txt) insert into settings select 'last', count(*)::text from gone;
-- case: delete in a common table expression of a select
with gone as (delete from comments returning *) select count(*) from gone;
-- case: delete by a merge
merge into comments c using notes n on n.id = c.note_id when matched then delete;
-- case: delete by a merge that a rehearsal's rows do not meet
merge into comments c using (select 3 as id) x on x.id = c.id when matched then delete;
-- case: delete by a function
select wipe_comments();
-- case: delete by a function with a condition
select wipe_old(30);
-- case: delete by a function made here
create function tidy() returns void language sql as 'delete from settings where value like ''%night%'''; select tidy();
-- case: delete by a procedure
create procedure tidy() language plpgsql as $$ begin delete from touched; end $$; call tidy();
-- case: delete by a function in a default
create function f() returns int language plpgsql as $$ begin delete from comments; return 1; end $$; create table x (i int default f(), j int); insert into x (j) values (1);
-- case: delete by a new trigger
create function t() returns trigger language plpgsql as $$ begin delete from comments; return new; end $$;
create trigger t before insert on settings for each row execute function t(); insert into settings values ('new', 'x');
-- case: delete by a new rule
create rule r as on insert to settings do also delete from comments; insert into settings values ('new', 'x');
-- case: delete by a cascading key
delete from notes;
-- case: delete if rows say so
do $$ begin if exists (select from settings where key = 'theme') then delete from comments; end if; end $$;
-- case: dynamic delete if rows say so
do $$ begin if exists (select from settings where key = 'theme') then execute 'delete from ' || 'comments'; end if; end $$;
-- case: dynamic delete if no witness
do $$ declare n int; begin select count(*) into n from notes where title like '%note 2'; if n > 0 then execute 'drop table co' || 'mments'; end if; end $$;
-- case: delete through a view
delete from touched_values where id = 2;
-- case: delete from a parent and its children
delete from parent;
-- case: drop an inheriting table
drop table child;
-- case: drop a parent with its children
drop table parent cascade;
-- case: drop a partition
drop table app.logs_high;
-- case: detach and drop a partition
alter table app.logs detach partition app.logs_low; drop table app.logs_low;
-- case: drop the partitioned table
drop table app.logs;
-- case: drop schema
drop schema app cascade;
-- case: drop owned
drop owned by current_user cascade;
-- case: drop every table of a schema in a loop
do $$ declare r record; begin for r in select tablename from pg_tables where schemaname = 'app' loop execute format('drop table if exists app.%I cascade', r.tablename); end loop; end $$;
-- case: rows copied in part and the table dropped
create table notes2 as select * from comments where likes > 3; drop table comments;
-- case: rows copied with a limit and the table dropped
create table c2 as select * from comments limit 4; drop table comments; alter table c2 rename to comments;
-- case: rows copied without a column and the table dropped
create table c2 as select id, note_id, likes from comments; drop table comments; alter table c2 rename to comments;
-- case: distinct rows copied and the table dropped
create table s2 as select distinct done, status from notes; drop table notes cascade;
-- case: aggregated and dropped
create table sums as select note_id, sum(likes) as likes from comments group by note_id; drop table comments;
-- case: copied with a join that loses rows
create table c2 as select c.* from comments c join notes n on n.id = c.note_id and n.done; drop table comments;
-- case: column moved in part and dropped
alter table notes add summary text; update notes set summary = body where status = 'open'; alter table notes drop body;
-- case: column shortened into another and dropped
alter table notes add short text; update notes set short = left(body, 10); alter table notes drop body;
-- case: column dropped and added again
alter table notes drop code; alter table notes add code text;
-- case: generated column in its place
alter table notes drop column code; alter table notes add column code text generated always as (title) stored;
-- case: view dropped with a table by cascade
drop table profiles cascade;
-- case: alter type drops an attribute
create type pair as (a text, b text); alter table app.things add p pair default row('left-value', 'right-value'); alter type pair drop attribute b; drop table app.things;
-- case: unlogged copy dropped with the only rows
alter table comments rename to c_old; create unlogged table comments (like c_old); insert into comments select * from c_old where false; drop table c_old;
-- case: exchange by partition attach without rows
alter table app.logs detach partition app.logs_high; create table app.logs_new (like app.logs_high); alter table app.logs attach partition app.logs_new for values from (10) to (1000000000); drop table app.logs_high;
-- case: trigger that discards what is copied
create table c2 (like comments); create function no() returns trigger language plpgsql as 'begin return null; end'; create trigger no before insert on c2 for each row execute function no(); insert into c2 select * from comments; drop table comments;
-- case: delete and put back fewer
create temp table keep as select * from comments where id < 5; delete from comments; insert into comments select * from keep;
-- case: copied into a temporary table and dropped
create temp table keep as select * from settings; drop table settings;
-- case: delete after concurrently
create index concurrently on notes (title); delete from settings;
-- case: two levels of functions
create function inner_one() returns void language sql as 'delete from touched'; create function outer_one() returns void language sql as 'select inner_one()'; select outer_one();
-- case: dynamic delete with a name from a table
do $$ declare t text; begin for t in select lower(replace(key, 'theme', 'comments')) from settings where key = 'theme' loop execute 'truncate ' || t; end loop; end $$;
-- case: swallowed in an exception block
do $$ begin begin delete from comments; perform 1 / 1; exception when others then null; end; end $$;
-- case: copy then delete what a condition meets
create table old_notes as select * from notes where done; delete from comments where note_id in (select id from old_notes);
-- case: security definer function that empties
create function z() returns void language plpgsql security definer set search_path = public as $$ begin truncate comments; end $$; select z();
-- case: dropped extension with its columns
create extension if not exists citext with schema extensions; alter table app.things alter label type extensions.citext; drop extension citext cascade;
-- case: explain analyze
explain analyze delete from comments;
-- case: prepared and executed
prepare gone as delete from comments; execute gone;
-- case: set role and delete
set role postgres; delete from settings where key = 'limit';
-- case: cursor
do $$ declare c cursor for select * from comments for update; begin for r in c loop delete from comments where current of c; end loop; end $$;

-- case: merge that deletes what its source lacks
merge into settings s using (select 'theme' as key) k on s.key = k.key when not matched by source then delete;

-- case: delete by a new trigger of statements
create function empty_comments() returns trigger language plpgsql as $$ begin delete from comments; return null; end $$;
create trigger empties after insert on settings for each statement execute function empty_comments();
insert into settings values ('added', 'here');

-- case: delete by a trigger when the file is committed, deferred
create function empty_comments() returns trigger language plpgsql as $$ begin delete from comments; return null; end $$;
create constraint trigger empties after insert on settings deferrable initially deferred for each row execute function empty_comments();
insert into settings values ('added', 'here');

-- case: truncate in a function called by a select
create function emptied() returns void language plpgsql as $$ begin truncate comments; end $$;
select emptied();

-- case: delete by a function in a new check
create function checked(n int) returns bool language plpgsql as $$ begin delete from comments; return true; end $$;
alter table settings add check (checked(length(key)));

-- case: delete by a function in an index's expression
create function emptied() returns void language plpgsql as $$ begin delete from public.comments; end $$;
create function keyed(t text) returns text language plpgsql immutable as $$ begin perform public.emptied(); return t; end $$;
create index on settings (keyed(key));

-- case: delete in a function of standard SQL
create function emptied() returns void begin atomic delete from comments; end;
select emptied();

-- case: text cut by a cast to a domain
create domain app.short as varchar(2);
alter table notes alter code type app.short using code::app.short;

-- case: jsonb rewritten by an update in a common table expression
with u as (update profiles set settings = jsonb_build_object('lang', settings -> 'lang') returning 1) select count(*) from u;

-- case: jsonb key overwritten by a subscript
update profiles set settings['lang'] = '"en"';

-- case: array element overwritten
update notes set tags[1] = 'same for all';

-- case: values emptied by a conflict with itself
insert into settings select key, '' from settings on conflict (key) do update set value = excluded.value;

-- case: moved into a materialized view that is refreshed
create materialized view kept as select * from settings;
delete from settings;
refresh materialized view kept;

-- case: type changed by a function of its own
create function halved(n numeric) returns int language sql immutable as $$ select (n / 2)::int $$;
alter table notes alter price type int using halved(price);

-- case: delete what comes after the fifth
delete from comments where id in (select id from comments order by id offset 5);

-- case: delete by chance
delete from comments where random() < 2;

-- case: delete by the place of a row
delete from comments where ctid = any (array(select ctid from comments));

-- case: drop a column of a partitioned table
alter table app.logs drop column line;

-- case: exchanged for an empty one
alter table settings rename to settings_old;
create table settings (like settings_old including all);
drop table settings_old;

-- case: delete by a trigger in place of an insert
create view all_settings as select * from settings;
create function not_inserted() returns trigger language plpgsql as $$ begin delete from settings where key = new.key; return null; end $$;
create trigger instead instead of insert on all_settings for each row execute function not_inserted();
insert into all_settings select * from settings;

-- case: delete if the database has another name
do $$ begin if current_database() <> 'postgres' then delete from comments; end if; end $$;

-- case: children moved by a function that keeps the parents alone
create function moved() returns int language plpgsql as $$ declare n int; begin
  create table parents as select * from only parent; drop table parent cascade; get diagnostics n = row_count; return n; end $$;
select moved();

-- case: update by a rule in place of an insert
create rule overwrites as on insert to settings do instead update settings set value = new.value;
insert into settings values ('theme', 'light');

-- case: rows lost to a join in a lateral
create table joined as select n.*, c.txt from notes n cross join lateral (select txt from comments where note_id = n.id and likes > 8) c;
drop table notes cascade;

-- case: copied by a cursor that stops early
create table copied (like settings);
do $$ declare r record; n int := 0; begin
  for r in select * from settings order by key loop exit when n = 1; insert into copied values (r.key, r.value); n := n + 1; end loop; end $$;
drop table settings;
