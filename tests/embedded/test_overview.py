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
