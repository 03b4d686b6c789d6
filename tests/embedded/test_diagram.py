"""`diagram`: every table, column and key of a real database, in each format, and nothing of it is taken for markup."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from promthctl.cli import app
from promthctl.diagram import drawing
from promthctl.diagram.model import diagram_of
from promthctl.errors import PromthctlError
from promthctl.schema import snapshot
from tests.hints import ByHand, Instead, Option, Place, Row, Run, Say, follow
from tests.promthctl_runner import REPOSITORY, Project

SVG = "{http://www.w3.org/2000/svg}"
SHOP = {
    "001_people.sql": """-- promthctl: group People & "keys"
create table public.people (id uuid primary key, mail text unique, boss uuid references public.people);
alter table public.people enable row level security;
create policy own on public.people for select using (true);
-- promthctl: group
create table public.logs (line text);
""",
    "002_shop.sql": """create schema shop;
-- promthctl: group Shop
create table shop.orders (buyer uuid not null references public.people, id int, primary key (buyer, id))
  partition by hash (buyer);
create table shop.orders_0 partition of shop.orders for values with (modulus 1, remainder 0);
create table shop."<b>&""lines""</b>" (buyer uuid, "order; drop" int, price numeric(10, 2),
  foreign key (buyer, "order; drop") references shop.orders (buyer, id), unique (buyer, "order; drop"));
create table shop.wishes (id int primary key);
alter table shop.wishes rename to "Wünsche";
""",
}


@pytest.fixture
def shop(project: Project) -> Project:
    folder = project.path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (project.path / "supabase" / "config.toml").write_text('project_id = "shop"\n')
    for name, sql in SHOP.items():
        (folder / name).write_text(sql)
    return project


def test_groups_of_pyproject_come_before_comments(shop: Project) -> None:
    (shop.path / "pyproject.toml").write_text(
        "[tool.promthctl.diagram]\ngroups = { Places = ['logs', 'shop.orders'], Gone = ['nothing'] }\n"
    )
    done = shop.run("diagram", "a.dot", "--json")
    assert json.loads(done.stdout)["data"]["groups"] == ["Places", 'People & "keys"', "Shop"]
    assert "names no table of the migrations: public.nothing" in done.stderr


def test_the_repositorys_own_diagram_has_the_groups_of_the_apps_overview(project: Project) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", project.path)
    shutil.copytree(REPOSITORY / "supabase" / "migrations", project.path / "supabase" / "migrations")
    made = project.json("diagram", "a.svg")
    assert made["tables"] == 10
    assert made["groups"] == ["User Management", "Project Generation", "Chat & Prompts"]


def test_each_format_has_every_table_column_and_key(shop: Project) -> None:
    for name in ("a.svg", "a.mmd", "a.dot", "a.html"):
        made = shop.json("diagram", name)
        assert made["written"] and made["tables"] == 5 and made["references"] == 3, name
        assert made["groups"] == ['People & "keys"', "Shop", "public"], name
        assert made["without_rls"] == ["public.logs", 'shop.<b>&"lines"</b>', "shop.Wünsche", "shop.orders"]
        assert shop.json("diagram", name)["written"] is False, name
    picture = ET.fromstring((shop.path / "a.svg").read_text())
    assert picture.find(f".//{SVG}b") is None
    texts = [(node.text or "").replace("\xa0", " ").strip() for node in picture.iter(f"{SVG}text")]
    for text in (
        'shop.<b>&"lines"</b>',
        "order; drop",
        "numeric(10,2) ?",
        "PK FK",
        "RLS, 1 policy",
        "no RLS",
        "1 partition",
    ):
        assert text in texts, text
    edges = [node for node in picture.iter(f"{SVG}g") if node.get("class") == "edge"]
    assert len(edges) == 3
    page = (shop.path / "a.html").read_text()
    assert page.count('class="drawing"') == 2 and "<b>&" not in page and "{{" not in page
    mermaid = (shop.path / "a.mmd").read_text()
    assert '[" shop' not in mermaid and "uuid boss FK" in mermaid and "|o--o{" in mermaid and "||--o{" in mermaid


def test_other_files_are_kept_and_unknown_names_told(shop: Project) -> None:
    (shop.path / "mine.svg").write_text("<svg/>")
    told = shop.run("diagram", "mine.svg", code=5).stderr
    assert "is not a diagram of ours" in told and (shop.path / "mine.svg").read_text() == "<svg/>"
    shop.run("diagram", "mine.svg", "--force")
    assert "promthctl diagram picture.svg" in shop.run("diagram", "picture", code=2).stderr
    told = shop.run("diagram", "b.mmd", "--schema", "shp", code=2).stderr
    assert "has tables in: public, shop" in told and "--schema public" in told
    assert shop.json("diagram", "b.mmd", "--schema", "shop")["tables"] == 3


def test_a_target_is_drawn_as_it_is(shop: Project, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create table public.by_hand (id int primary key, at timestamp with time zone)")
        [table] = diagram_of(snapshot(connection), {}).tables
    assert [(one.name, one.type, one.primary) for one in table.columns] == [
        ("id", "integer", True),
        ("at", "timestamptz", False),
    ]
    assert shop.json("diagram", "c.dot", "--db-url", database_url)["tables"] == 1
    assert "by_hand" in (shop.path / "c.dot").read_text()


def test_many_tables_show_keys_only(shop: Project) -> None:
    tables = "".join(f"create table public.t{n} (id int primary key, note text);" for n in range(40))
    (shop.path / "supabase" / "migrations" / "003_many.sql").write_text(tables)
    assert shop.json("diagram", "d.dot")["columns"] == "keys"
    assert "note" not in (Path(shop.path) / "d.dot").read_text()
    assert shop.json("diagram", "d.dot", "--columns", "all")["columns"] == "all"
    assert "note" in (shop.path / "d.dot").read_text()


OWN = (("supabase/migrations/001_a.sql", "create table public.a (id int);"), ("supabase/config.toml", ""))
EMPTY = (("supabase/migrations/001_a.sql", "select 1;"), OWN[1])
WRITE = "echo 'create table public.a (id int);' >> $(ls supabase/migrations/002_a.sql)"
DRAW = "promthctl diagram a.dot"
ROWS = (
    Row("diagram/drawing.py · _check", "promthctl diagram a", Instead("promthctl diagram a.svg"), files=OWN),
    Row(
        "diagram/drawing.py · _check",
        "promthctl diagram a.dot --columns x",
        Option("--columns keys"),
        files=OWN,
        name="x",
    ),
    Row(
        "diagram/drawing.py · _check",
        "promthctl diagram a.dot",
        Option("--force"),
        files=(*OWN, ("a.dot", "")),
        name="a",
    ),
    Row(
        "diagram/drawing.py · _nothing",
        "promthctl diagram a.dot",
        (Run("promthctl migrations new NAME", fill=(("NAME", "a"),)), ByHand(WRITE, "write its tables")),
        files=EMPTY,
    ),
    Row("diagram/drawing.py · _write", "promthctl diagram /proc/a.dot", Say("/proc/", "", "choose one"), files=OWN),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, project: Project) -> None:
    follow(row, Place(project))


def test_a_report_whose_picture_fails_has_what_was_found(
    shop: Project, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> str:
        raise PromthctlError("Graphviz could not draw the tables", "of the test", "nothing")

    monkeypatch.setattr(drawing, "picture_of", fails)
    monkeypatch.chdir(shop.path)
    monkeypatch.setenv("PROMTHCTL_ENGINE", "embedded")
    done = CliRunner().invoke(app, ["verify", "--db-url", database_url, "--only", "tables", "--report", "x.html"])
    assert done.exit_code == 1 and "shop" in (shop.path / "x.html").read_text(), done.output
