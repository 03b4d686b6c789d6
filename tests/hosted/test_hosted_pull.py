"""What was changed by hand in a hosted project: shown by `diff`, pulled as a migration, rolled back."""

from __future__ import annotations

import psycopg
import pytest

from promthctl.schema import KINDS, Catalog, compare, snapshot
from tests.hosted.cloud import REF, Cloud
from tests.promthctl_runner import Project, data

BY_HAND = """alter table public.a add column done boolean not null default false;
create table public.by_hand (id bigint primary key, a int references public.a, made timestamptz default now());
alter table public.by_hand enable row level security;
create policy own on public.by_hand for select to authenticated using (id = 1);
create view public.v with (security_invoker) as select id, done from public.a;
comment on view public.v is 'of all';"""


def read(url: str) -> Catalog:
    with psycopg.connect(url) as connection:
        return snapshot(connection)


@pytest.mark.parametrize("signed_in_as", ["postgres", "a temporary role"])
def test_a_pull_writes_what_was_changed_by_hand(
    shop: Project, cloud: Cloud, database_url: str, signed_in_as: str
) -> None:
    """With the database's password, and without one."""
    if signed_in_as != "postgres":
        shop.extra["SUPABASE_DB_PASSWORD"] = ""
    here = ("--project-ref", REF)
    shop.run("push", *here, "--yes")
    before = read(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(BY_HAND.encode())
    changed = read(database_url)

    shown = shop.run("diff", *here, code=1)
    assert "by_hand" in shown.stdout and "no difference" in shown.stderr, shown.stderr
    assert read(database_url) == changed
    done = shop.run("pull", "by hand", *here, "--yes", "--json", timeout=600)
    pulled = data(done.stdout)
    assert pulled["written"] == ["sql/003_by_hand.sql", "sql/003_by_hand.down.sql"]
    assert (pulled["left"], pulled["unread"]) == ([], [])
    assert "cli_login" not in "".join((shop.path / file).read_text() for file in pulled["written"])
    assert ("POST" in " ".join(cloud.asked)) == (signed_in_as != "postgres")
    assert read(database_url) == changed
    assert shop.json("push", *here, "--dry-run")["pending"] == []
    assert shop.run("diff", *here).stdout == ""

    shop.run("rollback", *here, "--to", "002", "--yes")
    assert compare(before, read(database_url), KINDS) == ()
    assert shop.json("push", *here, "--yes")["applied"] == ["003_by_hand.sql"]
    assert compare(changed, read(database_url), KINDS) == ()
