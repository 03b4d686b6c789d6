-- case: new table
create table x (id int primary key, t text); create index on x (t); alter table x enable row level security;
-- case: new column
alter table notes add column extra text;
-- case: new column with a default
alter table notes add column extra text not null default 'x';
-- case: new column filled from another
alter table notes add slug text; update notes set slug = lower(title); alter table notes alter slug set not null;
-- case: new column filled where it is null
alter table notes add slug text; update notes set slug = lower(title) where slug is null;
-- case: nulls filled
update notes set body = '' where body is null;
-- case: nulls filled and forbidden
update notes set body = '' where body is null; alter table notes alter body set not null;
-- case: nulls filled by coalesce
update profiles set plan = coalesce(plan, 'free');
-- case: new column filled in a do block
alter table notes add slug text; do $$ begin update notes set slug = title; end $$;
-- case: table renamed
alter table comments rename to remarks;
-- case: table renamed with a view in its place
alter table comments rename to remarks; create view comments as select * from remarks;
-- case: column renamed
alter table notes rename body to content;
-- case: schema renamed
alter schema app rename to backend;
-- case: table moved
alter table comments set schema app;
-- case: type renamed
alter type mood rename to feeling;
-- case: enum member renamed
alter type mood rename value 'calm' to 'quiet';
-- case: enum member added
alter type mood add value 'angry';
-- case: enum rebuilt with all members
alter type mood rename to mood_old; create type mood as enum ('calm', 'glad', 'sad', 'angry'); alter table notes alter mood drop default; alter table notes alter mood type mood using mood::text::mood; alter table notes alter mood set default 'calm'; drop type mood_old;
-- case: enum becomes text
alter table notes alter mood drop default; alter table notes alter mood type text; drop type mood;
-- case: integer widened
alter table comments alter likes type bigint;
-- case: key widened
alter table comments alter id type bigint;
-- case: smallint widened
alter table app.things alter n type integer;
-- case: varchar widened
alter table notes alter title type varchar(200);
-- case: varchar to text
alter table notes alter title type text;
-- case: numeric widened
alter table notes alter price type numeric(14, 4);
-- case: numeric without a scale
alter table notes alter price type numeric;
-- case: integer to numeric
alter table comments alter likes type numeric;
-- case: timestamp to timestamptz
alter table notes alter made type timestamptz using made at time zone 'UTC';
-- case: timestamptz to timestamp
alter table notes alter seen type timestamp using seen at time zone 'UTC';
-- case: text to uuid and back is not needed
alter table profiles alter id type uuid;
-- case: column copied, then dropped
alter table notes add content text; update notes set content = body; alter table notes drop body;
-- case: column copied with a cast, then dropped
alter table comments add stars bigint; update comments set stars = likes::bigint; alter table comments drop likes;
-- case: table copied and exchanged
create table c2 as select * from comments; drop table comments; alter table c2 rename to comments;
-- case: table copied by insert and exchanged
create table c2 (id int primary key, note_id bigint not null references notes (id), txt text, likes int); insert into c2 select * from comments; drop table comments; alter table c2 rename to comments;
-- case: column moved to a table of its own
create table note_bodies as select id, body from notes; alter table notes drop body;
-- case: column moved into json
alter table notes add more jsonb; update notes set more = to_jsonb(code); create table codes as select id, code from notes; alter table notes drop code;
-- case: constraint dropped
alter table notes drop constraint notes_status;
-- case: foreign key dropped
alter table comments drop constraint comments_note_id_fkey;
-- case: foreign key exchanged
alter table comments drop constraint comments_note_id_fkey; alter table comments add foreign key (note_id) references notes (id) on delete restrict;
-- case: index
create index on notes (title);
-- case: index concurrently
create index concurrently on notes (title);
-- case: unique index
create unique index on notes (title);
-- case: check that holds
alter table notes add check (length(title) > 1);
-- case: not null that holds
alter table notes alter made set not null;
-- case: default changed
alter table notes alter status set default 'closed';
-- case: default dropped
alter table notes alter status drop default;
-- case: policy exchanged
drop policy own on notes; create policy own on notes for select to authenticated using (user_id = auth.uid());
-- case: view exchanged
create or replace view touched_values as select id, v, updated_at from touched;
-- case: view dropped
drop view touched_values;
-- case: materialized view made again
drop materialized view busy; create materialized view busy as select user_id, count(*) as n, max(made) from notes group by user_id;
-- case: materialized view refreshed
refresh materialized view busy;
-- case: function exchanged
create or replace function wipe_comments() returns void language plpgsql as $$ begin delete from comments where false; end $$;
-- case: function dropped
drop function wipe_old(int);
-- case: trigger dropped
drop trigger touch on touched;
-- case: rows added
insert into settings values ('colour', 'blue'), ('size', 'small');
-- case: rows added unless they are there
insert into settings values ('theme', 'light') on conflict do nothing;
-- case: rows added unless they are there, by a select
insert into settings select 'colour', 'blue' where not exists (select from settings where key = 'colour');
-- case: sequence set to its table
select setval('comments_id_seq', (select max(id) from comments));
-- case: sequence set further
select setval('invoices', 100000);
-- case: partition added
create table app.logs_huge partition of app.logs for values from (1000000000) to (2000000000);
-- case: partition detached
alter table app.logs detach partition app.logs_low;
-- case: row-level security everywhere, in a loop
do $$ declare r record; begin for r in select tablename from pg_tables where schemaname = 'public' loop execute format('alter table public.%I enable row level security', r.tablename); end loop; end $$;
-- case: grants in a loop
do $$ declare r record; begin for r in select table_name from information_schema.tables where table_schema = 'app' loop execute 'grant select on app.' || quote_ident(r.table_name) || ' to authenticated'; end loop; end $$;
-- case: type unless it is there
do $$ begin if not exists (select from pg_type where typname = 'colour') then create type colour as enum ('red'); end if; end $$;
-- case: type, its duplicate swallowed
do $$ begin create type mood as enum ('calm'); exception when duplicate_object then null; end $$;
-- case: constraint unless it is there
do $$ begin if not exists (select from pg_constraint where conname = 'k') then alter table notes add constraint k check (price >= 0); end if; end $$;
-- case: comment and grants
comment on table notes is 'all notes'; grant select on comments to anon; revoke all on settings from anon;
-- case: extension
create extension if not exists pg_trgm with schema extensions;
-- case: a drop of what is not there
drop table if exists nothing_here; alter table notes drop column if exists nothing_here;
-- case: temporary table
create temp table t as select * from notes; drop table t;
-- case: rows of a new table deleted
create table x (i int); insert into x select generate_series(1, 3); delete from x where i > 1; truncate x; drop table x;
-- case: clustered and analysed
analyze notes; cluster notes using notes_pkey;
-- case: storage settings
alter table notes set (fillfactor = 80); alter table notes alter body set statistics 500;
-- case: delete that meets nothing
delete from notes where title = 'there is no such title';
-- case: delete that meets nothing, by a subquery
delete from comments where note_id not in (select id from notes);
-- case: update that meets nothing
update settings set value = 'x' where key = 'there is no such key';
-- case: update that changes nothing
update notes set title = title;
-- case: narrower type that every value fits
alter table comments alter likes type smallint;
-- case: shorter type that every value fits
alter table notes alter title type varchar(60);
-- case: identity instead of a serial, counted on
alter table comments alter id drop default; drop sequence comments_id_seq; alter table comments alter id add generated by default as identity (start with 500000);
-- case: unlogged and back
alter table comments set unlogged; alter table comments set logged;
-- case: inherits no more
alter table child no inherit parent;
-- case: domain around a column
create domain label as text check (length(value) > 2); alter table app.things alter label type label;
-- case: generated column
alter table notes add shown text generated always as (title || '!') stored;
-- case: bundle of statements in one file
create table tags (id bigint generated always as identity primary key, name text unique not null); insert into tags (name) select distinct unnest(tags) from notes; create table note_tags as select n.id, t.id as tag from notes n join tags t on t.name = any (n.tags);
-- case: own begin and commit
begin; create table x (i int); commit;
-- case: search path
set search_path = app, public; alter table things add more text;
-- case: an exclusion that no rows break
alter table app.scores add exclude using gist (int4range(id, id + 1) with &&);
-- case: a partition whose rows are within its bounds
alter table app.logs attach partition app.logs_old for values from (-100) to (0);
-- case: a domain's check that all rows meet
alter domain app.score add constraint low check (value < 5000);
-- case: insert of rows that meet none
insert into settings (key, value) values ('a new key', 'x') on conflict (key) do update set value = excluded.value;
-- case: merge of rows that meet none
merge into settings s using (values ('another new key', 'x')) v (k, x) on v.k = s.key
  when matched then update set value = v.x when not matched then insert values (v.k, v.x);

-- case: delete from a temporary table of the same name
create temporary table comments (like public.comments);
insert into comments select * from public.comments;
delete from comments;
drop table comments;

-- case: rows moved to a partitioned table
create table comments_new (like comments including defaults) partition by hash (id);
create table comments_0 partition of comments_new for values with (modulus 2, remainder 0);
create table comments_1 partition of comments_new for values with (modulus 2, remainder 1);
insert into comments_new select * from comments;
alter sequence comments_id_seq owned by comments_new.id;
drop table comments;
alter table comments_new rename to comments;

-- case: another collation
alter table settings alter value type text collate "C";

-- case: text without regard to case
create extension if not exists citext;
alter table settings alter value type citext;

-- case: expression of a new generated column changed
alter table notes add total numeric generated always as (price * 2) stored;
alter table notes alter total set expression as (price * 3);

-- case: generated column made a plain one
alter table notes add total numeric generated always as (price * 2) stored;
alter table notes alter total drop expression;

-- case: another primary key
alter table settings drop constraint settings_pkey;
alter table settings add id bigint generated always as identity primary key;
alter table settings add unique (key);

-- case: search by words
alter table notes add words tsvector generated always as (to_tsvector('simple', coalesce(body, ''))) stored;
create index on notes using gin (words);

-- case: settings of storage, statistics and replication
alter table notes alter body set storage external, alter body set compression pglz, alter body set statistics 500;
alter table notes replica identity full;
alter table notes cluster on notes_pkey;
create statistics on status, done from notes;
create publication p for table notes;
alter table settings set unlogged;

-- case: merge that only adds
merge into settings s using (values ('added', 'here')) v (key, value) on s.key = v.key when not matched then insert values (v.key, v.value);

-- case: identity by default
alter table notes alter id set generated by default;
alter sequence invoices as bigint increment 2 cache 10;

-- case: triggers rest
alter table touched disable trigger touch;
alter function touch() set search_path = '';
alter table touched enable always trigger touch;

-- case: a function made and not called
create function later() returns void language plpgsql as $$ begin delete from comments; truncate notes cascade; end $$;
create procedure later_too() language sql as $$ delete from comments $$;

-- case: a trigger for deletes made and not fired
create function gone() returns trigger language plpgsql as $$ begin delete from comments where note_id = old.id; return old; end $$;
create trigger gone before delete on notes for each row execute function gone();

-- case: column moved to a table of its own where it is filled
create table bodies (note_id bigint primary key references notes (id), body text);
insert into bodies select id, body from notes where body is not null;
alter table notes drop column body;

-- case: uuid as text
alter table profiles add id_text text;
update profiles set id_text = id::text;

-- case: default partition
create table app.logs_rest partition of app.logs default;

-- case: domain's default and a check dropped
alter domain app.score set default 0;
alter domain app.score add constraint small check (value < 1000) not valid;
alter domain app.score drop constraint small;

-- case: column moved to a partitioned table
create table bodies (note_id bigint not null, body text) partition by range (note_id);
create table bodies_low partition of bodies for values from (minvalue) to (4);
create table bodies_high partition of bodies for values from (4) to (maxvalue);
insert into bodies select id, body from notes;
alter table notes drop column body;

-- case: index of an expression, of those rows that it can be computed for
create index on settings ((value::int)) where key = 'limit';
