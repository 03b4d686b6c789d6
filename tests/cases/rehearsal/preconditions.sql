-- case: nulls where they are forbidden
alter table notes alter body set not null;
-- case: duplicates in a unique constraint
alter table notes add unique (status);
-- case: duplicates in a unique index
create unique index on notes (lower(status));
-- case: duplicates in a partial unique index
create unique index on notes (status) where done;
-- case: nulls in a primary key
alter table app.logs_low add primary key (line, at); alter table profiles add unique (plan);
-- case: orphans
alter table comments add foreign key (likes) references notes (id);
-- case: rows that a check refuses
alter table comments add check (likes < 5);
-- case: check made without a look and validated
alter table comments add constraint few check (likes < 5) not valid; alter table comments validate constraint few;
-- case: foreign key made without a look and validated
alter table comments add constraint f foreign key (likes) references notes (id) not valid; alter table comments validate constraint f;
-- case: text that is no number
alter table notes alter title type integer using title::integer;
-- case: text that is no uuid
alter table settings alter value type uuid using value::uuid;
-- case: text that is too long
alter table notes alter title type varchar(5);
-- case: new column without a value
alter table comments add column y int not null;
-- case: a member that the new enum lacks
create type mood2 as enum ('calm', 'glad'); alter table notes alter mood drop default; alter table notes alter mood type mood2 using mood::text::mood2;
-- case: text that the enum lacks
create type state as enum ('open'); alter table notes drop constraint notes_status; alter table notes alter status drop default; alter table notes alter status type state using status::state;
-- case: ranges that overlap
alter table app.scores add exclude using gist (during with &&);
-- case: expressions that exclude each other
alter table comments add constraint apart exclude using gist (int4range(likes, likes + 3) with &&) where (likes > 2);
-- case: rows outside of a partition's bounds
alter table app.logs attach partition app.logs_old for values from (-5) to (0);
-- case: rows of the default partition in the bounds of a new one
alter table app.logs attach partition app.logs_old default; create table app.logs_new (like app.logs);
alter table app.logs attach partition app.logs_new for values from (-5) to (0);
-- case: values that a domain's new check refuses
alter domain app.score add constraint low check (value < 50);
-- case: nulls of a domain
alter domain app.score set not null;
-- case: a domain's check made without a look and validated
alter domain app.score add constraint low check (value < 50) not valid; alter domain app.score validate constraint low;
-- case: a table that is not there
alter table nothing_here add x int;
-- case: a column that is not there
alter table notes drop column nothing_here;
-- case: a table that is there
create table notes (id int);
-- case: something depends on it
drop type mood;
-- case: not SQL
selec 1;

-- case: generated column of text that is no number
alter table settings add n int generated always as (value::int) stored;

-- case: unlogged, and a logged one refers to it
alter table profiles set unlogged;

-- case: duplicates of an expression
create unique index on notes (lower(status));

-- case: index of text that is no number
create index on settings ((value::int));

-- case: index of text that is no number, of some rows
create index on settings ((value::int)) where key <> 'limit';
