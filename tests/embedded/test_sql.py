"""`promthctl sql`: what it shows, as whom it asks, and that nothing it is given makes it write without --write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from promthctl import targets
from promthctl.errors import PromthctlError, RefusedError
from promthctl.querying import read, read_script, write
from promthctl.steps import Silent
from promthctl.targets import Target
from tests import fork_server
from tests.hints import Instead, Leave, Option, Place, Row, Say, follow
from tests.promthctl_runner import Project, data
from tests.servers import Server, Stack, fresh_database

SCHEMA = """
create table t (i int primary key, v text);
insert into t values (1, 'kept'), (2, null);
create sequence s;
create procedure ends() language plpgsql as $$ begin commit; insert into t values (9); end $$;
create function writes() returns int language sql volatile as $$ insert into t values (9) returning i $$;
create function reopens() returns void language plpgsql as $$ begin
  perform set_config('transaction_read_only', 'off', false); insert into t values (9); end $$;
create materialized view m as select 1;
revoke all on t from anon;
grant select on t to anon;
"""


@pytest.fixture(scope="module")
def target(server: Server) -> Iterator[Target]:
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SCHEMA.encode())
        yield targets.from_url(url, local=True)


def rows(target: Target) -> list[tuple[object, ...]]:
    with psycopg.connect(target.url, password=target.password) as connection:
        return connection.execute("select * from t order by 1").fetchall()


def state(target: Target) -> str:
    """All that a statement could have left behind, by another connection."""
    with psycopg.connect(target.url, password=target.password) as connection:
        query = "select (select json_agg(t order by i) from t)::text || (select last_value || is_called::text from s)"
        objects = "|| (select string_agg(relname, ',' order by relname) from pg_class)"
        ((text,),) = connection.execute((query + objects).encode()).fetchall()
        return str(text)


ESCAPES = (
    "insert into t values (9)",
    "commit; insert into t values (9)",
    "COMMIT AND CHAIN; insert into t values (9)",
    "/* /* nested */ */ commit -- \n; begin read write; insert into t values (9); commit",
    "end; insert into t values (9)",
    "rollback; insert into t values (9)",
    "abort; start transaction read write; insert into t values (9); commit",
    "prepare transaction 'x'",
    "savepoint a; set transaction read write; insert into t values (9)",
    "set transaction read write; insert into t values (9)",
    "set local transaction_read_only = off; insert into t values (9)",
    "set session characteristics as transaction read write; insert into t values (9)",
    "set default_transaction_read_only = off; insert into t values (9)",
    "reset transaction_read_only; insert into t values (9)",
    "reset all; insert into t values (9)",
    "discard all; insert into t values (9)",
    "select set_config('transaction_read_only', 'off', true); insert into t values (9)",
    "update pg_settings set setting = 'off' where name = 'transaction_read_only'; insert into t values (9)",
    "do $$ begin commit; insert into t values (9); end $$",
    "do $$ begin execute 'set transaction read write'; insert into t values (9); end $$",
    "call ends()",
    "select writes()",
    "select reopens()",
    "with x as (insert into t values (9) returning *) select * from x",
    "explain analyze insert into t values (9)",
    "prepare p as insert into t values (9); execute p",
    "declare c cursor for select writes(); fetch c",
    "select * into u from t",
    "create table u as select 1",
    "create temp table u (i int)",
    "select nextval('s')",
    "select setval('s', 9)",
    "refresh materialized view m",
    "select * from t for update",
    "copy t to program 'true'",
    "select lo_creat(-1)",
    "set standard_conforming_strings = off; select '\\'; commit; insert into t values (9); --'",
)


@pytest.mark.parametrize("sql", ESCAPES)
def test_what_is_typed_writes_nothing_without_write(target: Target, sql: str) -> None:
    before = state(target)
    with pytest.raises(PromthctlError):
        read(target, read_script(sql))
    assert state(target) == before


def test_strings_of_another_server_setting_end_no_transaction(target: Target) -> None:
    """With standard_conforming_strings off the server would see three statements where the parser sees one."""
    before = state(target)
    sql = "set standard_conforming_strings = off; select '\\'; commit; begin; insert into t values (9); commit; --'"
    with pytest.raises(PromthctlError):
        read(target, read_script(sql))
    assert state(target) == before


def test_what_only_reads_is_run(target: Target) -> None:
    script = read_script("show server_version; select * from t order by i; values (1.50), (null); explain select 1")
    found = read(target, script)
    assert [each.line for each in found.results] == [1, 1, 1, 1]
    assert found.results[1].rows == (("1", "kept"), ("2", None)) and found.results[2].rows == (("1.50",), (None,))
    assert not found.written and len(found.results[3].rows) == 1


def test_rows_are_fetched_up_to_the_limit(target: Target) -> None:
    (found,) = read(target, read_script("select * from generate_series(1, 100000000)"), limit=3).results
    assert [row[0] for row in found.rows] == ["1", "2", "3"] and found.more
    (all_of_them,) = read(target, read_script("select * from generate_series(1, 1200)")).results
    assert len(all_of_them.rows) == 1200 and not all_of_them.more and all_of_them.command == "SELECT 1200"


def test_a_mistake_is_told_with_its_line(target: Target) -> None:
    for sql, line in (
        ("select 1;\n\nselect\n  nope from t", "line 4: column"),
        ("select 1;\n-- é\nselect 1 / (i - 1) from t", "line 3: division by zero"),
        ("select 1;\nselec 2", "line 2: syntax error"),
        ("select 1;\n\\d t", "line 2: \\d is for psql alone"),
        ("  ;  ", "there is no statement"),
    ):
        with pytest.raises(PromthctlError) as told:
            read(target, read_script(sql))
        assert line in told.value.why


def test_a_write_is_all_or_nothing_and_alone_where_it_must_be(target: Target) -> None:
    before = rows(target)
    with pytest.raises(PromthctlError, match="duplicate key"):
        write(target, read_script("insert into t values (3); insert into t values (1)"), None, None, Silent())
    assert rows(target) == before
    with pytest.raises(RefusedError):
        write(target, read_script("insert into t values (3); rollback"), None, None, Silent())
    both = read_script("insert into t values (3) returning i; delete from t where i = 3")
    made = write(target, both, None, None, Silent())
    assert made.written and [each.command for each in made.results] == ["INSERT 0 1", "DELETE 1"]
    write(target, read_script("vacuum t"), None, None, Silent())
    with pytest.raises(PromthctlError, match="runs in no transaction"):
        write(target, read_script("select 1; vacuum t"), None, None, Silent())
    with pytest.raises(PromthctlError, match="permission denied"):
        write(target, read_script("delete from t"), "anon", None, Silent())
    assert rows(target) == before


def run(project: Project, *words: str, typed: str = "") -> tuple[int, str, str]:
    done = fork_server.run(words, project.environment(), project.path, typed)
    return done.returncode, done.stdout, done.stderr


def test_a_user_sees_what_their_policies_let_them(stack: Stack) -> None:
    project = stack.project
    ids = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
    with psycopg.connect(stack.db_url) as connection:
        for number, name in enumerate(ids):
            connection.execute("insert into auth.users (id, email) values (%s, %s)", (name, f"sql{number}@example.com"))
            connection.execute("insert into prompts (user_id, title, content) values (%s, 'sql', '')", (name,))
    query = "select auth.uid() as me, user_id, current_user as role from prompts where title = 'sql'"
    for who in ("SQL1@example.com", ids[1]):
        code, shown, _ = run(project, "sql", query, "--as", who, "--json")
        assert code == 0
        (row,) = data(shown)["results"][0]["rows"]
        assert row == {"me": ids[1], "user_id": ids[1], "role": "authenticated"}
    assert "permission denied for table prompts" in run(project, "sql", query, "--as", "anon")[2]
    assert len(data(run(project, "sql", query, "--json")[1])["results"][0]["rows"]) == 2
    for who, told in (("nobody@example.com", "There is no user"), ("nobody", "There is no role")):
        assert told in run(project, "sql", "select 1", "--as", who)[2]


def test_it_is_shown_as_a_table_as_json_and_as_csv(stack: Stack) -> None:
    project = stack.project
    typed = """select 1 as n, null as nothing, '' as empty, 'a,"b' as text, true as yes, '{"k": [1]}'::jsonb as j"""
    code, shown, _ = run(project, "sql", typed=typed)
    assert code == 0 and "NULL" in shown and "1 row" in shown
    assert run(project, "sql", "-f", "-", "--csv", typed=typed)[1] == (
        'n,nothing,empty,text,yes,j\n1,,"","a,""b",t,"{""k"": [1]}"\n'
    )
    (project.path / "q.sql").write_text(typed)
    (row,) = data(run(project, "sql", "-f", "q.sql", "--json")[1])["results"][0]["rows"]
    assert row == {"n": 1, "nothing": None, "empty": "", "text": 'a,"b', "yes": True, "j": {"k": [1]}}
    secret = project.record()["db_password"]
    shown = run(project, "sql", f"select '{secret[:6]}' || '{secret[6:]}'", "--csv")[1]
    assert secret not in shown


def test_a_write_elsewhere_is_asked_for(target: Target, tmp_path: Path) -> None:
    project = Project(tmp_path, {"PGPASSWORD": target.password or ""})
    words = ("sql", "update t set v = 'changed' where i = 1", "--db-url", target.url, "--write")
    before = rows(target)
    code, _, told = run(project, *words)
    assert code == 5 and "The SQL was not run" in told and rows(target) == before
    code, shown, _ = run(project, *words, "--yes")
    assert code == 0 and "UPDATE 1" in shown and rows(target)[0] == (1, "changed")


AT = "promthctl sql {at}"
ROWS = (
    Row("cli/sql.py · command", f'{AT} "select 1" --csv --json', Leave("--csv")),
    Row("cli/sql.py · _typed", f'{AT} "select 1" -f q.sql', Leave("-f q.sql")),
    Row("cli/sql.py · _typed", f'{AT} ""', Instead("promthctl sql .*", adds="{at}"), name="nothing"),
    Row(
        "cli/sql.py · _typed", f"{AT} -f q", Instead("promthctl sql -f FILE", (("FILE", "q.sql"),), "{at}"), name="file"
    ),
    Row("querying/script.py · read_script", f'{AT} ";"', Instead("promthctl sql .*", adds="{at}")),
    Row("querying/script.py · read_script", f'{AT} "selec 1"', Say("selec ", "select ", "correct that"), name="word"),
    Row("querying/script.py · read_script", f"{AT} 'select 1; commit'", Leave("; commit"), name="commit"),
    Row("querying/script.py · read_script", f"{AT} '\\d'", Instead("promthctl sql .*", adds="{at}"), name="psql"),
    Row("querying/callers.py · _user", f"{AT} 'select 1' --as a@example.com", Instead("promthctl sql .*")),
    Row("querying/callers.py · _role", f"{AT} 'select 1' --as nobody", Instead("promthctl sql .*")),
    Row("querying/callers.py · become", f"{AT} 'select 1' --as supabase_admin", Leave("--as supabase_admin")),
    Row("querying/running.py · read", f"{AT} 'vacuum t'", Option("--write"), name="alone"),
    Row("querying/running.py · _failure", f"{AT} 'delete from t where i = 7'", Option("--write")),
    Row(
        "querying/running.py · write",
        f"{AT} --write 'select 1; vacuum t'",
        Leave("select 1; ", "give it alone"),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, target: Target, tmp_path: Path) -> None:
    project = Project(tmp_path, {"PGPASSWORD": target.password or ""})
    (tmp_path / "q.sql").write_text("select 1")
    follow(row, Place(project, {"at": f"--db-url {target.url} --yes"}))
