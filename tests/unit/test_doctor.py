"""`promthctl doctor`: what it finds, what --fix does, and that its report gives nothing away."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from promthctl.engines.ports import free_port
from tests import fork_server
from tests.promthctl_runner import Project, data

CANARY = "c4n4ry"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Its tools are not installed, so that nothing is run."""
    (tmp_path / "home").mkdir()
    project = Project(
        tmp_path / "app", {"HOME": str(tmp_path / "home"), "PROMTHCTL_CACHE_DIR": str(tmp_path / "cache")}
    )
    (project.path / "supabase").mkdir(parents=True)
    ports(project, free_port(), free_port())
    return project


def ports(project: Project, api: int, database: int, more: str = "") -> None:
    text = f"[api]\nport = {api}\n[db]\nport = {database}\n{more}"
    (project.path / "supabase" / "config.toml").write_text(text)


def run(project: Project, words: str, **env: str) -> tuple[int, str, str]:
    done = fork_server.run(words.split(), project.environment(**env), project.path)
    return done.returncode, done.stdout, done.stderr


def findings(project: Project, words: str = "doctor", code: int = 0, **env: str) -> dict[str, list[dict[str, Any]]]:
    """By check."""
    ended, shown, told = run(project, f"{words} --json", **env)
    assert ended == code, shown + told
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in data(shown)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_a_machine_in_order_is_ready(project: Project) -> None:
    found = findings(project)
    files = {".env", "Permissions", "Migrations", "config.toml", "Login", "Engine", "Ports"}
    assert set(found) == {"Python", "Memory", "Node.js", "Tools", "Docker", "Disk"} | files
    assert found["Tools"][0]["fix"] == "promthctl local up" and "Supabase CLI" in found["Tools"][0]["detail"]
    shown = run(project, "doctor")[1]
    assert "Ready, " in shown and " fix " in shown


def test_a_port_of_another_program_is_a_failure(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports(project, other.getsockname()[1], free_port())
        taken, free = findings(project, code=3)["Ports"]
    assert taken["level"] == "failure" and "(pid " in taken["detail"] and "--api-port 0" in taken["fix"]
    assert free["level"] == "ok"


def test_files_that_cannot_be_read_are_told_beside_the_machine(project: Project) -> None:
    (project.path / "pyproject.toml").write_text("[tool.promthctl]\npostgres = 9\n")
    found = findings(project, code=3)
    assert "PostgreSQL 9" in found["Project"][0]["detail"] and found["Python"][0]["level"] == "ok"


def test_a_target_that_does_not_answer_is_told(project: Project) -> None:
    found = findings(project, "doctor --db-url postgresql://postgres@127.0.0.1:1/x", code=3)
    assert found["Target"][0]["level"] == "failure"


def test_the_safe_fixes_are_done_and_looked_at_again(project: Project) -> None:
    dotenv, state = project.path / ".env", project.path / ".promthctl"
    dotenv.write_text(f"ENCRYPTION_SECRET={CANARY}-secret\nEMPTY=\n")
    dotenv.chmod(0o644)
    state.mkdir(mode=0o755)
    (project.path / "database" / "migrations").mkdir(parents=True)
    (project.path / "database" / "migrations" / "001_a.sql").write_text("select 1;")
    (project.path / "supabase" / "migrations").mkdir()
    ports(project, free_port(), free_port(), "[studio]\nenabled = true\n[stodio]\nenabled = true\n")
    found = findings(project)
    assert [each["level"] for each in found[".env"]] == ["ok", "warning"]
    assert found[".env"][0]["detail"] == "sets ENCRYPTION_SECRET; empty: EMPTY"
    assert found["Permissions"][0]["level"] == found["Migrations"][0]["level"] == "warning"
    assert "stodio" in found["config.toml"][0]["detail"] and "ignored" in found["config.toml"][1]["detail"]
    again = findings(project, "doctor --fix")
    levels = [each["level"] for name in (".env", "Permissions", "Migrations") for each in again[name]]
    assert levels == ["ok", "ok", "ok"]
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600 and stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (project.path / "supabase" / "migrations" / "001_a.sql").exists()


def test_the_report_gives_no_secret_away(project: Project) -> None:
    """Secrets where people have them, under names that say so and names that do not; each has the canary in it."""
    (project.path / ".env").write_text(
        f"ENCRYPTION_SECRET={CANARY}-1-secret\nMY_NOTE={CANARY}-2-note\nPGPASSWORD={CANARY}-3-password\n"
        f"broken {CANARY}-4\n"
        f'QUOTED="{CANARY}-5 with words"\nDATABASE_URL=postgresql://u:{CANARY}-6@h.example.com/d\n'
    )
    config = (
        f'[auth.external.github]\nenabled = true\nclient_id = "{CANARY}-7"\nsecret = "{CANARY}-8-secret"\n'
        f'[auth.sms.twilio]\nauth_token = "{CANARY}-9"\n[edge_runtime.secrets]\n{CANARY}_10 = "x"\n'
        f'[db.vault]\n{CANARY}_11 = "value"\n[db.seed]\nsql_paths = ["./{CANARY}-12.sql"]\n'
        f'[storage]\nfile_size_limit = "{CANARY}-13"\n'
    )
    ports(project, free_port(), free_port(), config)
    env = {
        "SUPABASE_ACCESS_TOKEN": f"{CANARY}-14-token",
        "OPENAI_API_KEY": f"sk-{CANARY}-15",
        "HARMLESS": f"{CANARY}-16",
    }
    url = f"postgresql://me:{CANARY}-17@127.0.0.1:1/{CANARY}-18?sslpassword={CANARY}-19"
    code, shown, told = run(project, f"doctor --bundle report.json --db-url {url}", **env)
    assert code == 3 and f"{CANARY}-17" not in shown + told and f"{CANARY}-19" not in shown + told
    report = project.path / "report.json"
    text = report.read_text()
    assert CANARY not in text
    assert json.loads(text)["findings"] and stat.S_IMODE(report.stat().st_mode) == 0o600
    (project.path / "supabase" / "config.toml").write_text(f'[api]\nport = "{CANARY}-20"\nmax_rows = "{CANARY}-21"\n')
    run(project, "doctor --bundle report.json", **env)
    assert CANARY not in report.read_text()
