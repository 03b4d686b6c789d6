"""The real Supabase CLI's history rows are recognised as the files they came from, and edits are seen."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from promthctl.migration_set import (
    HistoryEntry,
    Migration,
    discover,
    is_as_applied,
    list_migrations,
    packaged_source,
    plan_sync,
    present_migrations,
    write_sync,
)

FILES: dict[str, str] = {
    "plain": "create table plain_a (i int);\ncreate table plain_b (i int);\n",
    "comments": (
        "-- head; comment\n\n/* block; /* nested; */ ; */\ncreate table comments_a (i int); -- trailing; comment\n"
        "-- before\ncreate table comments_b (i int)\n-- within; it\n;\n\n\n\n-- at the end; of all\n"
    ),
    "comment_only": "-- nothing here; really\n",
    "comment_before_semicolon": "select 1 -- one;\n;\nselect '--' -- two\n; select 3 /* -- */; select 4;",
    "bodies": (
        "create function bodies_a() returns int language plpgsql as $$\n"
        "begin -- a;b\n  perform 1;\n  return 1;\nend $$;\n"
        "create function bodies_b() returns text language sql as $fn$ select '$$;$$'; $fn$;\n"
        "do $a$ begin perform $b$;$a;$b$; end $a$;\n"
    ),
    "atomic": (
        "create function atomic_a() returns int language sql begin atomic select 1; select 2; end;\n"
        "create table atomic_b (i int);\n"
    ),
    "transaction": "begin;\ncreate table transaction_a (i int);\ncommit;\n",
    "crlf": "create table crlf_a (\r\n  i int\r\n);\r\n\r\n-- c;\r\ncreate table crlf_b (i int);\r\n",
    "bom": "\ufeff\n\n-- x\u00a0y\ncreate table bom_a (i int);\n",
    "spacing": "\tcreate\ttable\tspacing_a (i int)  ;\n\n\n\n   \t create table spacing_b (i\tint) ;   ;;\n ; \f",
    "no_last_semicolon": "create table open_a (i int);\ncreate table open_b (i int default 3)",
    "quotes": (
        "create table quotes_a (t text default 'a;b''c;', \"x;\"\"y\" int,"
        " e text default E'it\\'s;', b text default '\\');\n"
        "insert into quotes_a (t) values ('line1\n\n  line2;  ');\nselect 'a'\n'b;';\n"
    ),
    "dollar_in_name": 'create table a$b (i int); create table c$b (i int);\nselect 1 as "$x$;";\n',
    "letters": "comment on schema public is 'ünïcödé — ✓ ไทย 🎉;';\nselect 1;\n",
}


def run(supabase: Path, project: Path, url: str, *command: str) -> dict[str, HistoryEntry]:
    """Run a command of the CLI against the database and return the history it wrote."""
    (project / "supabase" / "config.toml").write_text('project_id = "history"\n')
    parts = urlsplit(url)
    bare = parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()
    done = subprocess.run(
        [supabase, *command, f"--remote={bare}", "--yes"],
        cwd=project,
        env={**os.environ, "PGPASSWORD": unquote(parts.password or ""), "DO_NOT_TRACK": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(url) as connection:
        rows = connection.execute("select version, name, statements from supabase_migrations.schema_migrations")
        return {version: HistoryEntry(version, name, tuple(lines)) for version, name, lines in rows}


def edits(sql: str) -> list[str]:
    """`sql` with something small added or taken away, at random places that are the same in every run.

    No backslash is added: outside quotes it is no SQL, and the CLI has a reading of its own for it.
    """
    chance = random.Random(sql)
    added = ["", ";", "\n", " ", "--", "'", "$$", ";\n", "\n;", "/*", "x", '"', "\r\n", "-- ;\n"]
    edited = []
    for _ in range(60):
        place, cut = chance.randrange(len(sql) + 1), chance.choice([0, 0, 1, 1, 2])
        edited.append(sql[:place] + chance.choice(added) + sql[place + cut :])
    return edited


def compared(statements: Sequence[str]) -> list[str]:
    """Statements without what `matches` takes no notice of."""
    trimmed = (statement.replace("\r\n", "\n").strip("; \n\t\r\f") for statement in statements)
    return [statement for statement in trimmed if statement]


def write_all(folder: Path, files: Iterable[tuple[str, str]]) -> list[Migration]:
    folder.mkdir(parents=True)
    for number, (name, sql) in enumerate(files, start=1):
        (folder / f"{number:04}_{name}.sql").write_bytes(sql.encode())
    return list(present_migrations(folder))


def test_every_kind_of_file_is_recognised_in_the_history(tmp_path: Path, database_url: str, supabase: Path) -> None:
    migrations = write_all(tmp_path / "supabase" / "migrations", FILES.items())
    history = run(supabase, tmp_path, database_url, "db", "push")
    assert len(history) == len(FILES)
    for migration in migrations:
        statements = history[migration.version].statements
        assert is_as_applied(migration.sql, statements), (migration.name, statements)
        assert is_as_applied(migration.sql.replace("\r\n", "\n"), statements), migration.name
    assert {row.edited for row in list_migrations(migrations, (), history)} == {False}


def test_an_edit_is_seen_exactly_when_the_cli_would_record_other_statements(
    tmp_path: Path, database_url: str, supabase: Path
) -> None:
    variants = [(name, text) for name, sql in FILES.items() for text in (sql, *edits(sql))]
    migrations = write_all(tmp_path / "supabase" / "migrations", variants)
    # `repair` records a file's statements without running them, so that an edit need not be valid SQL.
    versions = [migration.version for migration in migrations]
    history = run(supabase, tmp_path, database_url, "migration", "repair", *versions, "--status", "applied")
    original: dict[str, tuple[str, ...]] = {}
    for migration in migrations:
        statements = history[migration.version].statements
        before = original.setdefault(migration.name, statements)
        assert is_as_applied(migration.sql, statements), (migration.sql, statements)
        same = compared(statements) == compared(before)
        assert is_as_applied(migration.sql, before) is same, (migration.sql, statements, before)


@pytest.mark.parametrize("edited", [False, True])
def test_the_packaged_migrations_count_as_edited_only_when_they_are(
    tmp_path: Path, database_url: str, supabase: Path, edited: bool
) -> None:
    folder = tmp_path / "supabase" / "migrations"
    source = discover(packaged_source())
    write_sync(plan_sync(source, folder, (), force=False))
    history = run(supabase, tmp_path, database_url, "db", "push")
    last = folder / source[-1].filename
    if edited:
        last.write_bytes(last.read_bytes() + b"\nselect 1;\n")
    rows = list_migrations(source, discover(folder), history)
    assert [row.edited for row in rows] == [False] * (len(rows) - 1) + [edited]
    assert all(row.applied for row in rows)
