"""Which files are the seeds, and which lines for psql a seed may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl import settings
from promthctl.errors import UsageError
from promthctl.seeds import find_roles, find_seeds
from promthctl.seeds.psql_lines import advice_on


def project(folder: Path, seed: str, *files: str) -> settings.Settings:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("select 1;")
    (folder / "supabase").mkdir(exist_ok=True)
    (folder / "supabase" / "config.toml").write_text(f"[db.seed]\n{seed}\n")
    return settings.load(folder)


# What the Supabase CLI 3.1.0 listed for the same patterns and files with db push --include-seed --dry-run.
FILES = (
    "supabase/seeds/10_a.sql",
    "supabase/seeds/2_b.sql",
    "supabase/seeds/deep/x.sql",
    "supabase/seeds/deep/er/y.sql",
)


@pytest.mark.parametrize(
    ("patterns", "names", "unmatched"),
    [
        ('"./seeds/*.sql", "seeds/2_b.sql"', ["supabase/seeds/10_a.sql", "supabase/seeds/2_b.sql"], ()),
        ('"./seeds/**/*.sql"', ["supabase/seeds/deep/x.sql"], ()),
        ('"seeds/{10_a,2_b}.sql", "seeds/2*"', ["supabase/seeds/2_b.sql"], ("seeds/{10_a,2_b}.sql",)),
        ('"seeds/[^0-9]*/*.sql", "seeds/[13]*"', ["supabase/seeds/deep/x.sql", "supabase/seeds/10_a.sql"], ()),
        ('"./seeds"', [*FILES[:2], "supabase/seeds/deep/er/y.sql", "supabase/seeds/deep/x.sql"], ()),
        ('"../outside.sql", "seeds/deep/../2_b.sql"', ["outside.sql", "supabase/seeds/2_b.sql"], ()),
        ('"./seed.sql", "none/*.sql"', [], ("./seed.sql", "none/*.sql")),
    ],
)
def test_patterns_are_read_as_the_cli_reads_them(
    tmp_path: Path, patterns: str, names: list[str], unmatched: tuple[str, ...]
) -> None:
    found = find_seeds(project(tmp_path, f"sql_paths = [{patterns}]", *FILES, "outside.sql"))
    assert [file.name for file in found.files] == names
    assert found.unmatched == unmatched


def test_without_patterns_the_seed_is_seed_sql_and_may_be_missing(tmp_path: Path) -> None:
    assert find_seeds(project(tmp_path, "")) == find_seeds(project(tmp_path, "enabled = true"))
    assert find_seeds(project(tmp_path, "")).unmatched == ()
    assert [file.name for file in find_seeds(project(tmp_path, "", "supabase/seed.sql")).files] == ["supabase/seed.sql"]
    assert find_seeds(project(tmp_path, "enabled = false")).files == ()


def test_an_absolute_pattern_outside_of_the_project_keeps_its_path(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    other = tmp_path / "other.sql"
    found = find_seeds(project(tmp_path / "p", f"sql_paths = ['{other}']", "x.sql"))
    assert found.unmatched == (str(other),)
    other.write_text("")
    assert [file.name for file in find_seeds(settings.load(tmp_path / "p")).files] == [str(other)]


@pytest.mark.parametrize("value", ["3", "[1]", "{}"])
def test_paths_that_are_no_list_of_texts_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="sql_paths"):
        find_seeds(project(tmp_path, f"sql_paths = {value}"))


def test_roles_are_a_file(tmp_path: Path) -> None:
    assert find_roles(project(tmp_path, "")) is None
    found = find_roles(project(tmp_path, "", "supabase/roles.sql"))
    assert found is not None and found.name == "supabase/roles.sql"


@pytest.mark.parametrize(
    "line",
    [
        "\\restrict Ab3",
        "\\unrestrict Ab3",
        "\\set ON_ERROR_STOP on",
        "\\set ON_ERROR_STOP 1",
        "\\set ECHO none",
        "\\echo 'users'",
        "\\timing",
        "\\pset pager off",
        "\\connect postgres",
        "\\connect -reuse-previous=on postgres",
        '\\c "postgres"',
        "\\encoding UTF8",
    ],
)
def test_lines_that_change_nothing_here_are_left_out(line: str) -> None:
    assert advice_on(line, False, "postgres") is None
    assert advice_on(line, True, "postgres") is not None


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("\\i users.sql", "sql_paths"),
        ("\\ir ./users.sql", "sql_paths"),
        ("\\include users.sql", "sql_paths"),
        ("\\copy t from 'x.csv' csv", "from stdin"),
        ("\\connect other", "take the line out"),
        ("\\c - admin", "take the line out"),
        ("\\set id 5", "write the value"),
        ("\\set ON_ERROR_STOP off", "take the line out"),
        ("\\.", "copy … from stdin"),
        ("\\gexec", "DO block"),
        ("\\if :x", "DO block"),
        ("\\password postgres", "take the line out"),
    ],
)
def test_other_lines_are_refused_with_what_to_write(line: str, advice: str) -> None:
    assert advice in (advice_on(line, False, "postgres") or "")
