"""A hosted project whose SQL was pasted in the dashboard, adopted with either line of the Supabase CLI."""

from __future__ import annotations

import psycopg

from tests.hosted.cloud import REF
from tests.hosted.conftest import MIGRATIONS
from tests.promthctl_runner import Project


def test_what_was_pasted_is_adopted_and_push_has_nothing_to_do(shop: Project, database_url: str, line: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("".join(MIGRATIONS.values()).encode(), prepare=False)
    target = ("--project-ref", REF, "--supabase-cli", line)
    shop.run("migrations", "adopt", *target, code=5)  # nobody said yes
    assert shop.json("migrations", "adopt", *target, "--yes")["adopted"] == list(MIGRATIONS)
    listed = shop.json("migrations", "list", *target)
    assert [(row["applied"], row["edited"]) for row in listed] == [(True, False)] * 2
    assert shop.json("push", "--dry-run", *target)["pending"] == []
