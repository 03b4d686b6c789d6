"""`migrations new NAME --from-schemas`: what is written leads from the migrations to the declared schemas, and back."""

from __future__ import annotations

from pathlib import Path

import psycopg

from promthctl.schema import KINDS, compare, snapshot
from tests.embedded.test_bundle import own
from tests.hints import told
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

NOTES = "create table public.notes (id bigint primary key, body text);\n"
DECLARED = {
    "10_notes.sql": NOTES.replace("body text", "body text not null default ''")
    + "alter table public.notes enable row level security;\n"
    "create policy own on public.notes for select to authenticated using (id > 0);\n",
    "20_tags.sql": "create table public.tags (note bigint references public.notes, tag text, unique (note, tag));\n",
}
NEW = ("migrations", "new", "from_schemas", "--from-schemas")


def project_of(path: Path, schemas: dict[str, str]) -> Project:
    project = own(path, {"001_notes": NOTES})
    for name, sql in schemas.items():
        file = project.path / "supabase" / "schemas" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sql)
    return project


def test_the_migration_leads_there_and_its_down_script_back(tmp_path: Path, server: Server, database_url: str) -> None:
    project = project_of(tmp_path, DECLARED)
    created = project.json(*NEW)["written"]
    assert created == ["sql/002_from_schemas.sql", "sql/002_from_schemas.down.sql"]
    project.run("push", "--db-url", database_url, "--yes")
    with fresh_database(server) as wanted, psycopg.connect(wanted) as declared, psycopg.connect(database_url) as made:
        for sql in DECLARED.values():
            declared.execute(sql.encode())
        kinds = [kind for kind in KINDS if kind != "grants"]  # this server's new tables are open, the project's are not
        assert compare(snapshot(declared), snapshot(made), kinds) == ()
    assert project.json(*NEW)["written"] == []
    project.run("rollback", "--to", "001", "--db-url", database_url, "--yes")


def test_what_cannot_be_run_is_named_with_its_line(tmp_path: Path) -> None:
    project = project_of(tmp_path, {"a.sql": "select 1;\n", "b.sql": "\n\ncreate table public.x (i nothing);\n"})
    error = told("migration_files/from_schemas.py · _wrong", project.run(*NEW, code=1).stderr)
    assert "supabase/schemas/b.sql cannot be run" in error.what and "line 3" in error.why
    assert [path.name for path in (tmp_path / "sql").iterdir()] == ["001_notes.sql"]
    assert error.hint.startswith("correct supabase/schemas/b.sql")
    (tmp_path / "supabase" / "schemas" / "b.sql").write_text(NOTES)
    assert project.json(*NEW)["written"] == []


def test_paths_of_config_are_taken_in_their_order(tmp_path: Path) -> None:
    project = project_of(tmp_path, {"z.sql": NOTES, "a.sql": "alter table public.notes add done boolean;\n"})
    config = '[db.migrations]\nschema_paths = ["./schemas/*.sql"]\n'
    (tmp_path / "supabase" / "config.toml").write_text(config)
    assert "cannot be run" in project.run(*NEW, code=1).stderr
    config = '[db.migrations]\nschema_paths = ["./schemas/z.sql", "./schemas/*.sql"]\n'
    (tmp_path / "supabase" / "config.toml").write_text(config)
    (name,) = [one for one in project.json(*NEW)["written"] if not one.endswith(".down.sql")]
    assert "done" in (tmp_path / name).read_text()


def test_without_paths_a_statement_may_need_a_later_one(tmp_path: Path) -> None:
    schemas = {
        "a.sql": "create table public.b (i int references public.c);\ncreate view public.v as select i from z;\n",
        "c.sql": "create table public.c (i int primary key);\ninsert into public.c values (1);\n",
        "notes.sql": NOTES,
        "z.sql": "create table public.z (i int check (i between 1 and 9 and i <> 5));\n",
    }
    project = project_of(tmp_path, schemas)
    made = project.run(*NEW)
    assert "leave some in public.c" in made.stdout
    assert project.json(*NEW)["written"] == []
    (tmp_path / "supabase" / "schemas" / "a.sql").write_text(
        "select 1;\n\ncreate view public.v as select i from public.y;\n"
    )
    error = told("migration_files/from_schemas.py · _wrong", project.run(*NEW, code=1).stderr)
    assert "a.sql cannot be run" in error.what and "line 3" in error.why and "public.y" in error.why


def test_without_schema_files_the_way_is_named(tmp_path: Path) -> None:
    project = project_of(tmp_path, {})
    error = told("migration_files/from_schemas.py · find_schemas", project.run(*NEW, code=2).stderr)
    assert error.hint.startswith("mkdir -p supabase/schemas, and write there")
    schemas = tmp_path / "supabase" / "schemas"
    schemas.mkdir(parents=True)
    (schemas / "notes.sql").write_text(NOTES)
    project.run(*NEW)


def test_paths_that_are_no_list_are_told_what_to_write(tmp_path: Path) -> None:
    project = project_of(tmp_path, {"notes.sql": NOTES})
    config = tmp_path / "supabase" / "config.toml"
    config.write_text('[db.migrations]\nschema_paths = "./schemas/*.sql"\n')
    error = told("migration_files/from_schemas.py · _patterns", project.run(*NEW, code=2).stderr)
    wanted = error.hint.removeprefix("set ").partition(" under [db.migrations] in supabase/config.toml")[0]
    config.write_text(f"[db.migrations]\n{wanted}\n")
    assert project.json(*NEW)["written"] == []
