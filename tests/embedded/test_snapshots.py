"""`local snapshot`: a copy of a committed moment, made beside working clients, and back in its place whenever asked."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from promthctl.engines.embedded.snapshots import KEPT
from tests.embedded.working import assert_stops, assert_works, commit_row, data_directory, database_url
from tests.hints import told
from tests.promthctl_runner import Project

pytestmark = pytest.mark.usefixtures("tools")


def names(project: Project) -> list[str]:
    return [one["name"] for one in project.json("local", "snapshot", "list")["snapshots"]]


@contextlib.contextmanager
def a_client_that_writes(url: str) -> Iterator[None]:
    """Into two tables in one transaction, again and again, whatever happens to its connection."""
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            with contextlib.suppress(psycopg.Error), psycopg.connect(url, connect_timeout=5) as connection:
                while not ended.is_set():
                    with connection.transaction():
                        connection.execute("insert into debits default values")
                        connection.execute("insert into credits default values")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_a_snapshot_is_of_one_committed_moment_and_comes_back_with_its_files(running: Project) -> None:
    url = database_url(running)
    user = commit_row(running)
    env = running.env()
    storage = f"{env['SUPABASE_URL']}/storage/v1"
    headers = {
        "apikey": env["SUPABASE_SERVICE_ROLE_KEY"],
        "authorization": f"Bearer {env['SUPABASE_SERVICE_ROLE_KEY']}",
    }
    httpx.post(f"{storage}/bucket", json={"name": "b"}, headers=headers).raise_for_status()
    httpx.post(f"{storage}/object/b/a.txt", content=b"kept", headers=headers).raise_for_status()
    with psycopg.connect(url) as connection:
        connection.execute("create table debits (id bigserial); create table credits (id bigserial)")
    with a_client_that_writes(url):
        saved = running.json("local", "snapshot", "save", "moment")
    assert (saved["name"], saved["applied"], saved["automatic"]) == ("moment", ["001", "002", "003"], False)
    with psycopg.connect(url) as connection:
        connection.execute("truncate debits; delete from prompts; drop table credits")
    httpx.delete(f"{storage}/object/b/a.txt", headers=headers).raise_for_status()
    restored = running.json("local", "snapshot", "restore", "moment")
    assert restored["applied"] == ["001", "002", "003"] and restored["kept"]["bytes"] > 0
    with psycopg.connect(url) as connection:
        count = "select (select count(*) from debits), (select count(*) from credits)"
        assert len(found := set(connection.execute(count).fetchone() or ())) == 1 and found != {0}
    assert httpx.get(f"{storage}/object/b/a.txt", headers=headers).content == b"kept"
    assert_works(running, user)
    running.run("local", "reset", "--undo")  # the database that was in use
    with psycopg.connect(url) as connection:
        assert connection.execute("select to_regclass('credits')").fetchone() == (None,)


def test_a_stopped_stack_is_saved_and_stays_stopped_and_a_restore_starts_it(running: Project) -> None:
    user = commit_row(running)
    running.run("local", "down")
    running.run("local", "snapshot", "save", "stopped")
    assert_stops(running)
    running.run("local", "snapshot", "restore", "stopped")
    assert_works(running, user)


def test_before_what_takes_rows_away_one_is_kept_and_the_oldest_go(running: Project) -> None:
    running.run("local", "snapshot", "save", "mine")
    user = commit_row(running)
    running.run("rollback", "--to", "002")
    (before,) = [name for name in names(running) if name.startswith("auto-")][:1]
    running.run("push")
    for _ in range(KEPT):
        running.run("local", "reset", "--no-seed")
    automatic = [name for name in names(running) if name.startswith("auto-")]
    assert len(automatic) == KEPT and before in automatic and "mine" in names(running)
    running.run("local", "snapshot", "restore", before)
    assert_works(running, user)
    running.run("local", "reset")
    assert before not in names(running) and "mine" in names(running)


def test_what_cannot_be_done_is_told_and_changes_nothing(running: Project) -> None:
    running.run("local", "snapshot", "save", "taken", "--yes")
    before = names(running)
    for words, code, said in (
        (("save", "taken"), 5, "local snapshot remove taken"),
        (("save", "auto-1"), 2, "local snapshot save before-import"),
        (("save", "../x"), 2, "local snapshot save before-import"),
        (("restore", "none"), 2, "local snapshot list"),
        (("remove", "none", "--yes"), 2, "local snapshot list"),
        (("remove", "taken"), 5, "--yes"),
    ):
        assert said in running.run("local", "snapshot", *words, code=code).stderr
    assert names(running) == before
    folder = data_directory(running).parent / "snapshots" / "taken"
    (folder / "data" / "promthctl-owner.json").write_text("{}")
    refused = running.run("local", "snapshot", "restore", "taken", code=5).stderr
    assert "promthctl local snapshot remove taken" in told("engines/embedded/snapshots.py · copied", refused).hint
    running.run("local", "snapshot", "remove", "taken", "--yes")
    assert "taken" not in names(running) and not folder.exists()
    (folder.parent / "made-up").mkdir(parents=True)
    (folder.parent / "made-up" / "made.json").write_text('{"name": "made-up"}')
    assert "made-up" not in names(running)


def test_a_purge_leaves_no_snapshot(project: Project) -> None:
    project.up()
    project.run("local", "snapshot", "save", "one")
    home = data_directory(project).parent
    project.run("local", "down", "--purge", "--yes")
    assert names(project) == [] and not home.exists()
    refused = project.run("local", "snapshot", "save", "one", code=4).stderr
    assert "promthctl local up" in refused


def test_what_a_reset_kept_is_not_lost_where_no_snapshot_can_be_made_of_it(project: Project) -> None:
    """The folder of snapshots cannot be made: a file has its name."""
    project.up()
    user = commit_row(project)
    project.run("local", "reset")
    (data_directory(project).parent / "snapshots").write_text("")
    project.run("local", "snapshot", "list")
    second = commit_row(project)
    project.run("local", "reset")  # replaces what was kept, as ever
    assert_works(project)
    project.run("local", "reset", "--undo")
    assert_works(project, second)
    assert user != second


def test_where_the_database_was_removed_by_hand_the_way_on_is_told(project: Project) -> None:
    project.up()
    project.run("local", "down")
    shutil.rmtree(data_directory(project))
    refused = project.run("local", "snapshot", "save", "one", code=4).stderr
    assert told("engines/embedded/snapshots.py · save", refused).hint == "promthctl local up"
    project.up()
    project.run("local", "snapshot", "save", "one")
