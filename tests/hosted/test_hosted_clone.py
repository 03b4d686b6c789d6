"""`local clone --project-ref`: a hosted project on this machine, by its pooler, with and without its password."""

from __future__ import annotations

import psycopg
import pytest

from tests.embedded.working import database_url as local_url
from tests.hosted.cloud import REF, Cloud
from tests.promthctl_runner import Project

FILLED = """
insert into public.a select generate_series(1, 500);
create index on public.b (id);
insert into auth.users (id, email, encrypted_password)
  values ('11111111-1111-1111-1111-111111111111', 'ann@example.com', 'not-a-real-hash')"""


@pytest.mark.parametrize("password", [True, False], ids=["password", "temporary role"])
def test_a_hosted_project_becomes_the_local_stack(
    shop: Project, cloud: Cloud, database_url: str, password: bool
) -> None:
    environment = {} if password else {"SUPABASE_DB_PASSWORD": ""}
    shop.run("push", "--project-ref", REF, "--yes")
    with psycopg.connect(database_url) as connection:
        connection.execute(FILLED.encode())
    done = shop.run("local", "clone", "--project-ref", REF, "--data", "--yes", **environment)
    assert f"hosted project Shop ({REF}, eu-central-1)" in done.stderr + done.stdout
    assert "cli_login" not in done.stdout + done.stderr
    assert (f"POST /v1/projects/{REF}/cli/login-role" in cloud.asked) is not password
    with psycopg.connect(local_url(shop)) as connection:
        assert connection.execute("select count(*), sum(id) from public.a").fetchone() == (500, 125250)
        assert connection.execute("select email, encrypted_password from auth.users").fetchall() == [
            ("ann@example.com", "")
        ]
        assert connection.execute("select to_regclass('public.b_id_idx') is not null").fetchone() == (True,)
        history = "select version from supabase_migrations.schema_migrations order by 1"
        assert connection.execute(history).fetchall() == [("001",), ("002",)]
    assert "Nothing to do" in shop.run("push", "--local").stdout


def test_without_a_yes_nothing_of_a_hosted_project_is_copied(shop: Project, database_url: str) -> None:
    shop.run("push", "--project-ref", REF, "--yes")
    refused = shop.run("local", "clone", "--project-ref", REF, "--data", code=5)
    assert "Nothing was copied" in refused.stderr
    assert not (shop.path / ".promthctl" / "stack.json").exists()


def test_what_is_no_project_s_reference_is_said(shop: Project) -> None:
    said = shop.run("local", "clone", "--project-ref", "no-such-project", code=2).stderr
    assert "next:" in said
