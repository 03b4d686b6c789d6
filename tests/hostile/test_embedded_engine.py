"""A hostile migration on the embedded engine: whatever it tries, it stays the role postgres, which is no superuser."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from promthctl import landlock, settings, toolchain
from promthctl.shadow.throw_away import throw_away_database
from promthctl.sql.statements import split_statements
from promthctl.toolchain import ServerChoice, Toolchain, installation
from tests.hostile.traps import ATTACKS, SHADOWS, spring
from tests.servers import Server, fresh_database

_LENDING = ("supautils_begin", "supautils_end")
_VALIDATOR = """create function trap.validate(text[], oid) returns void language plpgsql as
$$ begin perform trap.spring(); end $$"""
_OF_THE_SYSTEM = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")


@dataclass(frozen=True)
class Prey:
    """A database to attack. canary: a folder that the server's user may write to, empty but for library.so."""

    url: str
    admin_url: str
    canary: Path

    def attack(self, text: str) -> list[str]:
        """Run statements as postgres, going on after each that fails; what was refused."""
        refused = []
        text = spring(self.canary) + text.replace("{canary}", str(self.canary))
        with psycopg.connect(self.url, autocommit=True) as connection:
            for start, end, _ in split_statements(text):
                try:
                    connection.execute(text[start:end].encode(), prepare=False)
                except psycopg.Error as error:
                    refused.append(str(error))
        return refused

    def assert_unharmed(self) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            superusers = {
                name
                for (name,) in connection.execute(
                    "select rolname from pg_catalog.pg_roles where rolsuper and rolname <> all (%s)",
                    [["supabase_admin", *_OF_THE_SYSTEM]],
                )
            }
            members = connection.execute(
                "select count(*) from pg_catalog.pg_auth_members where roleid = any (%s::regrole[]) "
                "and not member = any (%s::regrole[])",
                [["supabase_admin", *_OF_THE_SYSTEM], ["supabase_admin", "pg_monitor"]],
            ).fetchone()
            for name in superusers:  # the server goes on to the next test
                connection.execute(sql.SQL("alter role {} nosuperuser").format(sql.Identifier(name)))
        assert {path.name for path in self.canary.iterdir()} == {"library.so"}
        assert superusers == set()
        assert members == (0,)


@pytest.fixture
def prey(server: Server) -> Iterator[Prey]:
    canary = Path(tempfile.mkdtemp())  # not pytest's own folder, which the server's user cannot enter
    canary.chmod(0o777)
    (canary / "library.so").write_text("no library: a server that tries to load it says so")
    try:
        with fresh_database(server) as url:
            name = url.rpartition("/")[2]
            yield Prey(url, server.url(name, "supabase_admin"), canary)
    finally:
        shutil.rmtree(canary)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_migration_does_not_become_superuser(prey: Prey, attack: str) -> None:
    refused = prey.attack(ATTACKS[attack].replace("{shadows}", SHADOWS.format(schema="shadows")))
    prey.assert_unharmed()
    assert not [error for error in refused if "could not load library" in error]


def test_an_attack_that_works_is_seen(prey: Prey) -> None:
    prey.attack("")
    with psycopg.connect(prey.admin_url, autocommit=True) as connection:
        connection.execute("select trap.spring()")
        connection.execute("revoke pg_execute_server_program from postgres")
    with pytest.raises(AssertionError):
        prey.assert_unharmed()


def test_a_superuser_is_kept_in_the_servers_own_files(prey: Prey) -> None:
    """The second wall: what if a migration became superuser all the same?"""
    if landlock.abi() < 2:
        pytest.skip("this kernel has no Landlock")
    (prey.canary / "read").write_text("a file of the user")
    (prey.canary / "read").chmod(0o644)
    attempts = {
        f"copy (select 1) to program 'touch {prey.canary}/program'": "failed",
        f"copy (select 1) to '{prey.canary}/copied'": "Permission denied",
        f"select pg_read_file('{prey.canary}/read')": "Permission denied",
        f"load '{prey.canary}/library.so'": "Permission denied",
        "select pg_ls_dir('/proc')": "Permission denied",
        "select pg_ls_dir('/var/lib')": "Permission denied",
    }
    with psycopg.connect(prey.admin_url, autocommit=True) as connection:
        for attempt, answer in attempts.items():
            with pytest.raises(psycopg.Error, match=answer):
                connection.execute(attempt.encode())
    (prey.canary / "read").unlink()
    prey.assert_unharmed()


def test_the_shadow_connects_to_nothing(tmp_path: Path, tools: Toolchain) -> None:
    if landlock.abi() < 4:
        pytest.skip("this kernel has no Landlock for TCP")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        folder = toolchain.cache_root(settings.load(tmp_path)) / "hostile"
        folder.mkdir(exist_ok=True)
        try:
            with (
                throw_away_database(settings.load(tmp_path), ServerChoice(17), folder) as made,
                psycopg.connect(made.target.url, password=made.target.password, autocommit=True) as connection,
            ):
                connection.execute("create extension dblink")
                port = listener.getsockname()[1]
                with pytest.raises(psycopg.Error, match="Permission denied"):
                    connection.execute(f"select dblink_connect('host=127.0.0.1 port={port} password=x')".encode())
            with pytest.raises(BlockingIOError):
                listener.accept()
        finally:
            shutil.rmtree(folder)


def test_a_validator_made_while_a_wrapper_is(prey: Prey) -> None:
    prey.attack("")
    wrapper = "create foreign data wrapper trapped validator trap.validate"
    errors: list[str] = []

    def attack() -> None:
        with psycopg.connect(prey.url, autocommit=True) as waiting:
            try:
                waiting.execute(wrapper)
            except psycopg.Error as error:
                errors.append(str(error))

    with psycopg.connect(prey.url) as other:
        other.execute(_VALIDATOR)  # not committed: nobody else sees it yet
        thread = threading.Thread(target=attack)
        thread.start()
        with psycopg.connect(prey.admin_url, autocommit=True) as admin:
            while thread.is_alive() and not admin.execute("select 1 from pg_locks where not granted").fetchone():
                pass
        other.commit()
    thread.join()
    assert len(errors) == 1 and "validator of an extension only" in errors[0]
    prey.assert_unharmed()


def test_an_old_view_of_the_catalog_does_not_hide_a_validator(prey: Prey) -> None:
    prey.attack("")
    with psycopg.connect(prey.url) as old, psycopg.connect(prey.url, autocommit=True) as other:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("select 1 from pg_proc limit 1")
        other.execute(_VALIDATOR)
        with pytest.raises(psycopg.Error, match="read committed only"):
            old.execute("create foreign data wrapper trapped validator trap.validate")
    prey.assert_unharmed()


# For every function of PostgreSQL one with arguments that fit better, for the usual operators one for each two types.
_EVERY_SHADOW = """
do $do$
declare name text; args text; types text[] := '{oid,regclass,regtype,regproc,name,text,varchar,"char",int2,int4}';
begin
  for name, args in
    select distinct p.proname, array_to_string(array_fill('pg_catalog.text'::text, array[p.pronargs + extra]), ', ')
      from pg_proc p, generate_series(0, 2) extra
     where p.pronamespace = 'pg_catalog'::regnamespace and p.pronargs + extra between 1 and 3
       and (extra = 0 or p.provariadic <> 0)
  loop
    begin
      execute format('create function shadows.%I(%s) returns text language plpgsql as '
        '$$ begin perform trap.spring(); return null; end $$', name, args);
    exception when others then null; end;
  end loop;
  for name, args in select l, r from unnest(types) l, unnest(types) r loop
    execute format('create function shadows.op(%s, %s) returns boolean language plpgsql as '
      '$$ begin perform trap.spring(); return true; end $$', name, args);
    for i in 1 .. 10 loop
      execute format('create operator shadows.%s (leftarg = %s, rightarg = %s, function = shadows.op)',
        ('{=,<>,||,~,~~,!~,<,>,+,->>}'::text[])[i], name, args);
    end loop;
  end loop;
end $do$;
"""


def test_no_script_of_an_extension_runs_what_lies_in_its_schema(prey: Prey) -> None:
    prey.attack("create schema shadows;" + _EVERY_SHADOW)
    with psycopg.connect(prey.url, autocommit=True) as connection:
        connection.execute("set search_path = shadows, public, extensions")
        for name, version in connection.execute(
            "select name, version from pg_catalog.pg_available_extension_versions order by name, version"
        ).fetchall():
            names = (sql.Identifier(name), sql.Literal(version))
            for statement in (
                sql.SQL("create extension {} schema shadows version {} cascade").format(*names),
                sql.SQL("create extension {} version {} cascade").format(*names),
                sql.SQL("alter extension {} update").format(names[0]),
                sql.SQL("drop extension {} cascade").format(names[0]),
            ):
                try:
                    connection.execute(statement)
                except psycopg.Error:
                    connection.rollback()
    prey.assert_unharmed()


@pytest.fixture
def with_all_extensions(prey: Prey) -> Prey:
    """Every extension that postgres may create, created by it."""
    with psycopg.connect(prey.url, autocommit=True) as connection:
        available = {name for (name,) in connection.execute("select name from pg_available_extensions")}
        stand_ins = {file.name.removesuffix(".control") for file in installation._stand_ins()}
        for name in sorted((installation.TRUSTED_EXTENSIONS | stand_ins) & available):
            connection.execute(sql.SQL("create extension if not exists {} cascade").format(sql.Identifier(name)))
    return prey


def test_a_superuser_owns_nothing_that_code_can_be_hung_on(with_all_extensions: Prey) -> None:
    with psycopg.connect(with_all_extensions.admin_url) as connection:
        relations = connection.execute(
            """select c.oid::regclass::text from pg_class c join pg_roles o on o.oid = c.relowner
                where o.rolsuper and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
                  and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema', 'pg_toast')"""
        ).fetchall()
        definers = connection.execute(
            """select p.proname, o.rolsuper, array_to_string(p.proconfig, ';') from pg_proc p
                 join pg_roles o on o.oid = p.proowner join pg_language l on l.oid = p.prolang
                where p.prosecdef and l.lanname <> 'c'"""  # dblink_connect_u, which nobody else may execute
        ).fetchall()
    assert relations == []
    assert {name for name, is_superuser, _ in definers if is_superuser} == {*_LENDING, "grant_extension_access"}
    # Unless it is named, pg_temp comes first: a caller's temporary types and tables would be taken for the real ones.
    assert [name for name, _, path in definers if path != "search_path=pg_catalog, pg_temp"] == []


def test_what_postgres_may_do_works(with_all_extensions: Prey) -> None:
    statements = """
        create extension if not exists postgres_fdw;
        create foreign data wrapper far handler postgres_fdw_handler validator postgres_fdw_validator;
        create foreign data wrapper empty;
        create server near foreign data wrapper postgres_fdw options (host 'db.example.com');
        create publication everything for all tables;
        -- every table, as the app's listener wants
        CREATE PUBLICATION "Every Thing" /* of it */ FOR ALL TABLES WITH (publish = 'insert, update'); -- and no more
        create publication of_a_schema for tables in schema app, public;
        alter publication of_a_schema drop tables in schema public;
        alter publication of_a_schema add tables in schema "public";
        create table app.t (
          id bigint primary key, owner uuid references auth.users, secret uuid references vault.secrets);
        create publication of_a_table for table app.t where (id > 0);
        alter publication supabase_realtime add table app.t;
        create policy own on storage.objects for select using (owner = auth.uid());
        create function app.checked(text[], text) returns boolean language sql as 'select true';
        create trigger made after insert on auth.users for each row execute function app.made();
        select cron.schedule('nightly', '0 3 * * *', 'select 1');
        select cron.unschedule('nightly');
        select net.http_post('http://localhost/x', '{"a": 1}');
        select vault.create_secret('s', 'of-the-app');
        insert into app.t (id, secret) select 1, id from vault.secrets where name = 'of-the-app';
        alter extension citext set schema extensions;
        drop extension pg_cron cascade"""
    with psycopg.connect(with_all_extensions.url, autocommit=True) as connection:
        connection.execute("create schema app")
        connection.execute("create function app.made() returns trigger language plpgsql as 'begin return new; end'")
        for start, end, _ in split_statements(statements):
            connection.execute(statements[start:end].encode(), prepare=False)
    with_all_extensions.assert_unharmed()
