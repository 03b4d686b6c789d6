"""Pairs of schemas: the SQL from one to the other makes an equal catalog, and so does the SQL back; nothing is lost.

The changes are in schemas of their own, a part of them in one database, because each run of the Supabase CLI costs a
second.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from promthctl import database, settings, shadow, supabase_cli
from promthctl.drafting.engine import State, backward, every_difference, forward, in_schemas, read_state, run
from promthctl.shadow import ThrowAwayDatabase
from promthctl.steps import Silent
from promthctl.targets import Target
from tests.embedded.schema_changes import CHANGES, FOR_THE_ENGINE_ALONE
from tests.embedded.test_compat import STYLES, apply
from tests.servers import same_roles

_PARTS = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThrowAwayDatabase]:
    with shadow.trial_database(settings.load(tmp_path_factory.mktemp("trips"))) as throw_away:
        yield throw_away


@pytest.fixture
def copies(made: ThrowAwayDatabase) -> Iterator[list[Target]]:
    """Two of it; they are dropped with all other copies, and so are new roles."""
    server = made.superuser
    with (
        psycopg.connect(f"{server.url[: -len('postgres')]}template1", password=server.password, autocommit=True) as one,
        same_roles(one),
    ):
        try:
            yield [made.copy("one"), made.copy("two")]
        finally:
            names = one.execute("select datname from pg_database where not datistemplate and datname <> 'postgres'")
            for (name,) in names.fetchall():
                one.execute(f"drop database {name} with (force)".encode())


def change(target: Target, schema: str, *texts: str) -> None:
    with psycopg.connect(target.url, password=target.password) as connection:
        connection.execute(f"set search_path = {schema}, public, extensions".encode())
        for text in texts:
            connection.execute(text.replace("{schema}", schema).encode())


def there_and_back(made: ThrowAwayDatabase, copies: list[Target], *, asks_engine: bool) -> tuple[State, State]:
    """Both ways; returns the two states. asks_engine: it must find no difference any more, after either way."""
    cli = supabase_cli.find_database_cli(made.settings, Silent())
    one, two = map(read_state, copies)
    there = forward(made, one, cli.diff(one.target, two.target).sql, two)
    after = read_state(there.after[-1])
    assert (there.left, there.unread) == ((), ())
    assert every_difference(two.catalog, after.catalog) == () and after.unread == two.unread
    back = backward(cli, one, after.target)
    assert (back.left, back.unread) == ((), ())
    if asks_engine:
        assert cli.diff(after.target, two.target).sql == ""
        with database.connect(after.target) as connection, connection.transaction():
            run(connection, back.sql)
        assert cli.diff(after.target, one.target).sql == ""
    return one, two


@pytest.mark.parametrize("part", range(_PARTS))
def test_small_changes(made: ThrowAwayDatabase, copies: list[Target], part: int) -> None:
    names = list(CHANGES)[part::_PARTS]
    for name in names:
        before, after = CHANGES[name]
        for target, texts in zip(copies, ((before,), (before, after)), strict=True):
            change(target, "public", f"create schema {name}")
            change(target, name, *texts)
    one, two = there_and_back(made, copies, asks_engine=True)
    same = [name for name in names if not differs(one, two, name)]
    assert set(same) == FOR_THE_ENGINE_ALONE.intersection(names)


def differs(one: State, two: State, schema: str) -> bool:
    found = any(in_schemas(each, [schema]) for each in every_difference(one.catalog, two.catalog))
    return found or any(f" {schema}." in name for name in set(one.unread) ^ set(two.unread))


def test_there_are_a_hundred() -> None:
    assert len(CHANGES) >= 100


@pytest.mark.parametrize("style", STYLES)
def test_the_states_of_the_compat_folders(made: ThrowAwayDatabase, copies: list[Target], style: str) -> None:
    with psycopg.connect(copies[1].url, password=copies[1].password, autocommit=True) as connection:
        apply(connection, style)
    there_and_back(made, copies, asks_engine=False)
