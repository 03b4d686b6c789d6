"""Studio in a real browser, as a person uses it: tables, SQL, users, and who is let in."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.chromium import Browser, browser
from tests.embedded.test_local_commands import write
from tests.promthctl_runner import Project

TODOS = """
create table public.todos (
  id bigint generated always as identity primary key, title text not null, done boolean default false
);
alter table public.todos enable row level security;
create table public.mine (owner uuid);
alter table public.mine enable row level security;
grant select on public.mine to authenticated;
create policy own on public.mine for select to authenticated using (owner = auth.uid());
create domain public."text/html" as text;
create function public.page() returns public."text/html" language plpgsql as $$ begin
  perform set_config('response.headers', '[{"content-security-policy": "script-src ''unsafe-inline''"}]', true);
  return '<script>document.title = self.origin</script>';
end $$;
grant execute on function public.page() to anon;
"""
SEED = "insert into public.todos (title) values ('buy milk'), ('<img src=x onerror=alert(1)>');"
ASK = """
const headers = {'x-studio-secret': %s};
return fetch('/_promthctl/studio/sql', {method: 'POST', body: '{"text": "select 1"}', headers}).then((a) => a.status)
"""
KEPT = "localStorage.getItem('studio')"


def link(project: Project) -> str:
    url: str = project.json("local", "studio")["url"]
    return url


def rows(project: Project, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(project.env()["SUPABASE_DB_URL"]) as connection:
        return connection.execute(query).fetchall()


def run(window: Browser, sql: str) -> None:
    window.run("document.querySelector('textarea').value = ''")
    window.type("//textarea", sql)
    window.click("//button[starts-with(., 'Run')]")


@pytest.fixture(scope="module")
def todos(tmp_path_factory: pytest.TempPathFactory, window: Browser) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("studio"))
    write(project, {"001_todos.sql": TODOS})
    (project.path / "supabase").mkdir()
    (project.path / "supabase" / "seed.sql").write_text(SEED)
    try:
        project.up()
        yield project
    finally:
        project.dispose()


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture
def studio(window: Browser, todos: Project) -> Iterator[Browser]:
    """A browser in which Studio was opened."""
    window.open(link(todos))
    window.text("//nav")
    yield window
    assert window.errors() == []


def test_studio_shows_tables_runs_sql_and_keeps_users(todos: Project, studio: Browser) -> None:
    # Rows, although no role of the API may see them, and what is in them is no page.
    studio.click("//aside//a[starts-with(., 'todos')]")
    assert studio.text("//tr[td='buy milk']").split() == ["Delete", "1", "buy", "milk", "false"]
    assert studio.text("//td[contains(., 'onerror')]") == "<img src=x onerror=alert(1)>"
    studio.click("//button[.='New row']")
    studio.type("//dialog//textarea[@aria-label='title']", "it's new")
    studio.click("//dialog//button[.='Insert']")
    assert studio.text('//tr[td="it\'s new"]').split()[1] == "3"
    assert rows(todos, "select title, done from public.todos where id = 3") == [("it's new", False)]
    studio.click("//tr[td='1']//button[.='Delete']")
    assert "\"id\" = '1'" in studio.accept()
    studio.text("//tbody[not(tr[td='1'])]")
    assert rows(todos, "select id from public.todos order by 1") == [(2,), (3,)]

    studio.click("//nav/a[.='SQL']")
    run(studio, "select 9007199254740993 as n, null::json as j;\nupdate todos set done = true;\ncommit")
    assert studio.text("//th[starts-with(., 'n ')]") == "n bigint" and studio.text("//td[1]") == "9007199254740993"
    assert studio.text("//td[@class='null']") == "NULL"
    assert studio.text("//p[starts-with(., 'UPDATE')]") == "UPDATE: 2 rows"
    assert rows(todos, "select bool_and(done) from public.todos") == [(True,)]
    run(studio, "select 1;\nselect wrong")
    assert '42703, line 2, column 8: column "wrong" does not exist' in studio.text("//pre[@class='error']")
    run(studio, "begin; delete from todos")
    assert "rolled back" in studio.text("//p[@class='error']")
    assert rows(todos, "select count(*) from public.todos") == [(2,)]

    studio.click("//nav/a[.='Users']")
    studio.click("//button[.='New user']")
    studio.type("//dialog//input[@type='email']", "a@example.com")
    studio.type("//dialog//input[@type='password']", "a-fake-pass-1")
    studio.click("//dialog//button[.='Create user']")
    assert " never yes " in studio.text("//tr[td='a@example.com']")


def test_a_query_may_be_run_as_a_user_and_a_user_deleted(todos: Project, studio: Browser) -> None:
    env = todos.env()
    asked = {"email": "b@example.com", "password": "a-fake-pass-1"}
    made = httpx.post(f"{env['SUPABASE_URL']}/auth/v1/signup", json=asked, headers={"apikey": env["SUPABASE_ANON_KEY"]})
    user = made.json()["user"]["id"]
    with psycopg.connect(env["SUPABASE_DB_URL"]) as connection:
        connection.execute("insert into public.mine values (%s), (gen_random_uuid())", [user])
    studio.click("//nav/a[.='SQL']")
    studio.click("//select[@aria-label='Run as']/option[.='authenticated']")
    studio.click("//option[.='b@example.com']")
    run(studio, "select owner, current_user from mine")
    assert studio.text("//div[@id='results']/p") == "SELECT: 1 row"
    assert studio.text("//tbody/tr") == f"{user} authenticated"
    run(studio, "select * from todos")
    assert "42501" in studio.text("//pre[@class='error']")
    studio.click("//nav/a[.='Users']")
    studio.click("//tr[td='b@example.com']//button[.='Delete']")
    assert "b@example.com" in studio.accept()
    studio.text("//main[not(.//tr[td='b@example.com'])]//button[.='New user']")
    assert rows(todos, f"select from auth.users where id = '{user}'") == []


def test_only_the_page_that_the_link_opened_may_ask(todos: Project, window: Browser) -> None:
    url, once = todos.env()["SUPABASE_URL"], link(todos)
    window.open(once)
    window.text("//nav")
    assert (window.run(ASK % KEPT), window.run(ASK % "''"), window.run("return document.cookie")) == (200, 401, "")
    window.open(once)
    assert "This link was used" in window.text("//p")
    # By another name of this machine the same browser has no part in it.
    window.open(url.replace("127.0.0.1", "localhost"))
    assert "promthctl local studio" in window.text("//p")
    window.open(url)
    window.run("localStorage.clear()")
    window.open(f"{url}/?again")
    assert "promthctl local studio" in window.text("//p[@class='error']")
    window.errors()


def test_a_page_of_a_function_is_no_part_of_studio_whatever_it_says(todos: Project, studio: Browser) -> None:
    env = todos.env()
    studio.open(f"{env['SUPABASE_URL']}/rest/v1/rpc/page?apikey={env['SUPABASE_ANON_KEY']}")
    assert studio.run("return document.title") == "null"
