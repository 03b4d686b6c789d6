"""A hundred pgTAP files, to pg_prove on the same database (Debian: libtap-parser-sourcehandler-pgtap-perl)."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import psycopg

from tests.perf.measuring import compare, timed
from tests.perf.pushing import TABLE, server_of
from tests.promthctl_runner import Project
from tests.servers import fresh_database

FILES = 100
TEST = """begin;
select plan(10);
select has_table('public', 't{0}', 'there is a table');
select has_column('public', 't{0}', 'name', 'it has a name');
select col_type_is('public', 't{0}', 'name', 'text', 'which is text');
select col_not_null('public', 't{0}', 'name', 'and is there');
select col_is_pk('public', 't{0}', 'id', 'the id is its key');
select policies_are('public', 't{0}', array['own'], 'one policy');
select policy_roles_are('public', 't{0}', 'own', array['authenticated'], 'for who signed in');
insert into public.t{0} (id, name) values (1, 'one'), (2, 'two');
select is(count(*), 2::bigint, 'two rows') from public.t{0};
select throws_ok('insert into public.t{0} (id, name) values (1, null)', '23502', null, 'no row without a name');
select results_eq('select name from public.t{0} order by id', array['one', 'two'], 'both names');
select * from finish();
rollback;
"""


def bench_pgtap(project: Project) -> None:
    if shutil.which("pg_prove") is None:
        print("`test` of 100 pgTAP files to `pg_prove -j2`: skipped, there is no pg_prove")
        return
    folder = project.path / "supabase" / "tests"
    folder.mkdir(parents=True)
    for number in range(FILES):
        (folder / f"{number:03}.test.sql").write_text(TEST.format(number))
    with server_of(project) as (server, _), fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create extension pgtap with schema extensions")
            for number in range(FILES):
                connection.execute(TABLE.format(number).encode())
        parts = urlsplit(url)
        place = ["-h", str(parts.hostname), "-p", str(parts.port), "-U", str(parts.username), "-d", parts.path[1:]]
        bare = ["env", f"PGPASSWORD={parts.password}", "pg_prove", *place, "-j2", "--ext", ".sql", "-r", str(folder)]
        ours = project.command("test", "--db-url", url, "--yes", "-j", "2")
        title = "`test` of 100 pgTAP files to `pg_prove -j2`"
        compare(title, 1.0, lambda: timed(ours, project=project), lambda: timed(bare), rounds=3)
