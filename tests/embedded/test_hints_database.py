"""Hints of commands on a database that is no stack, and about the files that go there; see tests/hints.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.hints import Edit, Instead, Option, Place, Row, Run, Say, follow, told
from tests.promthctl_runner import Project

SQL = "create table public.a (id int primary key);\n"
OWN = (("db/001_a.sql", SQL), ("pyproject.toml", '[tool.promthctl]\nmigrations = "db"\n'))
PUSH, PLAN = "promthctl push {at} --yes", "promthctl push {at} --dry-run"
BACK = "promthctl rollback {at} --to 0 --dry-run"
HISTORY = (
    "create schema supabase_migrations; create table supabase_migrations.schema_migrations"
    " (version text primary key, statements text[], name text);"
)


def applied(*entries: tuple[str, str, str]) -> str:
    """SQL that records versions with their names and statements, as if they had been pushed."""
    values = ", ".join(f"('{version}', array[$x${sql}$x$], '{name}')" for version, name, sql in entries)
    return f"{HISTORY} insert into supabase_migrations.schema_migrations (version, statements, name) values {values};"


@dataclass(frozen=True)
class Pinned:
    """A command of the Supabase CLI, which the hint takes from npm, by the pinned one."""

    says: str

    def do(self, said: str, words: str, place: Place) -> str:
        place.must(f"{place.values['supabase']} {said} --yes")
        return words


@dataclass(frozen=True)
class Sql:
    """A change of the target's rows, as the hint says."""

    sql: str
    says: str

    def do(self, said: str, words: str, place: Place) -> str:
        with psycopg.connect(place.values["url"]) as connection:
            connection.execute(self.sql.encode())
        return words


A = ("001", "a", SQL.strip().rstrip(";"))
DOWN = "rollback/scripts.py · _read"
WRITTEN = "push/planning.py · check_written"
UNDONE = Edit("db/001_a.down.sql", "drop table public.a;", r"(?s)correct .*|write it into .*|take it out of .*")
SETTLED = "push/disagreements.py · refusal_of"
SEED = "promthctl seed sql {at} --yes"
BUNDLE = "promthctl migrations bundle --unproven"


def down(text: str, name: str) -> tuple[str, Row]:
    """A down script that cannot be run."""
    return SQL + applied(A), Row(DOWN, BACK, UNDONE, files=(*OWN, ("db/001_a.down.sql", text)), name=name)


def written(text: str, good: str, says: str, name: str) -> tuple[str, Row]:
    """A migration whose own transaction commands lose what it does."""
    files = (*OWN, ("db/002_b.sql", text))
    return "", Row(WRITTEN, PLAN, Edit("db/002_b.sql", good, says), files=files, name=name)


B = "create table public.b (i int);\n"
OLD_CLI = '#!/bin/sh\n[ "$1" = --version ] && echo 2.100.0 && exit\necho unknown flag >&2; exit 1\n'
KNOWS_ITS_SCRIPT = """do $$ begin
  if current_query() like '%schema' || '_migrations%' then create table public.bundled (); end if;
end $$;
"""
# What the database has, by SQL, before the row's situation.
CASES = (
    (
        "",
        Row(
            WRITTEN,
            PLAN,
            Edit("db/002_b.sql", B, "write its SQL"),
            files=OWN,
            before="promthctl migrations new b",
            name="as new made it",
        ),
    ),
    written(f"begin;\n{B}", B, "take `begin` out", "begin alone"),
    written(f"begin;\n{B}", f"begin;\n{B}commit;\n", "add commit at its end", "begin and commit"),
    written(f"{B}rollback;", B, "take it out", "rollback"),
    (
        SQL + applied(A),
        Row(
            "push/planning.py · check_destructive",
            PUSH,
            Option("--allow-destructive"),
            files=(*OWN, ("db/002_b.sql", "drop table public.a;")),
        ),
    ),
    (
        applied(A, ("003", "c", "select 1")),
        Row(
            SETTLED,
            PUSH,
            Run(r"^mv \S+ \S+"),
            files=(*OWN, ("db/002_b.sql", B), ("db/003_c.sql", "select 1;\n")),
            name="too early",
        ),
    ),
    (
        applied(A, ("003", "c", "select 1")),
        Row(
            SETTLED,
            PUSH,
            Instead(r"promthctl push --include-all \S+ \S+", adds="--yes"),
            files=(*OWN, ("db/002_b.sql", B), ("db/003_c.sql", "select 1;\n")),
            name="out of order",
        ),
    ),
    (
        applied(A, ("009", "x", "select 1")),
        Row(
            SETTLED,
            PUSH,
            Pinned(r"npx supabase@3 (migration repair .*)"),
            files=(*OWN, ("db/010_b.sql", B)),
            name="without a file",
        ),
    ),
    (
        applied(("001", "a", "create table public.a (id text)")),
        Row(
            SETTLED,
            PUSH,
            Edit("db/001_a.sql", "create table public.a (id text);", "undo the edit"),
            files=OWN,
            name="edited",
        ),
    ),
    (
        applied(("001", "other", "select 1")),
        Row(SETTLED, PUSH, Run(r"of its own: (mv .*)"), "no file here: 001", OWN, name="taken"),
    ),
    (
        SQL + applied(A),
        Row(
            "rollback/scripts.py · _missing",
            BACK,
            Run("promthctl migrations down 001"),
            files=OWN,
        ),
    ),
    down("", "that is empty"),
    down("selekt;", "that is no SQL"),
    down("begin; drop table public.a; commit;", "with a transaction of its own"),
    (
        SQL + applied(A),
        Row(
            "rollback/undoing.py · _version",
            "promthctl rollback {at} --to 9 --dry-run",
            Option("--to VERSION", "001"),
            files=OWN,
        ),
    ),
    (
        SQL + applied(A, ("002", "b", "select 1")),
        Row(
            "rollback/undoing.py · _to_undo",
            "promthctl rollback {at} --to 001 --dry-run",
            (
                Edit("db/002_b.sql", "select 1;", "add their files"),
                Edit("db/002_b.down.sql", "select 1;", "down scripts"),
            ),
            files=OWN,
        ),
    ),
    (
        "",
        Row(
            "seeds/files.py · unreadable",
            SEED + " nothere.sql",
            Say("nothere", "seed", "correct its name"),
            files=(*OWN, ("seed.sql", "select 1;")),
        ),
    ),
    (
        "",
        Row(
            "seeds/failing.py · psql_line",
            SEED,
            Edit("supabase/seed.sql", "select 1;", "take the line out|put the text of that file"),
            files=(("supabase/seed.sql", "\\i other.sql\n"),),
        ),
    ),
    (
        "",
        Row(
            "seeds/failing.py · not_text",
            SEED,
            Edit("supabase/seed.sql", "select 1;", "save .* as UTF-8"),
            files=(("supabase/seed.sql", "select '\0';\n"),),
        ),
    ),
    (
        "",
        Row(
            "supabase_cli/choosing.py · _on_path",
            "PATH=/nowhere " + PUSH + " --supabase-cli system",
            Option("--supabase-cli pinned"),
            files=OWN,
        ),
    ),
    (
        "",
        Row(
            "supabase_cli/choosing.py · _unusable",
            PUSH + " --supabase-cli ./cli",
            Option("--supabase-cli pinned"),
            files=(*OWN, ("cli", "#!/bin/sh\necho 1.0.0\n")),
            before="chmod +x cli",
        ),
    ),
    (
        "",
        Row(
            "supabase_cli/failures.py · cli_error",
            PUSH + " --supabase-cli ./cli",
            Option("--supabase-cli pinned"),
            files=(
                *OWN,
                ("cli", OLD_CLI),
            ),
            before="chmod +x cli",
        ),
    ),
    (
        "",
        Row(
            "migration_files/bundling.py · _proven",
            "promthctl migrations bundle",
            Instead("promthctl push", adds="{at} --yes"),
            files=(*OWN, ("db/002_b.sql", KNOWS_ITS_SCRIPT)),
        ),
    ),
    (
        "",
        Row(
            "migration_set/bundle.py · _statements",
            BUNDLE,
            Instead("promthctl push", adds="{at} --yes"),
            files=(*OWN, ("db/002_b.sql", "vacuum public.a;")),
        ),
    ),
    (
        "",
        Row(
            "migration_set/bundle.py · _statements",
            BUNDLE,
            Edit("db/002_b.sql", B, "correct"),
            files=(*OWN, ("db/002_b.sql", "selekt;")),
            name="that is no SQL",
        ),
    ),
    (
        "",
        Row(
            "migration_set/bundle.py · _transactions",
            BUNDLE,
            Edit("db/002_b.sql", f"begin;\n{B}commit;\n", "add the COMMIT"),
            files=(*OWN, ("db/002_b.sql", f"begin;\n{B}")),
        ),
    ),
    (
        SQL + applied(A) + "alter table public.a add column n int; insert into public.a values (1);",
        Row(
            "push/planning.py · check_accepted",
            PUSH,
            Sql("update public.a set n = 0", "or the rows"),
            files=(*OWN, ("db/002_b.sql", "alter table public.a alter column n set not null;\n")),
            env=(("PROMTHCTL_REHEARSAL", "on"),),
        ),
    ),
)


@pytest.mark.parametrize(("sql", "row"), [pytest.param(*case, id=str(case[1])) for case in CASES])
def test_what_comes_next_helps(sql: str, row: Row, project: Project, database_url: str, supabase: Path) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(sql.encode())
    parts = urlsplit(database_url)
    project.extra["PGPASSWORD"] = parts.password or ""
    values = {"at": f"--db-url {database_url}", "url": database_url, "supabase": str(supabase)}
    follow(row, Place(project, values))


def test_the_name_is_typed_again(project: Project, database_url: str) -> None:
    place = Place(project)
    for path, text in OWN:
        place.write(path, text)
    words = ("reset", "--db-url", database_url, "--no-backup")
    printed = project.run(*words, stdin="wrong\n", code=5).stderr
    assert "type the database's name" in told("resetting/target.py · check_typed_name", printed).hint
    project.run(*words, stdin=urlsplit(database_url).path[1:])


@pytest.mark.parametrize("condition", ["false", "true"])
def test_an_exception_in_place_of_a_rollback_undoes_all_or_nothing(
    project: Project, database_url: str, condition: str
) -> None:
    """The advice for a ROLLBACK that only sometimes runs: a migration that fails is not recorded."""
    place = Place(project, {})
    for path, text in OWN:
        place.write(path, text)
    block = f"{B}do $$ begin if {condition} then {{}}; end if; end $$;\n"
    place.write("db/002_b.sql", block.format("rollback"))
    refused = told(WRITTEN, project.run("push", "--db-url", database_url, "--yes", code=5).stderr)
    assert "write `raise exception 'why'` instead of the ROLLBACK" in refused.hint
    assert state(database_url) == (False, None)
    place.write("db/002_b.sql", block.format("raise exception 'why'"))
    project.run("push", "--db-url", database_url, "--yes", code=int(condition == "true"))
    assert state(database_url) == ((False, 1) if condition == "true" else (True, 2))


def test_a_part_of_a_block_is_undone_by_an_exception_within(project: Project, database_url: str) -> None:
    place = Place(project, {})
    for path, text in OWN:
        place.write(path, text)
    place.write("db/002_b.sql", f"{B}do $$ begin insert into public.b values (1); rollback; end $$;\n")
    refused = told(WRITTEN, project.run("push", "--db-url", database_url, "--yes", code=5).stderr)
    assert "put that part into begin … exception when others then … end, and raise an exception in it" in refused.hint
    part = "begin insert into public.b values (1); raise exception 'why'; exception when others then null; end"
    place.write("db/002_b.sql", f"{B}do $$ begin {part}; insert into public.b values (2); end $$;\n")
    project.run("push", "--db-url", database_url, "--yes")
    assert state(database_url) == (True, 2)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select array_agg(i) from public.b").fetchone() == ([2],)


def state(url: str) -> tuple[bool, int | None]:
    """Whether the table of 002 is there, and how many versions the history has; None without a history."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select to_regclass('public.b') is not null, to_regclass('supabase_migrations.schema_migrations')"
        ).fetchone()
        assert found
        if found[1] is None:
            return found[0], None
        count = connection.execute("select count(*) from supabase_migrations.schema_migrations").fetchone()
        assert count
        return found[0], count[0]
