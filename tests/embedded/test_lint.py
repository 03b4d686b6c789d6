"""`promthctl migrations lint`: what counts is the schema that all files make, told where it was made."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from promthctl.linting import squawk
from promthctl.linting.rules import LINT_RULES
from tests.promthctl_runner import Project

FIRST = """create table public.notes (id bigint primary key, owner uuid references auth.users (id));
create table public.closed (
  id bigint);
create table public.other (id bigint primary key, note bigint references public.notes (id));
alter table public.other enable row level security;
create index other_note on public.other (note);
create policy everybody on public.other using (auth.uid() is not null);
create function public.pinned() returns int language sql security definer set search_path = '' as 'select 1';
create function public.loose() returns int language sql security definer as 'select 1';
create view public.shown as select * from public.other;
grant select on public.shown to anon;
grant select on public.notes, public.other to authenticated;
create table public.gone (id int);
drop table public.gone;
"""
SECOND = """-- promthctl: allow builds-index the table is small

-- promthctl: allow drops-column
alter table public.notes enable row level security;
create index notes_owner on public.notes (owner);
create unique index notes_owner_2 on public.notes (owner);
drop index public.other_note;
alter table public.notes drop column owner cascade; -- promthctl: allow drops-column never filled
create or replace function public.pinned() returns int language sql security definer as 'select 2';
alter policy everybody on public.other to authenticated;
"""


def git(folder: Path, *words: str) -> None:
    own = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *own, *words], check=True, capture_output=True)


def write(folder: Path, **files: str) -> None:
    (folder / "supabase" / "migrations").mkdir(parents=True, exist_ok=True)
    for name, sql in files.items():
        (folder / "supabase" / "migrations" / f"{name}.sql").write_text(sql)


def without_squawk(findings: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """file, line and rule; without squawk's, which need its package, and what every file here has."""
    return [
        (Path(str(one["file"])).name[:3], one["line"], one["rule"])
        for one in findings
        if LINT_RULES[str(one["rule"])].source != "squawk" and one["rule"] != "no-down-script"
    ]


def test_the_schema_in_the_end_counts_and_each_flaw_has_its_place(tmp_path: Path) -> None:
    """A later commit is linted alone, with what it does to objects of earlier files."""
    write(tmp_path, **{"001_a": FIRST})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    write(tmp_path, **{"002_b": SECOND})
    project = Project(tmp_path)
    found = project.json("migrations", "lint", code=1)
    earlier = [
        ("001", 2, "missing-grants"),
        ("001", 2, "missing-rls"),
        ("001", 2, "no-primary-key"),
        ("001", 7, "auth-called-per-row"),
        ("001", 9, "loose-search-path"),
        ("001", 11, "view-bypasses-rls"),
    ]
    later = [
        ("002", 7, "unindexed-foreign-key"),
        ("002", 9, "loose-search-path"),
        ("002", 3, "allow-without-reason"),
    ]
    assert without_squawk(found["findings"]) == [*earlier, *later]
    allowed = {(one["line"], one["rule"], one["allowed"]) for one in found["allowed"]}
    assert (8, "drops-column", "never filled") in allowed and (5, "builds-index", "the table is small") in allowed
    downs = [one["line"] for one in found["findings"] if one["rule"] == "no-down-script"]
    assert downs == [1, 1]

    since = json.loads(project.run("migrations", "lint", "--changed-since", "HEAD", "--format", "sarif", code=1).stdout)
    (run,) = since["runs"]
    assert {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]} == {
        "supabase/migrations/002_b.sql"
    }
    assert {"unindexed-foreign-key", "drops-column"} <= {one["ruleId"] for one in run["results"]}


def test_where_the_files_stop_applying_is_told_and_what_is_there_by_then(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "001_a": "create table public.a (id bigint primary key);\n",
            "002_b": "begin;\ncreate table public.b (id bigint primary key);\ncommit;\nselect 1 / 0;\n"
            "-- promthctl: allow drops-table it could come later\nselect 2;\n-- promthctl: allow nothing here\n",
        },
    )
    (tmp_path / "supabase" / "config.toml").write_text("[api]\nauto_expose_new_tables = true\n")
    found = Project(tmp_path).json("migrations", "lint", code=1)
    assert without_squawk(found["findings"]) == [
        ("001", 1, "missing-rls"),
        ("002", 2, "missing-rls"),
        ("002", 4, "does-not-apply"),
        ("002", 7, "unneeded-allow"),
    ]


def test_an_ordinary_migration_without_a_down_script_passes_and_fails_where_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, **{"001_a": "create schema app;\n"})
    project = Project(tmp_path)
    found = project.run("migrations", "lint").stdout
    assert "advice it has no down script" in found and "1 piece of advice in 1 migration" in found
    project.run("migrations", "lint", "--fail-on", "warning")
    assert project.json("migrations", "lint", "--fail-on", "advice", code=1)["fail_on"] == "advice"


def test_the_example_is_clean_or_says_why(tmp_path: Path) -> None:
    found = Project(tmp_path).json("migrations", "lint")
    assert found["findings"] == [] and {one["rule"] for one in found["allowed"]} >= {"builds-index"}
    if squawk.program() is None:
        pytest.skip("squawk-cli is not installed: its rules were not asked for")
    assert found["squawk"] and {one["rule"] for one in found["allowed"]} >= {"prefer-text-field"}
