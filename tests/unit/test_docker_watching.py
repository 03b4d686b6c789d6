"""A service that does not come up: when it is given up, and what is said of it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from promthctl.engines.docker import containers, diagnosis
from promthctl.engines.docker.daemon import Daemon, Endpoint
from promthctl.engines.docker.diagnosis import Failure
from promthctl.engines.docker.watching import Watch
from promthctl.errors import PromthctlError, TargetError
from tests.unit.docker_daemon import FakeDaemon, Stream, serving


def listed(state: str, status: str, name: str = "supabase_auth_p") -> list[dict[str, Any]]:
    return [{"Id": "1", "Names": [f"/{name}"], "State": state, "Status": status, "Labels": {containers.PROJECT: "p"}}]


def details(restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"RestartCount": restarts, "State": state, "Config": {"Tty": False}}


def log(*lines: str) -> Stream:
    """As the daemon sends it: each piece behind its stream's number and its length."""
    data = "".join(f"{line}\n" for line in lines).encode()
    return Stream(struct.pack(">BxxxL", 2, len(data)) + data)


def watch(served: FakeDaemon, logs: Path, seen: list[str]) -> Watch:
    daemon = Daemon(Endpoint(served.url), "Docker", "1")
    return Watch(APIClient(served.url, version="1.41"), daemon, "p", logs, seen.append)


def test_what_comes_up_is_shown(tmp_path: Path) -> None:
    seen: list[str] = []
    both = listed("running", "Up 1 second (health: starting)") + listed("running", "Up 9 seconds", "supabase_db_p")
    job = listed("exited", "Exited (1) 1 second ago", "nosy_jones")  # the CLI's own affair
    with serving({"/containers/json": [*both, *job]}) as served:
        watch(served, tmp_path, seen)()
    assert seen == ["db ✔  auth …"]


def test_a_service_may_restart_a_few_times(tmp_path: Path) -> None:
    seen: list[str] = []
    with serving({"/containers/json": listed("restarting", "Restarting (3) 1 second ago")}) as served:
        watching = watch(served, tmp_path, seen)
        served.answers["/containers/1/json"] = details(restarts=4)
        served.answers["/containers/1/logs"] = log()
        watching()
        served.answers["/containers/json"] = listed("running", "Up 1 second (unhealthy)")  # left from before
        watching()
        assert seen == ["auth ✘ exit code 3, 4 restarts"] * 2
        served.answers["/containers/json"] = listed("restarting", "Restarting (3) 1 second ago")
        served.answers["/containers/1/json"] = details(restarts=5, ExitCode=0, StartedAt="2026-01-02T03:04:05.5Z")
        served.answers["/containers/1/logs"] = lambda target: log(
            *(() if "since=1767323045.5" in target else ("one",)), "the mail server is missing"
        )
        with pytest.raises(PromthctlError, match="The service auth did not start") as caught:
            watching()
    assert caught.value.why.splitlines() == [
        "it ended with code 3, 5 times in a row",
        "    the mail server is missing",
    ]
    kept = tmp_path / "auth.log"
    assert kept.read_text() == "one\nthe mail server is missing\n" and kept.stat().st_mode & 0o777 == 0o600


def test_an_unhealthy_service_is_given_up_with_its_checks_words(tmp_path: Path) -> None:
    health = {"Status": "unhealthy", "FailingStreak": 3, "Log": [{"Output": "wget: cannot connect\n"}]}
    answers = {
        "/containers/json": listed("running", "Up 31 seconds (unhealthy)"),
        "/containers/1/json": details(ExitCode=0, Health=health),
        "/containers/1/logs": log(),
    }
    with serving(answers) as served, pytest.raises(PromthctlError) as caught:
        watch(served, tmp_path, [])()
    assert (
        caught.value.why == "it runs, but its health check failed 3 times (wget: cannot connect), and printed nothing"
    )


def test_a_container_that_goes_while_it_is_looked_at_is_no_fault(tmp_path: Path) -> None:
    with serving({"/containers/json": listed("restarting", "Restarting (1) 1 second ago")}) as served:
        watch(served, tmp_path, [])()  # the CLI removed it: the daemon knows no details


def test_a_daemon_that_goes_is_told(tmp_path: Path) -> None:
    with serving({"/containers/json": []}) as served:
        watching = watch(served, tmp_path, [])
        watching()
    with pytest.raises(TargetError, match="Docker stopped answering"):
        watching()


@pytest.mark.parametrize(
    ("line", "cause", "mend"),
    [
        ("initdb: error: No space left on device", "the disk is full", "docker system prune"),
        (
            "FATAL:  could not map shared memory: Cannot allocate memory",
            "more memory than there is",
            "give Docker more",
        ),
        ('FATAL:  unrecognized configuration parameter "x"', "does not accept its configuration", "config.toml"),
        ("exec /bin/auth: exec format error", "another kind of processor", "docker image rm"),
        ("FATAL:  database files are incompatible with server", "another PostgreSQL version", "major_version"),
        ('FATAL:  password authentication failed for user "x"', "other passwords", "--purge"),
        ("listen tcp :9999: bind: address already in use", "another program has its port", "--api-port 0"),
        ("dial tcp 172.18.0.2:5432: connect: connection refused", "does not reach another service", "local down"),
        ("could not open file: Permission denied", "may not read or write", "--purge"),
    ],
)
def test_the_likely_cause_comes_with_its_mend(line: str, cause: str, mend: str) -> None:
    error = Failure("db", "it ended with code 1", ("starting", line, "bye")).error()
    assert f"it ended with code 1; likely {cause}" in error.why or cause in error.why.splitlines()[0]
    assert line in error.why and mend in error.hint


def test_lines_are_shown_without_their_time_and_not_too_long() -> None:
    lines = ("2026-11-23 10:51:21.847 UTC [20] FATAL:  bad", "2026-11-23T10:51:21Z hello", "x" * 500)
    shown = Failure("db", "it ended", lines).error().why.splitlines()[1:]
    assert shown[:2] == ["    FATAL:  bad", "    hello"] and len(shown[2]) == 164


def test_what_has_no_known_cause_leads_to_its_log() -> None:
    error = Failure("auth", "it ended with code 1", tuple(f"line {number}" for number in range(30))).error()
    assert error.why.splitlines()[1:] == [f"    line {number}" for number in range(22, 30)]
    assert error.hint.startswith("promthctl local logs auth")


def test_a_service_the_kernel_killed_is_told() -> None:
    failure = diagnosis.of_state("studio", details(restarts=2, ExitCode=137, OOMKilled=True), None, ["hello"])
    assert failure.how == "it was killed with code 137, 2 times in a row"
    assert "likely Docker has too little memory" in failure.error().why


def test_a_secret_in_the_last_lines_is_masked() -> None:
    line = "cannot connect to postgresql://auth:not-a-real-password@db:5432/postgres"
    assert "not-a-real-password" not in Failure("auth", "it ended", (line,)).error().why


def test_the_clis_own_account_of_a_failure_is_understood() -> None:
    said = "Starting database...\nsupabase_db_p container logs:\nline 1\nFATAL: bad\n\nStopping containers...\n"
    failure = diagnosis.of_output(said, "p")
    assert failure is not None and (failure.service, failure.lines) == ("db", ("line 1", "FATAL: bad"))
    assert diagnosis.of_output("failed to create volume\n", "p") is None
