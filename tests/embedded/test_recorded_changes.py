"""What a migration changes is found by looking where it has been, as by reading the whole catalog each time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from promthctl import settings, shadow
from promthctl.migration_set import Migration
from promthctl.shadow import recording
from promthctl.shadow.states import MissedChangeError, States, read_states, record_states
from promthctl.steps import Silent
from tests.servers import Server, fresh_database

# Each is one migration; what stands before it is there when it runs.
MIGRATIONS = """
create schema app;
create table app.t (id int primary key, v text default 'x', w int check (w > 0));

create table app.child (id serial primary key, t_id int references app.t, unique (id, t_id));

create view app.v as select id, v from app.t;
create view app.v2 as select v.id from app.v join app.child using (id);

create function app.f(app.t) returns text language sql stable as 'select $1.v';

create function app.many(app.t[]) returns int language sql as 'select 1';

create function app.atomic() returns int begin atomic select w from app.t limit 1; end;

create type app.mood as enum ('good', 'bad');
create domain app.small as int check (value < 10);

alter table app.child add mood app.mood default 'good', add size app.small;

create function app.touch() returns trigger language plpgsql as 'begin return new; end';

create trigger touched before update on app.t for each row when (old.v <> new.v) execute function app.touch();

alter table app.t enable row level security;
create policy p on app.t to authenticated using (v = app.f(t));

create index t_v on app.t (lower(v)) where w > 1;
create index on app.child (t_id);

comment on table app.t is 'a';
comment on column app.t.v is 'b';
comment on policy p on app.t is 'c';

comment on constraint t_w_check on app.t is 'd';
comment on function app.f(app.t) is 'e';

grant select on app.t to anon;
grant select (id), update (mood) on app.child to anon;
grant usage on schema app to anon;

alter table app.t rename column v to title;

alter table app.t rename to things;

alter function app.f(app.things) rename to g;

alter type app.mood rename value 'good' to 'fine';

alter type app.mood rename to state;
alter type app.state add value 'odd';

alter domain app.small rename to tiny;

alter sequence app.child_id_seq rename to numbers;

alter index app.t_v rename to by_title;
alter view app.v rename to listed;

alter function app.touch() rename to changed;

alter policy p on app.things rename to q;
alter trigger touched on app.things rename to noted;

alter table app.things rename constraint t_w_check to positive;

drop policy q on app.things;

drop trigger noted on app.things;

alter table app.things drop constraint positive;
alter table app.child alter mood drop default;

alter domain app.tiny drop constraint small_check;

drop index app.by_title;

comment on table app.things is null;
comment on column app.things.title is 'other';

revoke select (id) on app.child from anon;
revoke all on app.things from anon;

alter table app.child drop column t_id cascade;

drop function app.g(app.things);
drop view app.listed cascade;

alter sequence app.numbers owned by none;
alter sequence app.numbers increment 5;

drop table app.things cascade;
create table app.things (id int primary key);
drop function if exists app.many;

alter table app.things add note text;

drop table app.things;

do $$ begin create table app.inner (id int); exception when others then null; end $$;

do $$ begin begin create table app.gone (id int); perform 1/0; exception when others then null; end; end $$;

savepoint a; create table app.kept (id int); release a;
savepoint b; alter table app.kept add v int; rollback to b;

do $$ begin execute 'alter table app.inner add column v int generated always as (id + 1) stored'; end $$;

alter schema app rename to other;

create table other.parts (id int) partition by range (id);
create table other.low partition of other.parts
  for values from (0) to (10);
create table other.heir (x int) inherits (other.inner);

alter table other.parts detach partition other.low;
alter table other.parts rename to whole;

alter table other.heir no inherit other.inner;
alter table other.inner rename v to w;

create publication seen for table other.inner where (id > 1);
alter publication seen add table other.whole;

alter table other.inner rename to published;

alter publication seen drop table other.published;
drop publication seen;

alter default privileges in schema other grant select on tables to anon;
create table other.open (id int);

create rule quiet as on insert to other.open do instead nothing;
alter table other.open replica identity full;

drop rule quiet on other.open;
alter table other.open disable trigger all;

create extension citext with schema extensions;
create table other.c (name extensions.citext);

create function other.lent() returns int language sql as 'select 1';

alter extension citext add function other.lent();

alter extension citext drop function other.lent();

create materialized view other.m as select 1 as one;
comment on materialized view other.m is 'm';

create or replace function other.lent() returns int language sql as 'select 2';

alter table other.open add id2 int generated by default as identity;
alter table other.open alter id2 drop identity;

insert into other.open values (1, 1);
update other.open set id = 2;
analyze other.open;

create table other.loud (id int);
create trigger gone after insert on other.loud
  for each row execute function other.changed();
drop trigger gone on other.loud;

drop schema other cascade;

create trigger on_user after insert on auth.users for each row execute function public.hook();

drop trigger on_user on auth.users;
""".strip().split("\n\n")
BEFORE = "create function public.hook() returns trigger language plpgsql as 'begin return new; end';"


@pytest.fixture
def other_database(server: Server) -> Iterator[str]:
    with fresh_database(server) as url:
        yield url


def test_a_look_where_the_migration_has_been_finds_what_a_look_at_everything_finds(
    database_url: str, other_database: str
) -> None:
    quick, thorough = recorded(database_url, thorough=False), recorded(other_database, thorough=True)
    for number, migration in enumerate(MIGRATIONS):
        assert changes(quick, number) == changes(thorough, number), migration
    with psycopg.connect(database_url) as connection:
        looks = "select count(distinct look) from supabase_migrations.promthctl_touched"
        assert connection.execute(looks).fetchall()[0][0] > len(MIGRATIONS) / 2


def test_a_change_that_was_missed_is_noticed_at_the_end(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        record_states(connection)
        connection.execute("create table public.made_later (id int)")
        with pytest.raises(MissedChangeError):
            read_states(connection)


def test_where_a_change_was_missed_everything_is_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_UNFOLLOWED", ("pg_proc", *recording._UNFOLLOWED))  # new functions are not locked
    names = [f"public.missed_{secrets.token_hex(4)}()" for _ in range(2)]  # the cache has none of these
    texts = [f"create function {name} returns int language sql as 'select 1'" for name in names]
    migrations = [Migration(f"00{n}", "m", Path(f"00{n}_m.sql"), text.encode()) for n, text in enumerate(texts)]
    states = shadow.states_after_each(settings.load(tmp_path), migrations, Silent(), privileges=())
    made = [change.name for version in ("000", "001") for change in states.of(version) if change.kind == "functions"]
    assert made == names


def recorded(url: str, thorough: bool) -> States:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BEFORE)
        record_states(connection, thorough)
        for number, migration in enumerate(MIGRATIONS):
            with connection.transaction():
                connection.execute(migration.encode(), prepare=False)
                insert = "insert into supabase_migrations.schema_migrations (version) values (%s)"
                connection.execute(insert, (str(number),))
        return read_states(connection)


def changes(states: States, number: int) -> dict[tuple[str, str], object]:
    return {(change.kind, change.name): change.attributes for change in states.of(str(number))}
