"""What API roles reach in Supabase's own schemas is told as a leak, with the SQL that ends it; defaults are not."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from promthctl.isolation.outside import find_outside
from tests.cases import Case, case_names, find_cases
from tests.servers import Server, fresh_database

CASES = find_cases("outside")
AS_ADMIN = "-- as supabase_admin"  # the first line of a new.sql that does what role postgres may not


@pytest.fixture(scope="module")
def urls(server: Server) -> Iterator[dict[str, str]]:
    with fresh_database(server) as url:
        name = url.rpartition("/")[2]
        yield {user: server.url(name, user) for user in ("postgres", "supabase_admin")}


@pytest.mark.parametrize("case", CASES, ids=case_names(CASES))
def test_a_right_outside_is_named_and_revoked(urls: dict[str, str], case: Case) -> None:
    """leak.sql shows it, as the role that its first line names."""
    with psycopg.connect(urls["supabase_admin" if case.new.startswith(AS_ADMIN) else "postgres"]) as connection:
        connection.execute(case.new.encode())
        with connection.transaction(force_rollback=True):
            head, _, query = (case.folder / "leak.sql").read_text().partition("\n")
            cursor = connection.execute(f"set local role {head.removeprefix('-- as ')}; {query}".encode())
            while cursor.nextset():
                pass
            assert "alice" in str(cursor.fetchall())
        found = find_outside(connection)
        case.check({"findings": [[one.severity, one.object, one.who] for one in found]})
        for one in found:
            connection.execute(one.fix.encode())
        assert not find_outside(connection)
        connection.rollback()


def test_what_is_open_on_every_project_is_not_told(urls: dict[str, str]) -> None:
    """As the images of Postgres and the extensions' install scripts leave it."""
    with psycopg.connect(urls["supabase_admin"]) as connection:
        assert find_outside(connection) == []
        connection.execute(
            """create schema cron; create table cron.job (username text);
               alter table cron.job enable row level security;
               create policy p on cron.job using (username = current_user); grant select on cron.job to public;
               create schema net; create table net._http_response (id bigint); grant usage on schema net to public;
               grant all on all tables in schema net to public; grant usage on schema cron to public;
               create role app_reader; grant app_reader to authenticated;
               grant select on auth.users to postgres with grant option; grant all on auth.users to dashboard_user"""
        )
        assert find_outside(connection) == []
        connection.rollback()
