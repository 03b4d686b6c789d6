"""Sync copies the source into supabase/migrations byte for byte and never loses what somebody else wrote there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import SyncPlan, discover, plan_sync, write_sync


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three migrations, the first with a down script."""
    return fill(
        tmp_path / "database" / "migrations",
        {
            "001_a.sql": b"select 1;\n",
            "001_a.down.sql": b"select -1;\n",
            "002_b.sql": b"\xef\xbb\xbfselect 2;\r\n",
            "003_c.sql": b"select 3",
        },
    )


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """supabase/migrations of an empty project: not made yet."""
    return tmp_path / "supabase" / "migrations"


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def plan(source: Path, there: Path, applied: tuple[str, ...] = (), force: bool = False) -> SyncPlan:
    return plan_sync(discover(source), there, applied, force)


def sync(source: Path, there: Path) -> SyncPlan:
    result = plan(source, there)
    write_sync(result)
    return result


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def refused(result: SyncPlan) -> RefusedError:
    """The refusal of a plan, after checking that writing it raises the same and changes nothing."""
    before = files(result.destination)
    with pytest.raises(RefusedError) as caught:
        write_sync(result)
    assert files(result.destination) == before
    assert result.changes
    return caught.value


def test_an_empty_project_gets_the_migrations_but_not_their_down_scripts(source: Path, there: Path) -> None:
    result = sync(source, there)
    assert [each.filename for each in result.added] == ["001_a.sql", "002_b.sql", "003_c.sql"]
    expected = files(source)
    del expected["001_a.down.sql"]
    assert files(there) == expected


def test_planning_writes_nothing(source: Path, there: Path) -> None:
    assert plan(source, there).changes
    assert not there.parent.exists()


def test_a_second_sync_changes_nothing(source: Path, there: Path) -> None:
    sync(source, there)
    before = {path.name: path.stat().st_mtime_ns for path in there.iterdir()}
    result = sync(source, there)
    assert not result.changes
    assert len(result.unchanged) == 3
    assert {path.name: path.stat().st_mtime_ns for path in there.iterdir()} == before


def test_files_that_do_not_come_from_the_source_are_left_alone_and_listed(source: Path, there: Path) -> None:
    own = {"010_own.sql": b"select 10;", "notes.sql": b"", ".hidden.sql": b"", "README.md": b"", "9_x.SQL": b""}
    fill(there, own)
    (there / "elsewhere.sql").symlink_to(source / "001_a.sql")
    result = sync(source, there)
    assert result.foreign == ("010_own.sql", "9_x.SQL", "elsewhere.sql", "notes.sql")
    assert own.items() <= files(there).items()
    assert not plan(source, there).changes


def test_a_file_not_yet_applied_is_overwritten_and_shown_as_a_diff(source: Path, there: Path) -> None:
    fill(there, {"001_a.sql": b"select 1;\nselect 'old';\n"})
    result = plan(source, there, applied=("002",))
    (difference,) = result.overwritten
    assert difference.diff.splitlines() == [
        "--- supabase/migrations/001_a.sql",
        "+++ source/001_a.sql",
        "@@ -1,3 +1,2 @@",
        " select 1;",
        "-select 'old';",
        " ",
    ]
    write_sync(result)
    assert (there / "001_a.sql").read_bytes() == b"select 1;\n"


@pytest.mark.parametrize(
    ("there_now", "shown"),
    [(b"select 1;\r\n", "-select 1;␍"), (b"\xef\xbb\xbfselect 1;\n", "-<BOM>select 1;"), (b"select 1;", "+")],
)
def test_a_diff_shows_characters_that_cannot_be_seen(source: Path, there: Path, there_now: bytes, shown: str) -> None:
    fill(there, {"001_a.sql": there_now})
    (difference,) = plan(source, there).overwritten
    assert shown in difference.diff.splitlines()


def test_an_applied_file_is_not_overwritten_without_force(source: Path, there: Path) -> None:
    fill(there, {"001_a.sql": b"select 'applied';\n"})
    result = plan(source, there, applied=("001",))
    error = refused(result)
    assert [each.migration.version for each in result.refused] == ["001"]
    assert "001_a.sql differs and is applied" in error.why
    assert "-select 'applied';" in error.why
    assert "--force" in error.hint
    assert error.exit_code == 5

    forced = plan(source, there, applied=("001",), force=True)
    assert forced.refusal is None
    write_sync(forced)
    assert not plan(source, there, applied=("001",)).changes


def test_an_applied_file_that_is_missing_or_the_same_is_no_reason_to_refuse(source: Path, there: Path) -> None:
    fill(there, {"001_a.sql": b"select 1;\n"})
    write_sync(plan(source, there, applied=("001", "002", "003")))
    assert len(files(there)) == 3


def test_a_migration_renamed_in_the_source_is_renamed_there(source: Path, there: Path) -> None:
    sync(source, there)
    (source / "002_b.sql").rename(source / "002_better.sql")
    result = sync(source, there)
    assert [(each.old, each.migration.filename) for each in result.renamed] == [("002_b.sql", "002_better.sql")]
    assert result.foreign == ()
    assert sorted(files(there)) == ["001_a.sql", "002_better.sql", "003_c.sql"]


@pytest.mark.parametrize("force", [False, True])
def test_another_file_with_the_same_version_is_never_replaced(source: Path, there: Path, force: bool) -> None:
    fill(there, {"002_own.sql": b"select 'mine';", "004_more.sql": b"select 4;"})
    result = plan(source, there, force=force)
    error = refused(result)
    assert [(each.migration.filename, each.other) for each in result.conflicts] == [("002_b.sql", "002_own.sql")]
    assert "002_own.sql there and 002_b.sql in the source both have version 002" in error.why
    assert f"rm {there}/002_own.sql if it is an old copy" in error.hint
    assert "promthctl migrations renumber to keep both" in error.hint
    assert result.foreign == ("004_more.sql",)


def test_a_second_name_for_a_version_is_a_conflict_even_with_the_same_content(source: Path, there: Path) -> None:
    sync(source, there)
    fill(there, {"002_copy.sql": (source / "002_b.sql").read_bytes()})
    assert "002_copy.sql" in refused(plan(source, there)).why


def test_a_down_script_there_is_refused_because_the_cli_would_apply_it(source: Path, there: Path) -> None:
    sync(source, there)
    fill(there, {"001_a.down.sql": b"select -1;\n"})
    error = refused(plan(source, there))
    assert f"mv {there}/001_a.down.sql {there.parent}/down" in error.hint


def test_a_link_with_a_migrations_version_is_a_conflict_and_not_read(source: Path, there: Path) -> None:
    there.mkdir(parents=True)
    (there / "001_link.sql").symlink_to(source / "001_a.sql")
    assert [each.other for each in plan(source, there).conflicts] == ["001_link.sql"]


def test_a_folder_with_a_migrations_version_is_skipped_as_the_cli_does(source: Path, there: Path) -> None:
    (there / "001_folder.sql").mkdir(parents=True)
    assert not plan(source, there).conflicts


def test_the_source_may_be_supabase_migrations_itself_but_not_with_down_scripts(source: Path) -> None:
    error = refused(plan(source, source))
    assert f"mv {source}/001_a.down.sql {source}/001_a.down.sql.old" in error.hint
    (source / "001_a.down.sql").unlink()
    assert not plan(source, source).changes


@pytest.mark.parametrize("kind", ["folder", "link", "dangling link"])
def test_what_is_not_a_file_in_a_migrations_place_is_an_error(source: Path, there: Path, kind: str) -> None:
    there.mkdir(parents=True)
    outside = there.parent / "outside"
    if kind == "folder":
        (there / "002_b.sql").mkdir()
    else:
        (there / "002_b.sql").symlink_to(outside)
    if kind == "link":
        outside.write_bytes(b"keep me")
    with pytest.raises(PromthctlError) as caught:
        plan(source, there, force=True)
    assert "002_b.sql" in caught.value.what
    assert str(there / "002_b.sql") in caught.value.hint
    assert (outside.read_bytes() == b"keep me") if kind == "link" else not outside.exists()


def test_a_destination_that_is_a_link_is_not_followed(source: Path, there: Path, tmp_path: Path) -> None:
    there.parent.mkdir()
    (tmp_path / "outside").mkdir()
    there.symlink_to(tmp_path / "outside")
    with pytest.raises(PromthctlError, match="symbolic link"):
        plan(source, there)


@pytest.mark.parametrize("level", ["supabase", "migrations"])
def test_a_file_where_the_folder_should_be_is_an_error(source: Path, there: Path, level: str) -> None:
    path = there if level == "migrations" else there.parent
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(PromthctlError) as caught:
        sync(source, there)
    assert str(there) in caught.value.what
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("number", "fix"), [(errno.EROFS, "writable"), (errno.EACCES, "chmod"), (errno.ENOSPC, "free some space")]
)
def test_a_destination_that_cannot_be_written_is_told_and_left_whole(
    source: Path, there: Path, monkeypatch: pytest.MonkeyPatch, number: int, fix: str
) -> None:
    fill(there, {"001_a.sql": b"old"})

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    result = plan(source, there)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PromthctlError) as caught:
        write_sync(result)
    assert str(there) in caught.value.what
    assert os.strerror(number) in caught.value.why
    assert fix in caught.value.hint
    assert files(there) == {"001_a.sql": b"old"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_told(source: Path, there: Path) -> None:
    fill(there, {})
    there.chmod(0o555)
    try:
        with pytest.raises(PromthctlError, match="cannot be written"):
            sync(source, there)
    finally:
        there.chmod(0o755)


def test_an_interrupted_write_leaves_whole_files_and_no_rubbish(
    source: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        if target.name == "002_b.sql":
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", interrupted)
        sync(source, there)
    assert files(there) == {"001_a.sql": b"select 1;\n"}
    sync(source, there)
    assert not plan(source, there).changes


contents = st.binary(min_size=1, max_size=40).map(lambda data: b"-- x\n" + data.hex().encode())
folders = st.dictionaries(st.integers(1, 20), st.tuples(st.sampled_from("abc"), contents), min_size=1, max_size=6)


@given(folders, folders)
def test_sync_is_idempotent_or_refused_whatever_is_there(
    ours: dict[int, tuple[str, bytes]], theirs: dict[int, tuple[str, bytes]]
) -> None:
    with TemporaryDirectory() as text:
        source, there = (
            fill(Path(text) / name, {f"{version:03}_{stem}.sql": data for version, (stem, data) in side.items()})
            for name, side in (("source", ours), ("there", theirs))
        )
        before, result = files(there), plan(source, there)
        handled = (result.added, result.unchanged, result.overwritten, result.renamed, result.conflicts)
        assert sum(map(len, handled)) == len(ours)
        if result.refusal:
            refused(result)
            return
        write_sync(result)
        after = files(there)
        assert {name: after[name] for name in files(source)} == files(source)
        assert {name: after[name] for name in result.foreign} == {name: before[name] for name in result.foreign}
        assert len(after) == len(ours) + len(result.foreign)
        assert not plan(source, there).changes


def test_a_second_sync_of_a_thousand_migrations_changes_nothing(tmp_path: Path, there: Path) -> None:
    """How long that takes: `./scripts/bench sync`."""
    body = b"-- " + b"x" * 2000
    source = fill(tmp_path / "many", {f"{number:04}_m.sql": body for number in range(1, 1001)})
    assert len(sync(source, there).added) == 1000
    again = sync(source, there)
    assert not again.changes and len(again.unchanged) == 1000
