"""`rollback --restore`: what was exported comes back as it was, all or nothing, and nobody's row is overwritten."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import psycopg
import pytest

from promthctl.backups import writing
from promthctl.backups.manifest import Manifest
from promthctl.backups.restoring import RestoreResult
from promthctl.errors import PromthctlError, RefusedError, UsageError
from tests.embedded.rolling import World
from tests.embedded.working import database_url as local_url
from tests.promthctl_runner import Project
from tests.servers import Server

A = "create table public.a (id int primary key, t text);"
DROP_A = "drop table public.a;"


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> World:
    return World.make(database_url, tmp_path / "project")


def counts(result: RestoreResult) -> dict[str, tuple[int, int, int]]:
    """table → (inserted, updated, left out)."""
    return {table.name.removeprefix("public."): (table.inserted, table.updated, table.left) for table in result.tables}


def round_trip(world: World, *tables: str) -> RestoreResult:
    """Roll back, apply again, restore: every row of the tables must be as it was."""
    before = world.digest(*tables)
    assert all(count for count, _ in before), "a table without rows proves nothing"
    world.roll_back()
    world.apply("002")
    done = world.restore()
    assert world.digest(*tables) == before
    return done


# what comes back


TYPES = """
create type mood as enum ('sad', 'ok', 'so so');
create type pair as (x int, y text);
create domain even as int check (value % 2 = 0);
create table public.types (
  id uuid primary key, b bool, i8 bigint, num numeric, f4 real, f8 float8, m money, t text, vc varchar(5), c char(5),
  by bytea, d date, tm time, ttz timetz, ts timestamp, tstz timestamptz, iv interval, j json, jb jsonb, x xml,
  arr int[], tarr text[], tarr2 text[][], r int4range, mr nummultirange, inet inet, cidr cidr, mac macaddr, pt point,
  box box,
  bits bit varying(8), tsv tsvector, mood mood, moods mood[], pair pair, even even, "odd ""n" text,
  o oid, reg regclass,
  gen bigint generated always as (i8 + 1) stored
);
"""
VALUES = r"""
insert into types values (
  'f0000000-0000-0000-0000-000000000001', true, -9223372036854775808, 'NaN', 1.1, 0.30000000000000004, '$1,234.56',
  E'tab\t line\n cr\r back\\slash \\N \\. ''quote'' "ü ก 🎉', '', 'ab', '\x00ff5c2e', '4713-01-01 BC', '24:00',
  '12:00:00.123456+05:30', 'infinity', '2026-03-29 02:30:00.000001+01', '-1 year 2 mons -3 days 04:05:06.7',
  '{"b": 1,  "a": [null, "\u00e9"], "b": 2}', '{"k": "v\\n", "n": 1.10}', '<a b="c">é</a>', '{1,null,3}',
  array['a,b', null, '', 'NULL', E'x"y\\'], array[['a','b'],['c','d']], '[1,5)', '{[1.5,2],(3,)}', '::1/64',
  '10.0.0.0/8',
  '08:00:2b:01:02:03', '(1.5,-2)', '(1,1),(0,0)', B'10101', 'fat:1A cat:2', 'so so', array['sad','so so']::mood[],
  row(1, 'a,"b)')::pair, 4, 'x', 4294967295, 'public.types');
insert into types (id, iv) values ('f0000000-0000-0000-0000-000000000002', '-1 day -2 hours');
"""


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # of what looks at locks meanwhile
def test_every_type_of_value_comes_back_as_it_was_whatever_the_sessions_say(world: World) -> None:
    world.migrate(TYPES, "drop table types; drop domain even; drop type pair; drop type mood;")
    world.run(VALUES)
    before = world.digest("types")
    try:
        world.run(
            "alter role postgres set datestyle = 'SQL, DMY'", "alter role postgres set intervalstyle = 'sql_standard'"
        )
        world.run("alter role postgres set bytea_output = 'escape'", "alter role postgres set extra_float_digits = -5")
        world.roll_back()
        world.run("alter role postgres set datestyle = 'ISO, MDY'", "alter role postgres reset intervalstyle")
        world.run("alter role postgres reset bytea_output", "alter role postgres reset extra_float_digits")
        world.apply("002")
        world.restore()
    finally:
        world.run("alter role postgres reset datestyle")
    assert world.digest("types") == before


KINDS = """
create table public.parent (id bigint generated always as identity primary key, boss bigint references parent, t text);
create table public.left_ (id int primary key, right_id int);
create table public.right_ (id int primary key, left_id int references left_ not null);
alter table left_ add foreign key (right_id) references right_;
create table public.child (id serial primary key, parent_id bigint not null references parent on delete cascade);
create table public.day (id int, day date, parent_id bigint references parent, primary key (id, day))
  partition by range (day);
create table public.day1 partition of day for values from ('2026-01-01') to ('2026-02-01');
create table public.day2 partition of day for values from ('2026-02-01') to ('2026-03-01');
create table public.base (id int primary key);
create table public.heir (extra text) inherits (base);
create table public.unkeyed (i int, j json);
create table public.stamped (id int primary key, updated_at timestamptz not null default now());
create table public."Odd name; drop" (id int primary key, "select" text);
create sequence public.tickets;
create function shout() returns trigger language plpgsql as $$ begin raise exception 'a trigger fired'; end $$;
create trigger shout before insert on day for each row execute function shout();
alter table parent enable row level security;
create or replace function stamp() returns trigger language plpgsql as $$
  begin new.updated_at = now(); return new; end $$;
create trigger a_stamp before insert or update on stamped for each row execute function stamp();
create trigger b_never before insert or update on stamped for each row execute function stamp();
create trigger c_always before insert or update on stamped for each row execute function stamp();
create trigger d_replica before insert or update on stamped for each row execute function stamp();
alter table stamped disable trigger b_never;
alter table stamped enable always trigger c_always;
alter table stamped enable replica trigger d_replica;
"""
KINDS_DOWN = """
alter table left_ drop constraint left__right_id_fkey;
drop table "Odd name; drop", stamped, unkeyed, heir, base, day, child, right_, left_, parent;
drop sequence tickets; drop function stamp, shout;
"""
KINDS_ROWS = """
insert into parent (boss, t) values (2, 'a'), (3, 'b'), (null, 'c');
insert into child (parent_id) select 1 + g % 3 from generate_series(1, 50) g;
insert into left_ values (1, null), (2, null); insert into right_ values (1, 2), (2, 1); update left_ set right_id = id;
alter table day disable trigger shout;
insert into day values (1, '2026-01-31', 1), (1, '2026-02-01', 2), (2, '2026-02-02', null);
alter table day enable trigger shout;
insert into base values (1); insert into heir values (2, 'x');
insert into unkeyed values (1, '[1]'), (1, '[1]'), (null, null);
alter table stamped disable trigger user;
insert into stamped values (1, '2020-01-01'), (2, '2021-01-01');
alter table stamped enable trigger a_stamp; alter table stamped enable always trigger c_always;
alter table stamped enable replica trigger d_replica;
insert into "Odd name; drop" values (1, 'from');
select nextval('tickets') from generate_series(1, 7);
"""
STATES = """
select tgname, tgenabled::text from pg_trigger
 where not tgisinternal and tgrelid::regclass::text ~ 'stamped|day' order by 1, 2"""
KEYS = """
select conname, condeferrable, condeferred from pg_constraint where contype = 'f'
   and conrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace) order by conname, oid"""


def test_every_kind_of_table_comes_back_with_keys_triggers_and_sequences(world: World) -> None:
    world.migrate(KINDS, KINDS_DOWN)
    states, keys = world.read(STATES), world.read(KEYS)
    world.run(KINDS_ROWS)
    done = round_trip(
        world, "parent", "child", "left_", "right_", "day1", "day2", "only base", "heir", "unkeyed", "stamped",
        '"Odd name; drop"',
    )  # fmt: skip
    assert sum(left for *_, left in counts(done).values()) == 0
    assert (world.read(STATES), world.read(KEYS)) == (states, keys)
    assert world.read("insert into parent default values returning id") == [(4,)]
    assert world.read("insert into child (parent_id) values (1) returning id") == [(51,)]
    assert world.read("select nextval('tickets')") == [(8,)]
    assert world.read("update stamped set id = id returning updated_at > '2026-01-01'") == [(True,), (True,)]


def test_a_restored_table_that_went_on_keeps_its_sequence_ahead(world: World) -> None:
    world.migrate("create table public.s (id serial primary key, t text);", "drop table s;")
    world.run("insert into s (t) select 'old' from generate_series(1, 3)")
    world.roll_back()
    world.apply("002")
    world.run("select setval('s_id_seq', 100)", "insert into s (t) values ('new')")
    assert counts(world.restore()) == {"s": (3, 0, 0)}
    assert world.read("insert into s (t) values ('next') returning id") == [(102,)]


COLUMN = "alter table public.t add note text, add data jsonb not null default '{}', add at timestamptz default now();"
COLUMN_DOWN = "alter table public.t drop note, drop data, drop at;"


@pytest.fixture
def columns(world: World) -> World:
    """A table of version 001 to which 002 added three columns; rolled back and pushed again."""
    world.write("001", "create table public.t (id int primary key, own text);", "drop table t;")
    world.apply("001")
    world.migrate(COLUMN, COLUMN_DOWN)
    world.run("""insert into t values (1, 'a', 'one', '{"x": 1}', '2020-01-01'),
      (2, 'b', null, '{"y": 2}', '2021-01-01'), (3, 'c', 'three', '{}', null)""")
    world.roll_back()
    world.run("update t set own = 'changed' where id = 1", "delete from t where id = 3", "insert into t values (4)")
    world.apply("002")
    return world


def test_dropped_columns_come_back_into_the_rows_that_are_still_there(columns: World) -> None:
    assert counts(columns.restore()) == {"t": (0, 2, 0)}
    assert columns.read("select id, own, note, data->>'x', data->>'y', extract(year from at) from t order by id") == [
        (1, "changed", "one", "1", None, 2020),
        (2, "b", None, None, "2", 2021),
        (4, None, None, None, None, 2026),
    ]


def test_a_plain_default_is_nobodys_also_once_the_table_was_written_anew(columns: World) -> None:
    columns.run("update t set at = null", "alter table t alter own type varchar(50) using own || ''")
    assert counts(columns.restore()) == {"t": (0, 2, 0)}


def test_what_somebody_wrote_into_a_column_since_is_a_conflict(columns: World) -> None:
    columns.run("update t set note = 'mine' where id = 1")
    with pytest.raises(RefusedError, match=r"public\.t: 1 row is there with other values \(id: 1\)") as raised:
        columns.restore()
    assert "--conflicts replace" in raised.value.hint
    assert columns.read("select count(*) from t where note = 'one' or data <> '{}'") == [(0,)]
    assert counts(columns.restore(conflicts="keep")) == {"t": (0, 1, 1)}
    assert columns.read("select note, data::text from t where id < 3 order by id") == [
        ("mine", "{}"),
        (None, '{"y": 2}'),
    ]
    assert counts(columns.restore(conflicts="replace")) == {"t": (0, 1, 0)}
    assert columns.read("select note from t where id = 1") == [("one",)]


def test_a_lost_primary_key_is_no_key_to_restore_by(world: World) -> None:
    world.write("001", "create table t (own text);", "select 1;")
    world.apply("001")
    world.run("insert into t values ('a'), ('b')")
    world.migrate("alter table t add id int generated always as identity primary key, add n int;",
                  "alter table t drop id, drop n;")  # fmt: skip
    world.run("update t set n = id")
    assert [lost.restorable for lost in world.plan().lost] == [False]
    world.roll_back()
    world.run("update t set own = own || '!' where own = 'a'")  # so that the rows get their new numbers the other way
    world.apply("002")
    with pytest.raises(RefusedError, match="no primary key that was there before"):
        world.restore(conflicts="stop")
    assert counts(world.restore(conflicts="replace")) == {"t": (0, 0, 2)}


def test_what_belongs_to_an_extension_is_left_to_it(world: World, server: Server) -> None:
    job = "select cron.schedule('j', '* * * * *', 'select 1');"
    up = f"create extension if not exists pg_cron; {job}"
    world.migrate(up, "select cron.unschedule('j');")
    assert world.plan().lost == ()
    # A superuser has the rights to all tables, so they are exported; they come back only where nothing is.
    world.write("002", up, "delete from cron.job;")
    admin = World(server.url(world.url.rpartition("/")[2], "supabase_admin"), world.project)
    admin.roll_back()
    world.apply("002")
    before = world.read("select * from cron.job")
    (table,) = admin.restore().tables
    assert (table.name, table.left, table.note) == ("cron.job", 1, "its rows are left to the extension pg_cron")
    assert world.read("select * from cron.job") == before


def test_rows_of_tables_that_are_not_ours_come_back(world: World) -> None:
    up = "insert into storage.buckets (id, name) values ('a', 'a'), ('b', 'b');"
    down = "set storage.allow_delete_query = 'true'; delete from storage.objects where bucket_id = 'a';"
    world.migrate(up, f"{down} delete from storage.buckets where id = 'a';")
    world.run("insert into storage.objects (bucket_id, name) values ('a', 'x'), ('b', 'y')")
    before = world.digest("storage.buckets", "storage.objects")
    world.roll_back()
    assert counts(world.restore()) == {"storage.buckets": (1, 0, 0), "storage.objects": (1, 0, 0)}
    assert world.digest("storage.buckets", "storage.objects") == before


def test_deleted_updated_and_truncated_rows_of_a_table_that_stays_come_back(world: World) -> None:
    world.write("001", "create table t (id int primary key, t text); create table u (id int);", "select 1;")
    world.apply("001")
    world.run("insert into t select g, 'v' || g from generate_series(1, 10) g", "insert into u values (1), (1)")
    world.migrate("select 1;", "delete from t where id > 8; update t set t = 'gone' where id = 1; truncate u;")
    before = world.digest("t", "u")
    world.roll_back()
    world.apply("002")
    with pytest.raises(RefusedError, match=r"public\.t: 1 row .* other values \(id: 1\)"):
        world.restore()
    assert counts(world.restore(conflicts="replace")) == {"t": (2, 1, 0), "u": (2, 0, 0)}
    assert world.digest("t", "u") == before


# what is in the way


FAMILY = """
create table public.owners (id int primary key, email text unique);
create table public.pets (id int primary key, owner int not null references owners on delete cascade, mother int
  references pets, name text);
"""


@pytest.fixture
def family(world: World) -> World:
    """Two tables of version 002, rolled back and pushed again, empty."""
    world.migrate(FAMILY, "drop table pets; drop table owners;")
    world.run(
        "insert into owners select g, g || '@example.com' from generate_series(1, 4) g",
        "insert into pets select g, 1 + g % 4, case when g > 8 then g - 4 end, 'p' from generate_series(4, 12) g",
    )
    world.roll_back()
    world.apply("002")
    return world


def test_rows_with_the_same_key_and_other_values_stop_it_and_are_named(family: World) -> None:
    family.run("insert into owners values (1, '1@example.com'), (2, 'other'), (9, 'new')")
    with pytest.raises(RefusedError) as raised:
        family.restore()
    assert raised.value.why == "public.owners: 1 row is there with other values (id: 2)"
    assert family.read("select count(*) from owners union all select count(*) from pets") == [(3,), (0,)]
    assert counts(family.restore(conflicts="keep", dry_run=True)) == {"owners": (2, 0, 1), "pets": (9, 0, 0)}
    assert family.read("select count(*) from pets") == [(0,)]
    assert counts(family.restore(conflicts="keep")) == {"owners": (2, 0, 1), "pets": (9, 0, 0)}
    assert family.read("select email from owners order by id") == [
        ("1@example.com",), ("other",), ("3@example.com",), ("4@example.com",), ("new",)]  # fmt: skip
    assert counts(family.restore(conflicts="replace")) == {"owners": (0, 1, 0), "pets": (0, 0, 0)}
    assert family.restore().conflicts == ()  # everything is there as it was: nothing to do, nothing in the way


def test_rows_that_refer_to_rows_which_are_gone_are_named_or_left_out(world: World) -> None:
    world.write("001", "create table owners (id int primary key);", "select 1;")
    world.apply("001")
    pets = "create table pets (id int primary key, owner int references owners, mother int references pets);"
    world.migrate(pets, "drop table pets;")
    world.run(
        "insert into owners values (1), (2)",
        "insert into pets values (1, 1, null), (2, 2, null), (3, 1, 2), (4, 1, 3), (5, 1, 1), (6, null, null)",
    )
    world.roll_back()
    world.apply("002")
    world.run("delete from owners where id = 2")
    with pytest.raises(RefusedError) as raised:
        world.restore()
    assert raised.value.why.splitlines() == [
        "public.pets: 1 row refers to rows of public.owners that are gone",
        "public.pets: 2 rows refer to rows of public.pets that are gone",
    ]
    assert world.read("select count(*) from pets") == [(0,)]
    assert counts(world.restore(conflicts="keep")) == {"pets": (3, 0, 3)}
    assert world.read("select id from pets order by id") == [(1,), (5,), (6,)]


def test_another_unique_key_in_the_way_changes_nothing_or_is_passed_over(family: World) -> None:
    family.run("insert into owners values (20, '1@example.com')")
    with pytest.raises(PromthctlError, match="owners_email_key") as raised:
        family.restore()
    assert "--conflicts keep" in raised.value.hint and "1@example.com" not in str(raised.value)
    assert family.read("select count(*) from owners") == [(1,)]
    assert counts(family.restore(conflicts="keep"))["owners"] == (3, 0, 1)


def test_a_table_without_a_primary_key_takes_its_rows_only_when_empty(world: World) -> None:
    world.migrate("create table public.log (line text);", "drop table log;")
    world.run("insert into log values ('a'), ('a')")
    world.roll_back()
    world.apply("002")
    world.run("insert into log values ('b')")
    with pytest.raises(RefusedError, match=r"public\.log: 2 rows .* no primary key"):
        world.restore()
    assert counts(world.restore(conflicts="keep")) == {"log": (0, 0, 2)}
    world.run("truncate log")
    assert counts(world.restore()) == {"log": (2, 0, 0)}


def test_tables_and_columns_that_are_not_there_are_asked_for(family: World) -> None:
    family.roll_back(backup=False)
    with pytest.raises(RefusedError, match=r"does not have .*: public\.owners, public\.pets") as raised:
        family.restore()
    assert f"promthctl push --db-url {family.target.url}" in raised.value.hint
    family.write("002", FAMILY.replace(", name text", ""), "select 1;")
    family.apply("002")
    with pytest.raises(RefusedError, match=r"does not have .*: public\.pets\.name$"):
        family.restore()


def test_a_value_that_no_longer_fits_changes_nothing(family: World) -> None:
    family.run("alter table pets add check (id < 12)")
    with pytest.raises(PromthctlError, match=r"public\.pets: .*violates check"):
        family.restore()
    assert family.read("select count(*) from owners") == [(0,)]


# a backup that is not what it was


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_damaged_backup_is_refused_and_nothing_is_written(family: World) -> None:
    (name,) = family.names()
    whole, bad = family.backups / name, family.backups / "bad"
    files = sorted(path.name for path in whole.iterdir())
    assert files == ["001-public-owners.copy.gz", "002-public-pets.copy.gz", "manifest.json"]

    def refused(match: str = "damaged") -> None:
        with pytest.raises(PromthctlError, match=match) as raised:
            family.restore("bad")
        assert "nothing was written" in raised.value.hint
        shutil.rmtree(bad)

    for file in files:
        size = (whole / file).stat().st_size
        for place in {0, size // 3, size // 2, size - 1}:
            shutil.copytree(whole, bad)
            flip(bad / file, place)
            refused("cannot be restored")
        shutil.copytree(whole, bad)
        (bad / file).unlink()
        refused("No such file")
        shutil.copytree(whole, bad)
        os.truncate(bad / file, size - 1)
        refused()
    shutil.copytree(whole, bad)
    manifest = json.loads((bad / "manifest.json").read_text())
    (bad / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    refused("format 2; this promthctl reads format 1")
    assert family.read("select count(*) from owners") == [(0,)]
    assert counts(family.restore(str(whole))) == {"owners": (4, 0, 0), "pets": (9, 0, 0)}  # by its path


def test_the_list_shows_every_backup_and_its_damage(family: World) -> None:
    (name,) = family.names()
    shutil.copytree(family.backups / name, family.backups / "copy")
    flip(family.backups / "copy" / "manifest.json", 200)
    good, bad = family.project.json("rollback", "--list")
    assert (good["name"], good["undone"], good["rows"], good["damaged"]) == (name, ["002"], 13, None)
    assert good["tables"] == ["public.owners", "public.pets"]
    assert bad["name"] == "copy" and "damaged" in bad["damaged"]
    assert name in family.project.run("rollback", "--list").stdout
    with pytest.raises(UsageError, match="The backup nowhere does not exist"):
        family.restore("nowhere")


def test_a_backup_in_the_making_is_left_alone_and_a_name_is_given_once(tmp_path: Path) -> None:
    manifest = Manifest("2026-01-01T00:00:00+00:00", "x", 170000, (), (), ())
    (tmp_path / ".making-killed").mkdir()
    with writing.new_backup(tmp_path) as one, writing.new_backup(tmp_path) as other:
        assert len(list(tmp_path.iterdir())) == 2
        assert [other.complete(manifest, "same").name, one.complete(manifest, "same").name] == ["same", "same-2"]
    with pytest.raises(ZeroDivisionError), writing.new_backup(tmp_path):
        raise ZeroDivisionError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["same", "same-2"]


# the whole circle


FILL = """
insert into auth.users (id, email) select md5('u' || g)::uuid, 'u' || g || '@example.com' from generate_series(1, 5) g;
insert into user_profiles (id, email, name, preferences, avatar_url)
  select id, email, 'ü ' || email, '{"theme": "dark"}', 'https://example.com/a' from auth.users
  on conflict (id) do update set name = excluded.name, preferences = excluded.preferences;
insert into api_keys (user_id, provider, encrypted_key, key_hash, masked_key, last_used, metadata)
  select id, 'vanchin', 'x' || id, md5(id::text), 'fake...key', now() - interval '1 day', jsonb_build_object('n', id)
    from auth.users;
insert into chat_sessions (user_id, title, metadata) select id, 'T' || g, '{"a": 1}' from auth.users,
  generate_series(1, 3) g;
insert into messages (session_id, role, content, provider_message_id, metadata)
  select id, 'user', E'line\\n\\ttab \\\\ ก', 'm', '{"t": [1, 2]}' from chat_sessions, generate_series(1, 4);
insert into prompts (user_id, title, description, content, tags, is_public)
  select id, 'P', null, 'c', array['a,b', '"q"', ''], true from auth.users;
insert into projects (user_id, name, user_prompt, agent_outputs, final_output)
  select id, 'N', 'p', '{"1": "x"}', '[1.50]' from auth.users;
insert into agent_logs (project_id, agent_number, agent_name, status, input, output, execution_time_ms)
  select id, g, 'agent', 'completed', '{}', '{"o": null}', g * 10 from projects, generate_series(1, 3) g;
insert into cli_sessions (user_id, session_token, machine_name, last_seen_at)
  select id, 'fake-token-' || id, 'box', '2020-01-01' from auth.users;
insert into deployment_logs (project_id, deployment_url, deployment_metadata)
  select id, 'https://example.com', '{"k": 1}' from projects;
insert into tool_executions (project_id, agent_log_id, tool_name, tool_parameters, completed_at)
  select project_id, id, 'tool', '{"p": true}', now() from agent_logs;
"""
OURS = ("user_profiles", "api_keys", "chat_sessions", "messages", "prompts", "projects", "agent_logs", "cli_sessions",
        "deployment_logs", "tool_executions")  # fmt: skip


def test_the_whole_schema_goes_and_comes_back_with_every_row(project: Project) -> None:
    project.up()
    world = World(local_url(project), project)
    world.run(FILL)
    before = world.digest(*OURS)
    assert all(count >= 5 for count, _ in before)

    def backup(to: str) -> str:
        done = project.json("rollback", "--to", to)  # nobody asks on the local stack
        assert world.history() == ([] if to == "0" else [to])
        assert project.json("push")["applied"][-1].startswith("003_")
        return Path(done["backup"]).name

    name = backup("001")
    assert name.endswith("-local")
    project.run("rollback", "--restore", name)
    assert world.digest(*OURS) == before
    name = backup("0")
    # 001 makes every user of Auth a profile, so their rows are there again, with other values.
    refused = project.run("rollback", "--restore", name, code=5).stderr
    assert "public.user_profiles: 5 rows are there with other values" in refused
    restored = project.run("rollback", "--restore", name, "--conflicts", "replace").stdout
    assert "rows with other values are replaced" in restored
    assert world.digest(*OURS) == before
    with psycopg.connect(world.url) as connection:
        connection.execute("update chat_sessions set title = 'later'")
        assert connection.execute("select bool_and(updated_at > created_at) from chat_sessions").fetchone() == (True,)
