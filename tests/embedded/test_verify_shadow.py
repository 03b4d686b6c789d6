"""What the migrations make: read from a throw-away database, kept, and nothing left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import psycopg
import pytest

from promthctl import settings, shadow
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration, discover, packaged_source
from promthctl.schema import compare, snapshot
from promthctl.settings import Settings
from promthctl.shadow import cache
from promthctl.steps import Silent
from promthctl.supabase_cli import DatabaseCli
from promthctl.toolchain import Toolchain, cache_root

EXAMPLE = b"create table public.example (id int primary key);"


@pytest.fixture
def here(tmp_path: Path, tools: Toolchain, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an empty project, with the real cache but for the kept catalogs."""
    monkeypatch.setattr(cache, "FOLDER", f"shadow-test-{tmp_path.name}-{tmp_path.stat().st_ino}")
    return settings.load(tmp_path)


@pytest.fixture(autouse=True)
def clean(here: Settings) -> object:
    """Whatever a test does, no folder of its own and no process stays."""
    import shutil

    folder = cache_root(here) / cache.FOLDER
    yield
    assert list(folder.glob(".database-*")) == []
    assert [
        process for process in psutil.process_iter(["cmdline"]) if str(folder) in str(process.info["cmdline"])
    ] == []
    shutil.rmtree(folder, ignore_errors=True)


def migration(content: bytes, version: str = "001") -> Migration:
    return Migration(version, "example", Path(f"{version}_example.sql"), content)


def test_it_is_what_pushing_to_a_database_makes(here: Settings, database_url: str) -> None:
    migrations = discover(packaged_source())
    with psycopg.connect(database_url, autocommit=True) as connection:
        privileges = shadow.default_privileges_of(connection)
        expected = shadow.catalog_after_all(here, migrations, Silent(), privileges=privileges)
        for file in migrations:
            connection.execute(file.content)
        assert compare(expected, snapshot(connection)) == ()
        connection.execute("drop table public.messages")
        assert [one.name for one in compare(expected, snapshot(connection))] == ["public.messages"]


def test_a_second_run_starts_nothing(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shadow.catalog_after_all(here, [migration(EXAMPLE)], Silent())
    assert "public.example" in first.of("tables")
    monkeypatch.setattr(cache, "_read_from_database", None)
    assert shadow.catalog_after_all(here, [migration(EXAMPLE)], Silent()) == first


def test_an_edited_migration_is_read_again(here: Settings) -> None:
    shadow.catalog_after_all(here, [migration(EXAMPLE)], Silent())
    again = shadow.catalog_after_all(here, [migration(EXAMPLE.replace(b"example", b"other"))], Silent())
    assert list(again.of("tables")) == ["public.other"]


def test_a_damaged_catalog_is_made_again(here: Settings) -> None:
    first = shadow.catalog_after_all(here, [], Silent())
    (file,) = (cache_root(here) / cache.FOLDER).glob("*.json")
    file.write_text(file.read_text()[:100])
    assert shadow.catalog_after_all(here, [], Silent()) == first


def test_a_migration_that_fails_is_named_and_leaves_nothing(here: Settings) -> None:
    with pytest.raises(PromthctlError, match=r"002_example\.sql") as caught:
        shadow.catalog_after_all(here, [migration(EXAMPLE), migration(b"select 1;\nselect no;", "002")], Silent())
    assert "line 2" in caught.value.why


def test_an_interruption_leaves_nothing(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DatabaseCli, "push", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shadow.catalog_after_all(here, [migration(EXAMPLE)], Silent())


def test_what_a_killed_run_left_is_cleared_away(here: Settings) -> None:
    leftover = cache_root(here) / cache.FOLDER / ".database-killed"
    (leftover / "data").mkdir(parents=True)
    shadow.catalog_after_all(here, [migration(EXAMPLE)], Silent())
    assert not leftover.exists()


class Hurried(Silent):
    def step(self, title: str) -> AbstractContextManager[Callable[[str], None]]:
        assert "Waiting" not in title
        return super().step(title)


def test_a_database_that_is_in_use_is_neither_waited_for_nor_removed(here: Settings) -> None:
    with shadow.trial_database(here, 17, ()) as trial:
        shadow.catalog_after_all(here, [migration(EXAMPLE)], Hurried())
        with psycopg.connect(trial.target.url, password=trial.target.password) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    assert [file.name for file in (cache_root(here) / cache.FOLDER).glob("*.lock")] == ["databases.lock"]


def test_a_cache_that_cannot_be_written_is_an_error(here: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(PromthctlError, match="could not be read"):
        shadow.catalog_after_all(dataclasses.replace(here, cache_dir=file), [], Silent())
