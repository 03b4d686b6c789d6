-- What the cases start from.
create type mood as enum ('calm', 'glad', 'sad');
create schema app;
create table profiles (
  id uuid primary key, name text not null, nick varchar(40), age int check (age between 0 and 150),
  settings jsonb not null default '{}', seen timestamptz, plan text
);
create table notes (
  id bigint generated always as identity primary key, user_id uuid not null references profiles (id), title varchar(80) not null,
  body text, dur interval, made timestamp, seen timestamptz default now(), price numeric(10, 2), rate double precision,
  mood mood default 'calm', tags text[], raw json, done boolean default false, status text not null default 'open',
  constraint notes_status check (status in ('open', 'closed')), code text
);
create table comments (
  id serial primary key, note_id bigint not null references notes (id) on delete cascade, txt text, likes int
);
create table app.things (id uuid primary key default gen_random_uuid(), label text not null, n smallint, addr inet, sz int8);
create table app.logs (at timestamptz not null, k int not null, line text) partition by range (k);
create table app.logs_low partition of app.logs for values from (0) to (10);
create table app.logs_high partition of app.logs for values from (10) to (1000000000);
create table parent (id int primary key, word text);
create table child (extra text) inherits (parent);
create table settings (key text primary key, value text);
create table touched (id int primary key, v text, updated_at timestamptz not null default '2024-01-01');
create sequence invoices start 1;
create materialized view busy as select user_id, count(*) as n from notes group by user_id;
create view touched_values as select id, v from touched;
create function touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
create trigger touch before update on touched for each row execute function touch();
create function wipe_comments() returns void language plpgsql as $$ begin delete from comments; end $$;
create function wipe_old(days int) returns int language plpgsql as $$
declare n int; begin delete from notes where made < now() - make_interval(days => days); get diagnostics n = row_count; return n; end $$;
create function shout(t text) returns text language sql immutable as $$ select upper(t) $$;
alter table notes enable row level security;
create policy own on notes for all to authenticated using (user_id = auth.uid());
create table app.logs_old (at timestamptz not null, k int not null, line text);
create domain app.score as int;
create table app.scores (id int primary key, points app.score, during int4range);
