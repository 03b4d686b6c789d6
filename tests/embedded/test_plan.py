"""The plan of a push says what PostgreSQL then does: every claim is compared with the statement run for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import Migration
from promthctl.push.risks import PlannedStatement, Risk, Rows
from promthctl.push.risks.catalog import read_target_catalog
from promthctl.push.risks.classify import analyse_migrations
from tests.servers import Server, fresh_database

SCHEMA = """
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
"""
HEAVY = ("AccessExclusiveLock", "ExclusiveLock", "ShareRowExclusiveLock", "ShareLock")  # the strongest first


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    with fresh_database(server) as fresh:
        with psycopg.connect(fresh, autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield fresh


@pytest.fixture(scope="module")
def target(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def writer(url: str) -> Iterator[psycopg.Connection[Any]]:
    """For what is run, and rolled back."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def plan(target: psycopg.Connection[Any], *migrations: str) -> tuple[PlannedStatement, ...]:
    files = [
        Migration(f"{number:03}", "x", Path(f"{number:03}_x.sql"), sql.encode())
        for number, sql in enumerate(migrations, start=1)
    ]
    return analyse_migrations(files, target)


def risks(target: psycopg.Connection[Any], sql: str, *kinds: str) -> list[Risk]:
    """The risks of some kinds, by default all but locks and rewrites."""
    wanted = kinds or ("destroys", "unparsed", "security", "not_analysed")
    return [risk for statement in plan(target, sql) for risk in statement.risks if risk.kind in wanted]


def relations(connection: psycopg.Connection[Any]) -> dict[int, tuple[str, int]]:
    """oid → name and file of the schema's tables."""
    query = """select oid, oid::regclass::text, relfilenode from pg_class
                where relnamespace = 's'::regnamespace and relkind in ('r', 'm', 'p')"""
    return {oid: (name, node) for oid, name, node in connection.execute(query)}


def run(writer: psycopg.Connection[Any], sql: str) -> tuple[dict[str, str], set[str]]:
    """Run it and take it back: the heaviest lock on each table, and the tables that got another file."""
    before = relations(writer)
    with writer.transaction(force_rollback=True):
        writer.execute(sql)
        query = "select relation, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation'"
        held = writer.execute(query).fetchall()
        after = dict(writer.execute("select oid, relfilenode from pg_class").fetchall())
    locks: dict[str, list[str]] = {}
    for oid, mode in held:
        if oid in before and mode in HEAVY:
            locks.setdefault(before[oid][0], []).append(mode)
    heaviest = {name: min(modes, key=HEAVY.index) for name, modes in locks.items()}
    return heaviest, {name for oid, (name, node) in before.items() if oid in after and after[oid] != node}


def claimed(statement: PlannedStatement) -> tuple[dict[str, str], set[str]]:
    locks: dict[str, list[str]] = {}
    for risk in statement.risks:
        if risk.lock:
            locks.setdefault(risk.object, []).append(f"{risk.lock.title().replace(' ', '')}Lock")
    heaviest = {name: min(modes, key=HEAVY.index) for name, modes in locks.items()}
    return heaviest, {risk.object for risk in statement.risks if risk.kind == "rewrites"}


ALTERS = [
    *("add column x int", "add column x int default 5", "add column x timestamptz default now()"),
    *("add column x uuid default gen_random_uuid()", "add column x int default s.vol()"),
    *("add column x int default s.sta()", "add column x serial", "add column x int generated by default as identity"),
    *("add column x int generated always as (a * 2) stored", "add column x float8 default random() * 3"),
    *("add column x s.positive", "add column x s.plain", "add column x int check (x > 0)", "add column x int unique"),
    *("add column x int references s.parent", "add column x int default 1 references s.parent"),
    *("add column if not exists a int", "drop column b", "drop column g", "alter a set not null"),
    *("alter nn set not null", "alter checked set not null", "alter nn drop not null", "alter a set default 3"),
    *("alter a set statistics 10", "alter b set storage external", "set (fillfactor = 70)"),
    *("add constraint k check (id > 0)", "add constraint k check (id > 0) not valid", "add constraint k unique (a)"),
    *("add constraint k unique using index t_nn", "add constraint k exclude (a with =)"),
    *("add foreign key (id) references s.parent", "add foreign key (id) references s.parent not valid"),
    *("disable row level security", "force row level security", "disable trigger trg", "replica identity full"),
    *("rename to t2", "rename column a to aa", "set schema public", "cluster on t_a", "validate constraint known"),
    *("alter column g drop expression", "alter column g set expression as (a + 2)", "owner to postgres"),
    "add column x int, drop column j, alter column big type int",
]
OTHERS = [
    *("alter table s.loose set unlogged", "alter table s.loose add primary key (id)", "cluster s.t using t_a"),
    "alter table s.child drop constraint child_t_id_fkey",
    "alter table s.part attach partition s.loose for values in (2)",
    "alter table s.part detach partition s.part1",
    "create table s.part9 partition of s.part for values in (9)",
    *("create index on s.t (big)", "create index if not exists t_a on s.t (a)", "drop index s.t_a"),
    *("create table s.new (id int references s.t)", "create table s.new as select * from s.t"),
    "create trigger t2 before insert on s.t for each row execute function s.tf()",
    *("drop trigger trg on s.t", "create policy p2 on s.t using (true)", "drop policy p on s.t"),
    *("alter policy p on s.t using (false)", "create rule r as on delete to s.t do instead nothing"),
    *("reindex table s.t", "lock table s.t in share row exclusive mode", "lock table s.t in row exclusive mode"),
    *("comment on table s.t is 'x'", "grant select on s.t to anon", "update s.t set b = 'x' where id = 1"),
    *("create view s.v2 as select * from s.t", "select count(*) from s.t", "insert into s.parent values (11)"),
]
TYPES = [
    *("v text", "v varchar(30)", "v varchar(20)", "v varchar(10)", "v varchar(10) using v::varchar(10)", "v varchar"),
    *("v char(30)", "v int using v::int", "un varchar(10)", "un text", "b varchar", "b varchar(50)", "b s.plain"),
    *("b int using b::int", "b jsonb using b::jsonb", "b s.mood using 'ok'::s.mood", "b name", "b text using lower(b)"),
    *("n numeric(12,2)", "n numeric(10,4)", "n numeric(12,4)", "n numeric(10,1)", "n numeric(5,2)", "n numeric"),
    *("n int", "n float8", "n text", "anyn numeric(10,2)", "big int", "big numeric", "big numeric(10,2)"),
    *("big float8", "big text", "nn bigint", "nn smallint", "nn s.positive", "checked boolean using checked::boolean"),
    *("nn numeric(5,2)", "nn oid", "dp int", "ts timestamp", "ts date", "ts timestamptz(3)", "ts timestamptz(6)"),
    *("tz timestamptz", "tz timestamp(0)", "tz date", "tz time", "tsp timestamp(6)", "tsp timestamp"),
    *("tsp timestamp(1)", "tsp timestamptz(3)", "d timestamp", "d timestamptz", "d timestamp(0)", "j jsonb", "j text"),
    *("jb json", "jb text", "m text", "m varchar(10)", "c text", "c char(20)", "c char(5)", "c varchar(10)", "u text"),
    *(
        "f real",
        "f int",
        "f numeric",
        "f numeric(10,2)",
        "arr bigint[]",
        "arr text[]",
        "arrt varchar[]",
        "arr int[] using array[1]",
    ),
    *("ip cidr", "cd inet", "ip text", "nn int using nn + 1", "nn text using nn::text", "nn text using nn::int::text"),
]


@pytest.mark.parametrize(
    "sql",
    [
        *(f"alter table s.t {command}" for command in ALTERS),
        *OTHERS,
        *(f"alter table s.t alter column {change.replace(' ', ' type ', 1)}" for change in TYPES),
    ],
)
def test_locks_and_rewrites_are_those_of_postgresql(
    target: psycopg.Connection[Any], writer: psycopg.Connection[Any], sql: str
) -> None:
    (statement,) = plan(target, sql)
    assert claimed(statement) == run(writer, sql)


# old type, a value, what becomes of it: the type changes keep the value, fail, or are said to lose it
VALUES = [
    *(
        ("varchar(20)", "'twelve chars'", "varchar(5)"),
        ("varchar(20)", "'twelve chars'", "varchar(5) using c::varchar(5)"),
    ),
    *(("text", "'twelve chars'", "varchar(5)"), ("text", "'twelve chars'", "varchar(5) using c::varchar(5)")),
    *(("text", "'42'", "int using c::int"), ("text", "'A'", "text using lower(c)"), ("text", "'a'", "varchar")),
    *(
        ("text", "'twelve chars'", "char(5) using c::char(5)"),
        ("char(9)", "'abc'", "text"),
        ("text", "'Abc'", "citext"),
        ("citext", "'Abc'", "text"),
    ),
    *(
        ("text", "repeat('x', 80)", "name"),
        ("text", "'abc'", '"char" using c::"char"'),
        ("bit(4)", "b'1011'", "bit(2) using c::bit(2)"),
    ),
    *(
        ("bit varying(4)", "b'1011'", "bit varying(2)"),
        ("bit varying(4)", "b'1011'", "bit varying(2) using c::bit varying(2)"),
    ),
    *(("numeric(10,4)", "1.2345", "numeric(10,2)"), ("numeric(10,2)", "12345678.25", "numeric(6,2)")),
    *(
        ("numeric", "1.2345", "numeric(10,2)"),
        ("numeric(10,2)", "1.25", "numeric(12,4)"),
        ("numeric", "1.25", "numeric"),
    ),
    *(("numeric", "1.5", "int"), ("numeric", "1234567890.123456789012345678", "float8"), ("numeric", "1.25", "text")),
    *(("bigint", "5000000000", "int"), ("bigint", "9007199254740993", "float8"), ("int", "16777217", "real")),
    *(("int", "7", "bigint"), ("int", "7", "numeric(5,2)"), ("int", "70000", "smallint"), ("int", "7", "text")),
    *(("float8", "1.5", "int"), ("float8", "0.1234567890123", "real"), ("float8", "0.1", "text")),
    *(("float8", "0.1234567890123456", "numeric"), ("float8", "1.25", "numeric(3,1)"), ("money", "1.25", "numeric")),
    *(
        ("timestamptz", "'2026-01-02 03:04:05.678'", "date"),
        ("timestamptz", "'2026-01-02 03:04:05.678'", "timestamptz(0)"),
    ),
    *(("timestamp", "'2026-01-02 03:04:05'", "time"), ("timestamp", "'2026-01-02 03:04:05'", "timestamptz")),
    *(
        ("timestamptz", "'2026-01-02 03:04:05'", "timestamp"),
        ("timestamp(3)", "'2026-01-02 03:04:05.678'", "timestamp"),
    ),
    *(
        ("date", "'2026-01-02'", "timestamp(0)"),
        ("interval", "'25:00:01'", "time"),
        ("time(3)", "'1:02:03.456'", "time(1)"),
    ),
    *(("jsonb", "'{\"a\": 1.5}'", "text"), ("jsonb", "'1.5'", "int using c::int"), ("json", "'{\"a\": 1}'", "jsonb")),
    *(("inet", "'10.0.0.1/8'", "cidr"), ("cidr", "'10.0.0.0/8'", "inet"), ("boolean", "true", "int using c::int")),
    *(("s.mood", "'ok'", "text"), ("text", "'ok'", "s.mood using c::s.mood"), ("int[]", "'{1,70000}'", "bigint[]")),
    *(("uuid", "'7d444840-9dc0-11d1-b245-5ffdce74fad2'", "text"), ("float8[]", "'{1.5}'", "int[]")),
    *(("s.positive", "7", "int"), ("int", "7", "s.positive"), ("int", "7", "int using c + 1"), ("oid", "7", "int")),
]


def read_back(writer: psycopg.Connection[Any], expression: str) -> str | None:
    """The changed value as it was; None where there is no way back."""
    try:
        return str(writer.execute(f"select {expression} from s.change").fetchall()[0][0])
    except psycopg.Error:
        return None


@pytest.mark.parametrize(("old", "value", "new"), VALUES)
def test_a_type_change_loses_what_the_plan_says_and_nothing_else(
    target: psycopg.Connection[Any], writer: psycopg.Connection[Any], old: str, value: str, new: str
) -> None:
    writer.execute(f"create table s.change as select {value}::{old} as c".encode())
    try:
        sql = f"alter table s.change alter column c type {new}"
        found = risks(target, sql, "destroys")
        before = read_back(writer, "c::text")
        try:
            writer.execute(sql)
            lost = before not in (read_back(writer, f"c::text::{old}::text"), read_back(writer, f"c::{old}::text"))
        except psycopg.DataError:
            lost = False  # the migration fails: nothing has changed
    finally:
        writer.execute("drop table s.change")
    assert bool(found) == lost, (before, found)
    assert all(risk.rows == Rows(1, exact=True) and risk.object == "s.change.c" for risk in found)


LOSSES = {
    # what is dropped, and how much of it there is
    "drop table s.loose": [("s.loose", 1)],
    "drop table s.parent, s.loose cascade": [("s.parent", 10, "materialized view s.mv"), ("s.loose", 1)],
    "drop table s.t cascade": [
        ("s.t", 10, "policy q on s.child", "table constraint child_t_id_fkey on s.child", "view s.v")
    ],
    "drop table s.t": [("s.t", 10)],
    "drop table s.part": [("s.part", 5)],
    "drop table s.part1": [("s.part1", 5)],
    "alter table s.t drop column free cascade": [("s.t.free", 0, "view s.v")],
    "alter table s.t drop b, drop column if exists nope": [("s.t.b", 10)],
    "alter table s.t drop column g": [],
    "alter table s.t drop v, add v text; alter table s.t alter v type char using v::char": [("s.t.v", 10)],
    "drop schema s cascade": [("s", 56)],
    "drop type s.mood cascade": [("s.mood", 10, "table column s.t.m")],
    "drop domain s.positive cascade": [("s.positive", 0, "table column s.t.dp")],
    "drop type s.mood": [],
    "drop view s.v; drop materialized view s.mv; drop sequence if exists s.x; drop index s.t_a": [],
    "drop function s.tf() cascade": [],
    "drop extension citext cascade": [],
    "truncate s.child, s.loose": [("s.child", 30), ("s.loose", 1)],
    "truncate s.t cascade": [("s.t", 40, "the rows of s.child")],
    "delete from s.t": [("s.t", 40, "the rows of s.child")],
    "delete from s.child where true": [("s.child", 30)],
    "delete from s.child where 1 = 1": [("s.child", 30)],
    "delete from s.child where id > 0": [],
    "merge into s.child c using s.t t on t.id = c.id when matched then delete": [("s.child", None)],
    "merge into s.loose using s.t on true when matched then update set id = 1": [("s.loose", None)],
    "merge into s.loose using s.t on true when not matched then insert values (1)": [],
    "explain analyze delete from s.child": [("s.child", 30)],
    "explain delete from s.child": [],
    "with gone as (delete from s.child returning *) select * from gone": [("s.child", 30)],
    "update s.t set free = 1, b = ''": [("s.t", 10)],
    "update s.t set free = 1": [("s.t", 0)],
    "update s.t set b = '' where false": [],
    "alter table s.t add x int; update s.t set x = 1": [],
    "insert into s.child values (99, 1)": [],
    "drop database other": [("other", None)],
    # what the plan makes itself is not lost
    "create table s.x (i int); insert into s.x values (1); truncate s.x; alter table s.x drop i; drop table s.x": [],
    "create temporary table t (i int); drop table t": [],
    "create schema y create table z (i int); drop schema y cascade": [],
    "drop table if exists s.gone; drop schema if exists gone cascade; drop type if exists s.gone cascade": [],
    "create table if not exists s.loose (id int); drop table s.loose": [("s.loose", 1)],
    "drop table s.loose; create table s.loose (id int); drop table s.loose": [("s.loose", 1)],
    # names
    "alter table s.loose rename to old; create table s.loose (id int); drop table s.old": [("s.old", 1)],
    "alter table s.t rename column b to bb; alter table s.t drop column bb": [("s.t.bb", 10)],
    "alter table s.loose set schema public; drop table public.loose": [("public.loose", 1)],
    "drop table loose": [],
    "set search_path = nowhere, s; drop table loose": [("s.loose", 1)],
    "select set_config('search_path', 's', false); truncate loose": [("s.loose", 1)],
    'drop table "s"."loose"': [("s.loose", 1)],
    "drop table S.Loose": [("s.loose", 1)],
    'drop table s."Loose"': [],
    # a DO block is looked into
    "do $$ begin if true then drop table s.loose; end if; end $$": [("s.loose", 1)],
    "do $$ begin execute 'truncate s.loose'; end $$": [("s.loose", 1)],
    "do $$ begin delete from s.child where id = 1; create table if not exists s.x (i int); end $$": [],
    "do $$ begin create table s.loose (i int); exception when duplicate_table then null; end $$; drop table s.loose": [
        ("s.loose", 1)
    ],
}


@pytest.mark.parametrize("sql", LOSSES)
def test_what_is_lost_and_how_many_rows(target: psycopg.Connection[Any], sql: str) -> None:
    found = [(risk.object, risk.rows, risk.cascades) for risk in risks(target, sql, "destroys")]
    expected = [
        (name, None if count is None else Rows(count, exact=True), tuple(cascades))
        for name, count, *cascades in LOSSES[sql]
    ]
    if sql.startswith("drop schema s"):  # everything in it goes along
        assert len(found[0][2]) > 10 and "table s.t" in found[0][2]
        found = [(name, rows, ()) for name, rows, _ in found]
    assert found == expected


def test_owned_objects_are_counted(target: psycopg.Connection[Any]) -> None:
    (risk,) = risks(target, "drop owned by postgres cascade", "destroys")
    assert risk.object == "postgres" and risk.rows == Rows(56, exact=True)


@pytest.mark.parametrize("sql", ["delete from s.child where id > 0", "update s.t set b = '' where id = 1"])
def test_what_a_condition_picks_is_told_without_a_number(target: psycopg.Connection[Any], sql: str) -> None:
    (risk,) = risks(target, sql, "not_analysed")
    assert "that meet its condition" in risk.what and risk.rows is None


SECURITY = {
    "drop policy p on s.t": ["policy p on s.t"],
    "drop policy if exists nope on s.t": [],
    "drop policy p on s.t; create policy p on s.t using (false)": [],
    "create policy p2 on s.t using (true); drop policy p on s.t": ["policy p on s.t"],
    "drop policy if exists p on s.t; do $$ begin create policy p on s.t using (true); end $$": [],
    "alter table s.t disable row level security": ["s.t"],
    "alter table s.child disable row level security": [],
    "drop table s.t cascade": ["policy q on s.child"],
    "create role x superuser; alter role anon bypassrls; create role y nobypassrls": ["role x", "role anon"],
}


@pytest.mark.parametrize("sql", SECURITY)
def test_a_protection_that_goes(target: psycopg.Connection[Any], sql: str) -> None:
    assert [risk.object for risk in risks(target, sql, "security")] == SECURITY[sql]


UNSEEN = {
    "do $$ begin execute format('drop table %I', 'x'); end $$": ["DO block"],
    "do $$ declare r record; begin for r in execute 'sel' || 'ect 1' loop null; end loop; end $$": ["DO block"],
    "do language plpython3u $$ x $$": ["DO block"],
    "do $$ begin this is not SQL; end $$": ["DO block"],
    "do $$ begin perform s.vol(); end $$": ["s.vol"],
    "do $$ begin null; end $$": [],
    "select s.vol()": ["s.vol"],
    "select s.sta(), now(), pg_catalog.set_config('a.b', '', false), count(*) from s.t": [],
    "call s.nope(1)": ["s.nope"],
    "create function s.f() returns void language sql as 'drop table s.t'": [],
}


@pytest.mark.parametrize("sql", UNSEEN)
def test_what_cannot_be_looked_into(target: psycopg.Connection[Any], sql: str) -> None:
    assert [risk.object for risk in risks(target, sql)] == UNSEEN[sql]
    assert {risk.kind for risk in risks(target, sql)} <= {"not_analysed"}


def test_every_statement_has_its_file_and_line(target: psycopg.Connection[Any]) -> None:
    found = plan(
        target,
        "-- one; ภาษาไทย\n\n/* two; */ create table s.x (i int);\r\n\r\n  alter table s.x\n    add j int;;\n",
        "\ufeffdo $$\nbegin\n  drop table s.x;\nend $$;\nselekt\n1;\ngrant select on s.t to anon",
    )
    assert [(one.file, one.line, one.kind, one.object) for one in found] == [
        ("001_x.sql", 3, "creates", "table s.x"),
        ("001_x.sql", 5, "alters", "table s.x"),
        ("002_x.sql", 1, "runs", "DO block"),
        ("002_x.sql", 3, "drops", "table s.x"),
        ("002_x.sql", 5, "unparsed", ""),
        ("002_x.sql", 7, "alters", "grant s.t"),
    ]
    assert [one.destructive for one in found] == [False] * 4 + [True, False]


REWRITTEN = {
    "alter table s.loose add x serial": ["s.loose"],
    "drop table s.loose; create table s.loose (id int); alter table s.loose add x serial": [],
    "do $$ begin drop table s.loose; end $$; alter table s.loose add x serial": ["s.loose"],
    "create table if not exists s.loose (id int); alter table s.loose add x serial": ["s.loose"],
    "create table s.x (id int); alter table s.x rename to y; alter table s.y add z serial": [],
}


@pytest.mark.parametrize("sql", REWRITTEN)
def test_a_table_that_the_plan_makes_is_nobodys_yet(target: psycopg.Connection[Any], sql: str) -> None:
    assert [risk.object for risk in risks(target, sql, "rewrites")] == REWRITTEN[sql]


def test_each_migration_begins_with_the_databases_search_path(target: psycopg.Connection[Any]) -> None:
    found = plan(target, "set search_path = s; drop table child", "drop table loose")
    assert [[risk.object for risk in one.risks if risk.kind == "destroys"] for one in found] == [[], ["s.child"], []]


def test_a_count_leaves_the_limit_of_other_questions_alone(target: psycopg.Connection[Any]) -> None:
    with read_target_catalog(target) as catalog:
        assert [catalog.count(each) for each in catalog.relations if each.name == "loose"] == [Rows(1, exact=True)]
        assert target.execute("show statement_timeout").fetchone() == ("30s",)


def test_no_literal_is_repeated(target: psycopg.Connection[Any]) -> None:
    found = plan(
        target,
        "alter role anon password 'fake-pw'; select vault.create_secret('fake-pw'); set app.key = 'fake-pw';"
        "do $$ begin execute 'alter role anon password ''fake-pw'' '; end $$; insert into s.loose values ('fake-pw');"
        "comment on table s.t is 'fake-pw'; update s.t set b = 'fake-pw'; notify x, 'fake-pw';"
        "alter table s.t add x text default 'fake-pw', add constraint k check (b <> 'fake-pw')",
    )
    assert len(found) == 10 and "fake-pw" not in repr(found)


NOT_NULL = "alter table s.t alter a set not null"


@pytest.mark.parametrize(
    ("before", "scanned"),
    [
        ("select 1", True),
        ("alter table s.t add constraint k check (a is not null) not valid", True),
        (
            "alter table s.t add constraint k check (a is not null) not valid; alter table s.t validate constraint k",
            False,
        ),
        ("alter table s.t add constraint k check (free is not null)", True),
    ],
)
def test_a_valid_check_spares_not_null_its_scan(target: psycopg.Connection[Any], before: str, scanned: bool) -> None:
    *_, last = plan(target, before, NOT_NULL)
    assert [risk.brief for risk in last.risks if risk.lock] == [not scanned]


def test_a_count_that_takes_too_long_becomes_an_estimate(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promthctl.push.risks.catalog._COUNT_SECONDS", 0.15)
    with fresh_database(server) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create table public.big as select i, nullif(i % 4, 0) as c from generate_series(1, 50000) i"
        )
        connection.execute("analyze public.big")
        with psycopg.connect(url) as other:  # whose lock makes every count wait
            other.execute("lock table public.big in access exclusive mode")
            found = risks(connection, "alter table public.big drop column c; drop table public.big", "destroys")
    assert [risk.rows and risk.rows.exact for risk in found] == [False, False]
    assert found[1].rows and 49_000 < found[1].rows.count < 51_000
    assert found[0].rows and 36_000 < found[0].rows.count < 39_000


def test_rows_that_row_level_security_hides_are_not_counted_as_none(url: str, writer: psycopg.Connection[Any]) -> None:
    writer.execute("create role blind login; grant usage on schema s to blind; grant select on s.t to blind")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            writer.execute("grant blind to postgres")
            connection.execute("set role blind")
            (risk,) = risks(connection, "drop table s.t", "destroys")
        assert risk.rows is None or not risk.rows.exact
    finally:
        writer.execute("drop owned by blind; drop role blind")


def test_a_plan_writes_nothing(target: psycopg.Connection[Any], url: str) -> None:
    plan(target, *LOSSES)
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("select count(*) from s.t").fetchone() == (10,)
        idle = "select count(*) from pg_stat_activity where datname = current_database() and xact_start is not null"
        assert connection.execute(f"{idle} and pid <> pg_backend_pid()".encode()).fetchone() == (0,)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), target.transaction():
        target.execute("create table public.t ()")
