"""Hosted projects: a loopback Management API stands for Supabase's, a real PostgreSQL for the project's database."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg

from promthctl import settings, supabase_cli
from promthctl.migration_set import present_migrations
from promthctl.steps import Silent
from promthctl.targets import from_url
from tests.hosted.cloud import REF, TOKEN, Cloud, CloudProject, Reply
from tests.hosted.conftest import MIGRATIONS
from tests.promthctl_runner import Project

TARGET = f"Target: hosted project Shop ({REF}, eu-central-1)"


def tables(database_url: str) -> dict[str, str]:
    """Table → owner."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select tablename, tableowner from pg_tables where schemaname = 'public' order by 1")
        return dict(rows.fetchall())


def test_a_push_shows_the_project_and_applies_what_is_pending(shop: Project, database_url: str, line: str) -> None:
    done = shop.run("push", "--project-ref", REF, "--yes", "--supabase-cli", line)
    assert done.stderr.startswith(TARGET)
    assert list(tables(database_url)) == ["a", "b"]
    assert "Nothing to do" in shop.run("push", "--project-ref", REF, PROMTHCTL_SUPABASE_CLI=line).stdout
    rows = shop.json("migrations", "list", "--project-ref", REF)
    assert [row["applied"] for row in rows] == [True, True]


def test_a_failing_migration_is_told_alike_by_both_lines(shop: Project, database_url: str, line: str) -> None:
    file = shop.path / "sql" / "002_b.sql"
    file.write_text("create table b (id int);  \n\n-- a comment\ninsert into b\n  values (1/0);\nselect 3;")
    done = shop.run("push", "--project-ref", REF, "--yes", "--supabase-cli", line, code=1)
    told = done.stderr[done.stderr.index("error:") :].splitlines()
    assert told[0] == f"error: 002_b.sql could not be applied to {TARGET.removeprefix('Target: ')}"
    assert told[1] == "  why: line 4, statement 2: ERROR: division by zero (SQLSTATE 22012)"
    assert [row.strip() for row in told[2:5]] == ["-- a comment", "insert into b", "values (1/0)"]
    assert f"correct {file}" in told[5] and "nothing of 002_b.sql was applied" in told[5]
    assert list(tables(database_url)) == ["a"]
    file.write_text(MIGRATIONS["002_b.sql"])
    assert shop.json("push", "--project-ref", REF, "--yes", "--supabase-cli", line)["applied"] == ["002_b.sql"]


def test_a_reset_asks_for_the_project_s_name(shop: Project, database_url: str, line: str) -> None:
    shop.run("push", "--project-ref", REF, "--yes")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("insert into a values (1)")
        for typed in ("", "postgres\n", f"{REF}\n"):
            shop.run("reset", "--project-ref", REF, "--yes", stdin=typed, code=5)
        assert connection.execute("select count(*) from a").fetchone() == (1,)
    shop.run("reset", "--project-ref", REF, "--supabase-cli", line, stdin="Shop\n")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from a").fetchone() == (0,)


def test_a_rollback_keeps_the_rows_and_a_restore_brings_them_back(shop: Project, database_url: str) -> None:
    (shop.path / "sql" / "002_b.down.sql").write_text("drop table public.b;")
    shop.run("push", "--project-ref", REF, "--yes")
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into b values (7)")
    undo = ("rollback", "--project-ref", REF, "--to", "001")
    told = shop.run(*undo, code=5).stderr
    assert told.startswith(TARGET) and "public.b" in told and list(tables(database_url)) == ["a", "b"], told
    shop.run(*undo, "--yes")
    assert list(tables(database_url)) == ["a"]
    assert shop.json("push", "--project-ref", REF, "--yes")["applied"] == ["002_b.sql"]
    (backup,) = shop.json("rollback", "--list")
    assert shop.run("rollback", "--project-ref", REF, "--restore", backup["name"], "--yes").stderr.startswith(TARGET)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select id from b").fetchall() == [(7,)]


def test_both_lines_go_without_tls_where_libpq_does(shop: Project, database_url: str, line: str) -> None:
    del shop.extra["PGSSLMODE"]
    done = shop.json("push", "--db-url", database_url, "--yes", "--supabase-cli", line)
    assert done["applied"] == list(MIGRATIONS)


def test_both_lines_repair_the_history_and_give_advice(shop: Project, database_url: str, line: str) -> None:
    shop.run("push", "--project-ref", REF, "--yes")
    here = settings.load(shop.path, line)
    cli, target = supabase_cli.find_database_cli(here, Silent()), from_url(database_url)
    cli.repair(target, ["001", "002"], "reverted", Silent())
    assert shop.json("push", "--project-ref", REF, "--dry-run")["pending"] == list(MIGRATIONS)
    cli.repair(target, ["001", "002"], "applied", Silent(), present_migrations(here.migrations_dir))
    assert shop.json("push", "--project-ref", REF, "--dry-run")["pending"] == []
    assert "RLS Disabled in Public: Table `public.a` is public, but RLS has not been enabled." in cli.advisors(target)


def test_a_push_without_a_yes_changes_nothing(shop: Project, database_url: str) -> None:
    shop.run("push", "--project-ref", REF, code=5)
    assert tables(database_url) == {}
    assert shop.json("push", "--project-ref", REF, "--dry-run")["pending"] == list(MIGRATIONS)
    assert tables(database_url) == {}


def test_verify_works_on_it(shop: Project) -> None:
    shop.run("push", "--project-ref", REF, "--yes")
    assert shop.json("verify", "--project-ref", REF, "--only", "tables")["ok"] is True


# A temporary role, where there is no password


def test_without_a_password_a_temporary_role_does_it(shop: Project, cloud: Cloud, database_url: str, line: str) -> None:
    done = shop.run("push", "--project-ref", REF, "--yes", "--supabase-cli", line, SUPABASE_DB_PASSWORD="")
    assert tables(database_url) == {"a": "postgres", "b": "postgres"}
    assert f"POST /v1/projects/{REF}/cli/login-role" in cloud.asked
    assert "cli_login" not in done.stdout + done.stderr
    again = shop.json("push", "--project-ref", REF, "--dry-run", SUPABASE_DB_PASSWORD="")
    assert again["pending"] == []  # the history was read as postgres too


def test_a_temporary_role_s_password_is_made_anew_before_it_expires(
    shop: Project, hosted: CloudProject, cloud: Cloud, database_url: str
) -> None:
    hosted.ttl = 0
    shop.run("push", "--project-ref", REF, "--yes", SUPABASE_DB_PASSWORD="")
    assert cloud.asked.count(f"POST /v1/projects/{REF}/cli/login-role") > 2
    assert list(tables(database_url)) == ["a", "b"]


def test_a_pooler_that_learns_the_role_s_password_late_is_waited_for(shop: Project, hosted: CloudProject) -> None:
    shop.run("push", "--project-ref", REF, "--dry-run", SUPABASE_DB_PASSWORD="")
    hosted.late = 1.0
    shop.run("push", "--project-ref", REF, "--dry-run", SUPABASE_DB_PASSWORD="")


def test_a_temporary_role_proves_the_isolation_as_postgres_would(shop: Project) -> None:
    (shop.path / "sql" / "003_notes.sql").write_text(
        "create table notes (id int primary key, user_id uuid not null default auth.uid() references auth.users);"
        "alter table notes enable row level security;"
        "create policy own on notes using (auth.uid() = user_id) with check (auth.uid() = user_id);"
        "create index on notes (user_id);"
    )
    shop.run("push", "--project-ref", REF, "--yes")
    reports = [
        shop.json("verify", "--project-ref", REF, code=None, SUPABASE_DB_PASSWORD=password)
        for password in (shop.extra["SUPABASE_DB_PASSWORD"], "")
    ]
    assert reports[0] == reports[1]
    states = {table["table"]: table["state"] for table in reports[1]["isolation"]["tables"]}
    assert states["notes"] == "proven"


# How it is named, and who may


def test_the_login_of_the_supabase_cli_serves_too(shop: Project, tmp_path: Path) -> None:
    (tmp_path / ".supabase").mkdir()
    (tmp_path / ".supabase" / "access-token").write_text(TOKEN + "\n")
    shop.run("push", "--project-ref", REF, "--dry-run", SUPABASE_ACCESS_TOKEN="")


def test_the_profile_that_the_login_kept_serves_too(shop: Project, tmp_path: Path) -> None:
    (tmp_path / ".supabase").mkdir()
    (tmp_path / ".supabase" / "profile").write_text(shop.extra["SUPABASE_PROFILE"])
    shop.run("push", "--project-ref", REF, "--dry-run", SUPABASE_PROFILE="")


def test_targets_have_names(shop: Project, database_url: str) -> None:
    place = database_url.rpartition("@")[2]
    (shop.path / "pyproject.toml").write_text(
        '[tool.promthctl]\nmigrations = "sql"\n'
        f'[tool.promthctl.targets.live]\nproject_ref = "{REF}"\nproduction = true\n'
        f'[tool.promthctl.targets.staging]\ndb_url = "postgresql://postgres@{place}"\n'
    )
    live = shop.run("push", "--target", "live", "--yes").stderr
    assert live.startswith(f"{TARGET} · PRODUCTION\n")
    assert shop.run("push", "--project-ref", REF, "--dry-run").stderr.startswith(f"{TARGET} · PRODUCTION\n")
    staging = shop.run("push", "--target", "staging", "--dry-run").stderr
    assert staging.startswith(f"Target: database {place.rpartition('/')[2]} at ") and "PRODUCTION" not in staging
    assert "live, staging" in shop.run("push", "--target", "prod", code=2).stderr


def test_what_is_no_reference_is_refused_before_any_call(shop: Project, cloud: Cloud) -> None:
    for ref in ("", "short", REF.upper(), REF + "x", "../../v1/organizat"):
        shop.run("push", "--project-ref", ref, code=2)
    assert cloud.asked == []


def test_targets_exclude_each_other(shop: Project, database_url: str) -> None:
    shop.run("reset", "--project-ref", REF, "--db-url", database_url, code=2)
    shop.run("push", "--project-ref", REF, "--local", code=2)


def test_a_password_can_be_typed_where_no_temporary_role_can_be_had(shop: Project, cloud: Cloud) -> None:
    cloud.fault("/cli/login-role", Reply(403, {"message": "Forbidden resource"}))
    typed = shop.extra["SUPABASE_DB_PASSWORD"]
    code, said = on_a_terminal(shop, ["push", "--project-ref", REF, "--dry-run"], typed)
    assert code == 0, said
    assert f"Database password of {TARGET.removeprefix('Target: ')}" in said and typed not in said


def on_a_terminal(project: Project, words: list[str], typed: str) -> tuple[int, str]:
    """Run promthctl with a terminal to ask on, and type a line when it asks."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(project.command()[0], project.command(*words), project.environment(SUPABASE_DB_PASSWORD=""))
    said = b""
    try:
        while chunk := os.read(terminal, 4096):
            said += chunk
            if typed and chunk.rstrip().endswith(b":") and b"password" in said:
                os.write(terminal, f"{typed}\n".encode())
                typed = ""
    except OSError:  # the terminal's end, on Linux
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()
