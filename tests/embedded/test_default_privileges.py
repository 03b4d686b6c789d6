"""What a new table in public is open to: as supabase/config.toml says, on the stack and in the shadow."""

from __future__ import annotations

import urllib.error
import urllib.request

import psycopg

from promthctl import settings, shadow
from promthctl.engines.embedded import default_privileges
from promthctl.steps import Silent
from tests.promthctl_runner import Project

TABLE = "create table {0} (id integer primary key); insert into {0} values (1);"
DATA = {"SELECT", "INSERT", "UPDATE", "DELETE"}


def write(project: Project, name: str, sql: str) -> None:
    (project.path / "supabase" / "migrations").mkdir(parents=True, exist_ok=True)
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "supabase/migrations"\n')
    (project.path / "supabase" / "migrations" / name).write_text(sql)


def expose(project: Project, value: str) -> None:
    (project.path / "supabase" / "config.toml").write_text(
        f'project_id = "x"\n[api]\nauto_expose_new_tables = {value}\n'
    )


def held(project: Project, table: str, role: str) -> set[str]:
    """The privileges on a table that were granted to the role."""
    query = "select privilege_type from information_schema.role_table_grants where table_name = %s and grantee = %s"
    with psycopg.connect(project.env()["SUPABASE_DB_URL"]) as connection:
        return {name for (name,) in connection.execute(query, (table, role))}


def rest(project: Project, path: str) -> int:
    """The status that the API answers a server with."""
    record = project.record()
    headers = {"apikey": record["service_role_key"], "authorization": f"Bearer {record['service_role_key']}"}
    request = urllib.request.Request(f"http://127.0.0.1:{record['api_port']}/rest/v1/{path}", headers=headers)
    try:
        return int(urllib.request.urlopen(request, timeout=10).status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_new_table_is_closed_until_a_grant_or_the_key_opens_it(project: Project) -> None:
    write(project, "001_notes.sql", TABLE.format("notes"))
    write(project, "002_open.sql", TABLE.format("opened") + "grant select on opened to service_role;")
    revoked = "revoke all on revoked from anon, authenticated, service_role;"
    write(project, "003_revoked.sql", TABLE.format("revoked") + revoked)
    up = project.run("local", "up", "--api-port", "0", "--db-port", "0")
    assert "1 table or view of public is out of the API's reach (notes)" in " ".join(up.stdout.split())
    for role in ("anon", "authenticated", "service_role"):
        assert not held(project, "notes", role) & DATA
        assert {"TRUNCATE", "REFERENCES", "TRIGGER"} <= held(project, "notes", role)  # as hosted
    assert held(project, "notes", "postgres") >= DATA
    assert (rest(project, "notes"), rest(project, "opened")) == (403, 200)
    verified = project.json("verify", "--only", "grants,default_privileges")
    assert verified["differences"] == [], "the shadow has other default privileges than the stack"

    expose(project, "true")
    write(project, "004_later.sql", TABLE.format("later"))
    changed = project.run("local", "up")
    assert "existing ones keep their grants" in " ".join((changed.stdout + changed.stderr).split())
    assert "(notes)" in changed.stdout
    assert held(project, "later", "anon") >= DATA and not held(project, "notes", "anon") & DATA
    assert rest(project, "later") == 200

    project.run("local", "reset", "--yes")
    assert held(project, "notes", "anon") >= DATA
    again = project.run("local", "up")
    assert "keep their grants" not in again.stdout + again.stderr and "API's reach" not in again.stdout


def test_default_privileges_that_migrations_made_survive_a_restart(project: Project) -> None:
    write(project, "001_own.sql", "alter default privileges in schema public grant select on tables to authenticated;")
    project.up()
    project.run("local", "down")
    write(project, "002_notes.sql", TABLE.format("notes"))
    project.run("local", "up")
    assert held(project, "notes", "authenticated") & DATA == {"SELECT"}


def test_the_shadow_follows_the_target(project: Project, database_url: str) -> None:
    here = settings.load(project.path)
    with psycopg.connect(database_url, autocommit=True) as target:
        assert default_privileges.of_target(target) == ()  # this fixture's database is as projects were before
        for statement in default_privileges.of_project(exposed=False):
            target.execute(statement.encode())
        closed = default_privileges.of_target(target)
        assert closed == default_privileges.of_project(exposed=False)
        # By hand, and not what the platform grants: the shadow must not take it for the platform's.
        target.execute("alter default privileges in schema public grant select on tables to anon")
        assert default_privileges.of_target(target) == closed
    opened = shadow.catalog_after_all(here, [], Silent(), privileges=())
    assert shadow.catalog_after_all(here, [], Silent(), privileges=closed) != opened
    assert shadow.catalog_after_all(here, [], Silent()) == shadow.catalog_after_all(
        here, [], Silent(), privileges=closed
    )
