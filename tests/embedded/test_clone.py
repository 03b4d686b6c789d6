"""`local clone` and `dump`: a database with everything a copy can get wrong, and what the copy has of it."""

from __future__ import annotations

import gzip
import io
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from promthctl import engines, settings
from promthctl.copies.pg_dump import find_pg_dump
from promthctl.local_stack import clone, copying
from promthctl.schema import Catalog, compare, snapshot
from promthctl.sql.scripts import ScriptReader
from promthctl.steps import Silent
from promthctl.targets import from_url
from tests.embedded.working import data_directory, database_url
from tests.hints import Place, told
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

pytestmark = pytest.mark.usefixtures("tools")
SOURCE = Path(__file__).with_name("copies") / "source.sql"
ANN = "11111111-1111-1111-1111-111111111111"
HISTORY = """create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
insert into supabase_migrations.schema_migrations values ('001', array['select 1'], 'first')"""
TABLES = ("public.kinds", "public.events", "public.events_2024", "public.notes", "public.fired", "public.big",
          "shop.people", "public.totals", "public.heads", "supabase_migrations.schema_migrations")  # fmt: skip


def run_script(url: str, text: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for part in ScriptReader(io.BytesIO(text.encode())):
            connection.execute(part.text, prepare=False)


@pytest.fixture(scope="module")
def source(server: Server) -> Iterator[str]:
    with fresh_database(server) as url:
        run_script(url, f"{SOURCE.read_text(encoding='utf-8').replace('{big}', '3000')};{HISTORY}")
        yield url


@pytest.fixture(scope="module")
def running(shared: Project) -> Project:
    """A stack whose one migration the source has, too; each test leaves another database."""
    folder = shared.path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (folder / "001_first.sql").write_text("select 1")
    shared.up()
    run_script(database_url(shared), "create table mine (id int); insert into mine values (1)")
    return shared


def rows(url: str, table: str, columns: str = "t.*::text") -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(f"select {columns} from {table} t order by 1".encode()).fetchall()


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def cloned(project: Project, *words: str) -> dict[str, object]:
    found: dict[str, object] = project.json("local", "clone", *words, "--yes")
    return found


def catalog(url: str) -> Catalog:
    with psycopg.connect(url) as connection:
        return snapshot(connection)


def test_a_clone_has_every_value_of_every_kind_and_the_same_objects(running: Project, source: str) -> None:
    result = cloned(running, "--db-url", source, "--data", "--with-passwords")
    there = database_url(running)
    assert (result["applied"], result["unlike"], result["left_out"]) == (["001"], [], [])
    assert (result["tables"], result["checked"], result["users"]) == (6, 10, 1)
    for table in TABLES:
        assert rows(source, table) == rows(there, table), table
    assert catalog(source) == catalog(there)
    for query in (
        "select sequencename, last_value from pg_sequences where schemaname in ('public', 'shop') order by 1",
        f"select email, encrypted_password, raw_user_meta_data from auth.users where id = '{ANN}'",
        "select oid, lo_get(oid) from pg_largeobject_metadata",
        "select tgname, tgenabled from pg_trigger where tgname in ('fire', 'on_auth_user_created') order by 1",
        "select polname from pg_policy where polrelid = 'storage.objects'::regclass order by 1",
    ):
        assert one(source, query) == one(there, query), query
    assert one(there, "select * from public.fired") == []
    running.run("local", "reset", "--undo")
    assert one(there, "select id from mine") == [(1,)]


def test_no_masked_value_and_no_password_is_anywhere_in_the_copy_s_files(running: Project, source: str) -> None:
    columns = ("email", "phone", "born", "salary")
    masks = ",".join((*(f"shop.people.{name}" for name in columns), "auth.users.email", "kinds.an_email"))
    result = cloned(running, "--db-url", source, "--data", "--mask", masks)
    assert result["checked"] == 10 and "shop.people.email" in str(result["masked"])
    there = database_url(running)
    assert one(there, "select count(distinct email), count(phone), count(born), max(salary) from shop.people") == [
        (300, 300, 0, 0)
    ]
    running.run("local", "down")
    data = data_directory(running)
    content = [file.read_bytes() for file in data.rglob("*") if file.is_file()]
    assert len(content) > 500
    for secret in (b"secret.example", b"+66-81-", b"not.a.real.hash", b"@example.org"):
        assert not [text for text in content if secret in text], secret
    assert [text for text in content if b"masked-" in text] and [text for text in content if b"of Ann" in text]


def test_a_sample_has_what_its_rows_refer_to(running: Project, source: str) -> None:
    result = cloned(running, "--db-url", source, "--data", "--sample", "20")
    there = database_url(running)
    assert result["checked"] is None and result["unlike"] == []
    ((people, orphans),) = one(  # type: ignore[misc,attr-defined]
        there,
        "select count(*), count(*) filter (where boss is not null and not exists"
        " (select from shop.people b where b.id = p.boss)) from shop.people p",
    )
    assert 20 <= people < 300 and orphans == 0
    assert one(there, "select count(*) from auth.users") == [(1,)]


def test_without_data_there_is_the_schema_and_the_history_alone(running: Project, source: str) -> None:
    result = cloned(running, "--db-url", source)
    there = database_url(running)
    assert (result["applied"], result["rows"], result["users"], result["unlike"]) == (["001"], 0, 0, [])
    assert catalog(source) == catalog(there)


def test_without_pg_dump_the_diff_engine_makes_the_schema(
    running: Project, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "pg_dump_or_none", lambda *_: None)
    text = "create table a (id int primary key, t text); create table b (a int references a, at date default now());"
    here = settings.load(running.path)
    with fresh_database(server) as url:
        run_script(
            url,
            f"{text} insert into a select i, 'x' from generate_series(1, 10) i; insert into b values (3); {HISTORY}",
        )
        options = clone.CloneOptions(data=True)
        result = clone.clone_database(here, engines.current(here), from_url(url), options, lambda _: None, Silent())
        assert (result.applied, result.unlike, result.checked, result.rows) == (("001",), (), 6, 11)
        assert compare(catalog(url), catalog(database_url(running))) == ()


def test_a_dump_makes_the_stack_it_came_from(running: Project, source: str, tmp_path: Path) -> None:
    file = tmp_path / "all.sql.gz"
    dumped = running.json("dump", str(file), "--include-auth", "--db-url", source)
    assert file.stat().st_mode & 0o777 == 0o600 and dumped["bytes"] == file.stat().st_size
    with gzip.open(file) as unpacked:
        assert len(unpacked.read()) == dumped["unpacked"]
    result = cloned(running, "--file", str(file), "--with-passwords", "--mask", "shop.people.phone")
    there = database_url(running)
    assert (result["applied"], result["users"]) == (["001"], 1)
    for table in TABLES:
        if table != "shop.people":
            assert rows(source, table) == rows(there, table), table
    columns = "id, boss, email, born, salary"
    assert rows(source, "shop.people", columns) == rows(there, "shop.people", columns)
    assert one(there, "select count(*) from shop.people where phone !~ '^[0-9a-f]{15}$'") == [(0,)]
    assert "exists" in running.run("dump", str(file), "--db-url", source, code=5).stderr


def test_a_backup_of_the_platform_s_is_understood_and_what_cannot_be_had_is_listed(
    running: Project, source: str, tmp_path: Path
) -> None:
    """As pg_dumpall writes it: roles, another database, the platform's schemas with columns that are not here."""
    target = from_url(source)
    program = find_pg_dump(settings.load(running.path), 17, Silent())
    options = ("--create", "--exclude-schema=vault", "--exclude-schema=realtime")
    text = subprocess.run(
        program.command(target, *options), env=target.environment(), capture_output=True, text=True, check=True
    ).stdout
    text = text.replace('COPY "auth"."users" (', 'COPY "auth"."users" ("not_here", ').replace(f"\n{ANN}\tann", "\n")
    roles = (
        "CREATE ROLE anon;\nALTER ROLE anon WITH NOLOGIN;\nCREATE ROLE postgres;\nALTER ROLE postgres WITH LOGIN "
        "PASSWORD 'SCRAM-SHA-256$4096:x';\nCREATE ROLE reporting;\nALTER ROLE reporting WITH LOGIN PASSWORD 'md5x';\n"
        "GRANT anon TO authenticator;\n\\connect template1\nCREATE TABLE wrong (id int);\n\n"
    )
    extension = 'CREATE EXTENSION IF NOT EXISTS "no_such_extension" WITH SCHEMA "extensions";\n'
    lines = []
    for line in text.splitlines(keepends=True):  # the added column's value in each row of auth.users
        lines.append(f"x\t{line}" if lines and lines[-1].startswith('COPY "auth"."users"') and "ann@" in line else line)
    file = tmp_path / "dashboard.gz"
    body = "".join(lines).replace("CREATE EXTENSION", f"{extension}CREATE EXTENSION", 1)
    hosted = (  # one of those that the embedded engine does not have
        'CREATE EVENT TRIGGER "issue_pg_net_access" ON "ddl_command_end"\n         WHEN TAG IN (\'CREATE EXTENSION\')\n'
        '   EXECUTE FUNCTION "extensions"."grant_pg_net_access"();\n\n\n'
        'ALTER EVENT TRIGGER "issue_pg_net_access" OWNER TO "supabase_admin";\n'
        "COMMENT ON EVENT TRIGGER \"issue_pg_net_access\" IS 'for pg_net';\n"
    )
    file.write_bytes(gzip.compress((roles + body + hosted).encode()))
    result = cloned(running, "--file", str(file))
    there = database_url(running)
    assert result["extensions"] == ["no_such_extension"] and "reporting" in str(result["roles"])
    assert "auth.users without not_here" in str(result["left_out"])
    assert (result["applied"], result["users"], result["tables"]) == (["001"], 1, 6)
    for table in TABLES:
        assert rows(source, table) == rows(there, table), table
    assert one(there, "select email, encrypted_password from auth.users") == [("ann@secret.example", "")]
    assert one(there, "select tgname from pg_trigger where tgname = 'on_auth_user_created'")


def test_what_fails_leaves_the_stack_as_it_was(running: Project, source: str, tmp_path: Path) -> None:
    before = one(database_url(running), "select oid from pg_database where datname = 'postgres'")
    broken = tmp_path / "broken.sql"
    broken.write_text("create table fine (id int);\ncreate table wrong (id no_such_type);\n")
    whole = running.path / "cut.sql.gz"
    whole.write_bytes(gzip.compress(b"create table t (id int);\n" * 10_000)[:-20])
    for words, code, said in (
        (("--file", str(broken)), 1, "line 2"),
        (("--file", str(whole)), 1, "to its end"),
        (("--db-url", source, "--data", "--mask", "shop.people.boss"), 2, "foreign key"),
        (("--db-url", source, "--data", "--mask", "shop.people.nothing"), 2, "no such column"),
    ):
        failed = running.run("local", "clone", *words, "--yes", code=code)
        assert said in failed.stderr
    assert one(database_url(running), "select oid from pg_database where datname = 'postgres'") == before
    assert one(database_url(running), "select to_regclass('fine')") == [(None,)]


def test_what_the_errors_of_copies_advise_helps(running: Project) -> None:
    place = Place(running)
    shell = place.shell
    clone = "promthctl local clone --yes --file"
    assert "--file backup.sql.gz" in told("local_stack/clone.py · _check_file", shell(f"{clone} none.gz").stderr).hint
    assert "--sample" in told("cli/clone.py · clone", shell(f"{clone} none.gz --sample 3").stderr).hint
    error = told("copies/masks.py · read_wanted", shell(f"{clone} none.gz --mask email").stderr)
    assert "cannot be read" in shell(f"{clone} none.gz {error.hint}").stderr
    place.write("broken.sql", "create table public.one (id int);\ncreate table public.two (id no_such_type);\n")
    error = told("copies/backup_file.py · _failed", shell(f"{clone} broken.sql").stderr)
    assert "line 2" in error.hint
    place.write("mended.sql", "create table public.one (id int);\ncreate table public.two (id int);\n")
    place.must(f"{clone} mended.sql")
    error = told("copies/dumping.py · _check", shell("promthctl dump all.txt").stderr)
    place.must(error.hint)
    assert "another name" in told("copies/dumping.py · _exists", shell(error.hint).stderr).hint
    error = told("cli/dump.py · command", shell("promthctl dump --data-only --schema-only other.sql").stderr)
    assert error.hint == "leave one out"
    place.must("promthctl dump --schema-only other.sql")
    assert "PostgreSQL database dump complete" in (running.path / "other.sql").read_text()


def test_what_a_clone_that_fails_advises_helps(running: Project, source: str) -> None:
    place = Place(running)
    clone = "promthctl local clone --yes"
    live = f"{clone} --db-url '{source}' --data"
    error = told("copies/masks.py · cannot", place.shell(f"{live} --mask shop.people.nothing").stderr)
    assert "leave that column out" in error.hint
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("create role poor login password 'fake'")
        try:
            poor = re.sub("//[^@]*@", "//poor:fake@", source)
            error = told("local_stack/copying.py · _dumped", place.shell(f"{clone} --db-url '{poor}'").stderr)
        finally:
            connection.execute("drop role poor")
    assert "use a role that may read everything" in error.hint
    place.must(live)

    whole = gzip.compress(b"create table public.many (id int);\n" + b"insert into public.many values (1);\n" * 10_000)
    (running.path / "one.sql.gz").write_bytes(whole[:-20])
    error = told("local_stack/clone.py · _load", place.shell(f"{clone} --file one.sql.gz").stderr)
    assert error.hint == "download it again"
    (running.path / "one.sql.gz").write_bytes(whole)
    place.must(f"{clone} --file one.sql.gz")
    (running.path / "two.sql").write_bytes(b"create table public.one (id int);\n\0")
    error = told("copies/backup_file.py · load", place.shell(f"{clone} --file two.sql").stderr)
    assert "pg_restore -f FILE.sql" in error.hint
