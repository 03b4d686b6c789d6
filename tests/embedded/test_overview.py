"""`promthctl` alone beside a running stack: what its database says of the migrations."""

from __future__ import annotations

from tests.promthctl_runner import Project


def test_the_database_of_the_running_stack_says_what_is_applied(running: Project) -> None:
    shown = running.json()
    assert shown["local"]["state"] == "running" and shown["local"]["engine"] == "embedded"
    assert (shown["migrations"]["applied"], shown["migrations"]["pending"]) == (["001", "002", "003"], [])
    assert [each["command"] for each in shown["next"]] == ["promthctl verify"]
    (running.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    (running.path / "db").mkdir()
    for name in ("001_initial_schema", "002_agent_chain_schema", "004_more"):
        (running.path / "db" / f"{name}.sql").write_text("select 1;")
    (running.path / "supabase" / "migrations" / "003_add_metadata_and_cli_sessions.sql").unlink()
    shown = running.json()
    assert shown["migrations"]["pending"] == ["004_more.sql"] and shown["migrations"]["without_file"] == ["003"]
    assert "1 pending" in running.run().stdout
    running.run("local", "down")
    shown = running.json()
    assert (shown["local"]["state"], shown["migrations"]["applied"]) == ("stopped", None)


def test_a_new_project_s_template_is_proven_and_can_be_undone(project: Project) -> None:
    project.run("init")
    project.run("migrations", "new", "create_order", "--template", "table")
    project.up()
    done = project.run("verify", "--fail-on", "advice", code=None)
    assert done.returncode == 0, done.stdout
    project.run("migrations", "down", "--missing", code=None)
    undone = project.run("rollback", "--to", "0", "--yes")
    assert "002_create_order.down.sql" in undone.stdout
    left = project.json("sql", "select count(*) from pg_tables where schemaname = 'public'")
    assert left["results"][0]["rows"] == [{"count": 0}]
