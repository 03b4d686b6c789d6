"""A project that knows nothing of promthctl works as it is; nothing of Mr.Promth appears in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
import pytest

from tests.promthctl_runner import Project, data

SHOP = {
    "20240101120000_shop.sql": "create table shops (id int primary key);\n",
    "20240301120000_tags.sql": "create table tags (id int primary key);\n",
}
NOTES = {"001_notes.sql": "create table notes (id int primary key);\n", "002_more.sql": "select 1;\n"}
OLD_CONFIG = """project_id = "shop"
[api]
port = "env(SHOP_API_PORT)"
[db]
port = "env(SHOP_DB_PORT)"
[inbucket]
enabled = true
port = 54324
[studio]
some_old_key = 1
"""


def placed(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": sql for name, sql in files.items()}


@dataclass(frozen=True)
class Kind:
    """files: by path. applied: the migrations. tables: what they make. said: a part of what `local up` prints."""

    files: dict[str, str]
    applied: tuple[str, ...]
    tables: tuple[str, ...]
    said: str = ""


KINDS = {
    "an old config with [inbucket] and variables": Kind(
        {
            "supabase/config.toml": OLD_CONFIG,
            ".env": "SHOP_API_PORT=55321\nSHOP_DB_PORT=55322\n",
            **placed("supabase/migrations", SHOP),
        },
        tuple(SHOP),
        ("shops", "tags"),
    ),
    "a byte order mark, and a misnamed file": Kind(
        {
            "supabase/config.toml": "\ufeffproject_id = 'x'\n",
            **placed("supabase/migrations", {**SHOP, "notes.txt": "", "later.sql": "create table never ();"}),
        },
        tuple(SHOP),
        ("shops", "tags"),
        "001_name.sql: later.sql",
    ),
    "no config, an empty migration": Kind(
        placed("supabase/migrations", {**NOTES, "002_more.sql": "\n"}), tuple(NOTES), ("notes",)
    ),
    "a stranger's 001_initial_schema.sql": Kind(
        placed("supabase/migrations", {"001_initial_schema.sql": "create table own (id int);"}),
        ("001_initial_schema.sql",),
        ("own",),
    ),
    "roles, seeds with numbers, a dump": Kind(
        {
            "supabase/config.toml": "[db.seed]\nsql_paths = ['./seeds/*.sql']\n",
            "supabase/roles.sql": "create role reader nologin;\n",
            "supabase/migrations/1_notes.sql": "create table notes (id int primary key); grant all on notes to reader;",
            "supabase/seeds/01_notes.sql": "\\restrict x\nCOPY public.notes (id) FROM stdin;\n1\n2\n\\.\n",
            "supabase/seeds/02_more.sql": "begin;\ninsert into notes values (3);\ncommit;\n",
        },
        ("1_notes.sql",),
        ("notes",),
        "supabase/seeds/01_notes.sql: 1 statement, 2 rows changed",
    ),
    "database/migrations": Kind(placed("database/migrations", NOTES), tuple(NOTES), ("notes",)),
    "no migrations yet": Kind({"supabase/config.toml": "project_id = 'new'\n"}, (), (), "There are no migrations yet"),
}


def write(project: Project, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = project.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def tables(project: Project) -> tuple[str, ...]:
    query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
    with psycopg.connect(project.env()["SUPABASE_DB_URL"]) as connection:
        return tuple(name for (name,) in connection.execute(query))


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_works_as_it_is(project: Project, kind: str) -> None:
    expected = KINDS[kind]
    write(project, expected.files)
    up = project.up()
    assert expected.said in " ".join(up.stdout.split()) and "vanchin" not in up.stdout and "Mr.Promth" not in up.stdout
    assert tables(project) == expected.tables
    assert project.json("local", "status")["migrations"]["pending"] == []
    assert project.json("push", "--dry-run")["pending"] == []
    assert tuple(project.json("local", "reset")["applied"]) == expected.applied
    assert tables(project) == expected.tables
    verified = project.run("verify", code=None)
    assert "The schema is what" in verified.stdout and "session" not in verified.stdout
    refused = project.run("keys", "list", code=1)
    assert "The table api_keys does not exist" in refused.stderr and "promthctl init --keys" in refused.stderr
    for name, content in expected.files.items():
        assert (project.path / name).read_text(encoding="utf-8") == content
    project.run("local", "down")
    assert project.leftovers() == []


def test_init_adds_the_table_that_the_keys_need(project: Project) -> None:
    write(project, placed("supabase/migrations", SHOP))
    assert len(project.json("init", "--keys")["written"]) == 1
    assert project.json("init", "--keys")["written"] == []
    project.up()
    assert tables(project) == ("api_keys", "shops", "tags")
    project.run("seed", "vanchin", "--demo", ENCRYPTION_SECRET="fake-secret-of-thirty-two-letters")
    assert project.run("keys", "list").stdout.count("ep-") == 14


def test_the_example_is_a_choice_anywhere(project: Project) -> None:
    write(project, {"supabase/config.toml": "project_id = 'new'\n"})
    project.run("init", "--example", "mr-promth")
    assert (project.path / "pyproject.toml").read_text() == '[tool.promthctl]\nexample = "mr-promth"\n'
    up = project.up()
    assert "These are Mr.Promth's example migrations" in up.stdout and "seed vanchin" in up.stdout
    assert "api_keys" in tables(project)


def test_migrations_that_are_switched_off_are_not_applied(project: Project) -> None:
    config = "project_id = 'x'\n[db.migrations]\nenabled = {}\n"
    off = {"supabase/config.toml": config.format("false")}
    write(project, {**placed("supabase/migrations", SHOP), **off})
    assert "set enabled = true under [db.migrations]" in project.up(code=5).stderr
    assert project.leftovers() == [] and not (project.path / ".promthctl").exists()
    write(project, {"supabase/config.toml": config.format("true")})
    project.up()
    write(project, {**off, "supabase/migrations/20250101120000_a.sql": "create table a ();"})
    url = project.env()["SUPABASE_DB_URL"]
    (project.path / "t").write_text(f"{url}\n{url}?application_name=x\n")
    for command in (["push"], ["local", "reset"]):
        assert "set enabled = true under [db.migrations]" in project.run(*command, code=5).stderr
    assert "switched off" in project.run("push", "--targets-file", str(project.path / "t"), "--yes", code=None).stdout
    assert tables(project) == ("shops", "tags")


def run_in(project: Project, folder: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "promthctl", *words],
        cwd=project.path / folder,
        env=project.environment(**env),
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_project_is_found_from_a_subfolder_and_by_its_variable(project: Project) -> None:
    write(project, {"apps/x/supabase/config.toml": "project_id = 'x'\n", "apps/x/src/readme": "", ".git/HEAD": ""})
    write(project, placed("apps/x/supabase/migrations", SHOP))
    places: list[tuple[str, dict[str, str]]] = [("apps/x/src", {}), (".", {"SUPABASE_WORKDIR": "apps/x"})]
    for folder, env in places:
        done = run_in(project, folder, "migrations", "bundle", "out.sql", "--json", **env)
        assert f"Project: {project.path / 'apps/x'}" in done.stderr
        assert data(done.stdout)["migrations"] == list(SHOP)
        assert (project.path / folder / "out.sql").exists()
    assert "Project:" not in run_in(project, "apps/x", "migrations", "bundle").stderr
