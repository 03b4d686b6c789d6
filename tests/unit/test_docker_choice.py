"""Which engine a command is for, and what is remembered of a stack on Docker."""

from __future__ import annotations

import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promthctl import engines, settings
from promthctl.engines import StartOptions
from promthctl.engines.docker.records import DockerRecords, DockerStack
from promthctl.engines.embedded.engine import EmbeddedEngine
from promthctl.errors import PrerequisiteError, PromthctlError, RefusedError, UsageError
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Silent
from tests.unit.docker_daemon import serving, stream

NOWHERE = {"DOCKER_HOST": "unix:///nowhere.sock"}
STACK = DockerStack(
    project="p",
    folder="/set/below",
    services=("db", "gateway"),
    ports={"db": 54322, "gateway": 54321},
    bind="127.0.0.1",
    major=17,
    started=("db", "gateway"),
    api_url="http://127.0.0.1:54321",
    db_url="postgresql://postgres:postgres@127.0.0.1:54322/postgres",
    anon_key="not-a-real-anon-key",
    service_role_key="not-a-real-service-key",
)


def pick(here: Settings, name: str | None = None, **options: Any) -> tuple[str, str]:
    engine, why = engines.pick(name, here, StartOptions(**options), Silent())
    return engine.name, why


def remembered(here: Settings, name: str) -> None:
    here.state_dir.mkdir()
    engines.record_engine(here, name)


def test_without_a_daemon_auto_is_embedded_and_says_why(tmp_path: Path) -> None:
    why = "no Docker daemon answers at unix:///nowhere.sock (DOCKER_HOST): there is no such socket"
    assert pick(Settings(tmp_path, NOWHERE)) == ("embedded", why)
    assert list(tmp_path.iterdir()) == []


def test_the_flag_goes_first_then_configuration_then_what_was_before(tmp_path: Path) -> None:
    here = Settings(tmp_path, NOWHERE)
    assert engines.recorded_engine(here) is None
    remembered(here, "docker")
    assert pick(here) == ("docker", "as before")
    assert pick(here, "auto") == ("docker", "as before")
    configured = replace(here, engine="embedded")
    assert pick(configured) == ("embedded", "chosen in pyproject.toml")
    assert pick(replace(configured, env={**NOWHERE, "PROMTHCTL_ENGINE": "embedded"})) == (
        "embedded",
        "chosen in PROMTHCTL_ENGINE",
    )
    assert pick(configured, "docker") == ("docker", "chosen with --engine")
    assert engines.current(configured).name == "docker"  # what is there, not what would be started
    engines.forget_engine(here)
    assert engines.current(configured).name == "embedded" and engines.current(here).name == "embedded"


@pytest.mark.parametrize(("file", "engine"), [("stack.json", "embedded"), ("docker.json", "docker")])
def test_where_the_choice_is_not_recorded_the_stack_tells(tmp_path: Path, file: str, engine: str) -> None:
    here = Settings(tmp_path, NOWHERE)
    here.state_dir.mkdir()
    (here.state_dir / file).write_text("{}")  # of a clone
    assert engines.recorded_engine(here) is None
    StateDir(here.state_dir).write(file, {})
    assert engines.recorded_engine(here) == engine and pick(here) == (engine, "as before")


@pytest.mark.parametrize("content", ["", "[]", '{"engine": "podman"}', '{"engine": 7}'])
def test_a_damaged_record_is_none(tmp_path: Path, content: str) -> None:
    here = Settings(tmp_path, NOWHERE)
    here.state_dir.mkdir()
    engines.record_engine(here, "embedded")
    (here.state_dir / "engine.json").write_text(content)
    assert engines.recorded_engine(here) is None


def test_the_other_engine_is_refused_while_the_stack_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Settings(tmp_path, NOWHERE)
    remembered(here, "embedded")
    assert pick(here, "docker")[0] == "docker"
    service = engines.Service("postgres", "running")
    status = engines.Status("embedded", False, None, None, (service,), None)
    monkeypatch.setattr(EmbeddedEngine, "status", lambda *_: status)
    with pytest.raises(RefusedError, match="the embedded stack of this project runs") as caught:
        pick(here, "docker")
    assert caught.value.hint.startswith("promthctl local down")
    assert pick(here)[0] == "embedded"


@pytest.mark.parametrize("wish", [{"bind": "0.0.0.0"}, {"services": "all"}])
def test_what_only_docker_knows_is_refused_on_the_embedded_engine(tmp_path: Path, wish: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="is for the Docker engine"):
        pick(Settings(tmp_path, NOWHERE), **wish)
    assert pick(Settings(tmp_path, NOWHERE), offline=True)[0] == "embedded"  # it pulls nothing


def test_configuration_names_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMTHCTL_ENGINE", raising=False)
    assert settings.load(tmp_path).engine == "auto"
    (tmp_path / "pyproject.toml").write_text('[tool.promthctl]\nengine = "docker"\n')
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase" / "config.toml").write_text('project_id = "shop"\n[studio]\nenabled = false\n')
    loaded = settings.load(tmp_path)
    assert loaded.engine == "docker" and loaded.supabase["studio"] == {"enabled": False}
    monkeypatch.setenv("PROMTHCTL_ENGINE", "embedded")
    assert settings.load(tmp_path).engine == "embedded"
    monkeypatch.setenv("PROMTHCTL_ENGINE", "podman")
    with pytest.raises(UsageError, match="PROMTHCTL_ENGINE takes auto, embedded, docker"):
        settings.load(tmp_path)
    monkeypatch.delenv("PROMTHCTL_ENGINE")
    (tmp_path / "pyproject.toml").write_text("[tool.promthctl]\nengine = 7\n")
    with pytest.raises(UsageError, match=r"\[tool.promthctl\] engine takes"):
        settings.load(tmp_path)


# docker.json


def records(tmp_path: Path, name: str = "project") -> DockerRecords:
    found = DockerRecords(tmp_path / name / ".promthctl")
    found.path.mkdir(parents=True)
    return found


def test_a_stack_is_remembered_and_its_keys_are_secret(tmp_path: Path) -> None:
    from promthctl.redact import redact

    kept = records(tmp_path)
    stack = replace(STACK, folder=str(kept.path))
    kept.save_stack(stack)
    assert kept.load_stack("p") == stack and (kept.path / "docker.json").stat().st_mode & 0o777 == 0o600
    assert "not-a-real" not in redact("not-a-real-anon-key not-a-real-service-key") and "not-a-real" not in repr(stack)


@pytest.mark.parametrize(
    "damage",
    [
        {"services": ["db", "nosuch"]},
        {"ports": {"db": "54322"}},
        {"ports": {"db": 99999}},
        {"major": "17"},
        {"project": ""},
        {"api_url": 5},
        {"unknown": 1},
        {"services": 3},
        {"ports": []},
    ],
)
def test_a_damaged_record_of_a_stack_is_none(tmp_path: Path, damage: dict[str, Any]) -> None:
    kept = records(tmp_path)
    kept.save_stack(replace(STACK, folder=str(kept.path)))
    file = kept.path / "docker.json"
    kept.write(file.name, kept.read(file.name) | damage)
    assert kept.load_stack("p") is None


def test_a_copied_folder_has_no_stack_and_a_moved_one_keeps_it(tmp_path: Path) -> None:
    original, copy = records(tmp_path), records(tmp_path, "copy")
    stack = replace(STACK, folder=str(original.path))
    original.save_stack(stack)
    copy.save_stack(stack)
    assert original.load_stack("p") == stack and copy.load_stack("p") is None
    assert copy.original("p") == original.path.parent and original.original("p") is None
    assert copy.original("another name, given to the copy") is None
    assert copy.former_name("another name, given to the copy") is None and original.former_name("a new name") == "p"
    (original.path / "docker.json").unlink()
    assert copy.load_stack("p") == stack and copy.original("p") is None
    shutil.copy(copy.path / "docker.json", original.path)
    assert original.load_stack("p") is None


def test_a_copy_does_not_touch_the_originals_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promthctl.engines.docker.engine import DockerEngine
    from promthctl.engines.docker.project import DockerProject

    original, copy = records(tmp_path), records(tmp_path, "copy")
    here = Settings(copy.path.parent, NOWHERE, supabase={"project_id": "p"})
    for kept in (original, copy):
        kept.save_stack(replace(STACK, folder=str(original.path)))
    monkeypatch.setattr(DockerProject, "containers", lambda *_: ())
    with pytest.raises(PromthctlError, match=f"{original.path.parent} has it") as caught:
        DockerEngine(here).down(purge=True, steps=Silent())
    assert "SUPABASE_PROJECT_ID in .env" in caught.value.hint


@pytest.mark.parametrize(
    ("mine", "theirs", "there", "refused"),
    [
        (False, True, True, True),  # another clone's database
        (False, False, True, True),  # of a clone that has lost its record
        (True, False, True, False),  # moved, and something new is where it was
        (True, True, True, True),  # another clone has made it again
        (True, False, False, False),  # moved
        (False, False, False, True),  # nobody knows any more whose it is
    ],
)
def test_whose_a_database_is_follows_from_its_label_and_the_records(
    tmp_path: Path, mine: bool, theirs: bool, there: bool, refused: bool
) -> None:
    from promthctl.engines.docker.engine import DockerEngine

    own, other = records(tmp_path, "own"), DockerRecords(tmp_path / "other" / ".promthctl")
    if there:
        other.path.mkdir(parents=True)
    for kept, exists in ((own, mine), (other, theirs)):
        if exists:
            kept.save_stack(replace(STACK, folder=str(kept.path)))
    removed: list[str] = []
    answers: dict[str, Any] = {
        "/containers/json": [],
        "/networks": [],
        "/volumes": lambda _: {"Volumes": [] if removed else [{"Name": "supabase_db_p"}]},
        "/volumes/promthctl_p": {"Name": "promthctl_p", "Labels": {"promthctl.folder": str(other.path)}},
        "/volumes/supabase_db_p": lambda target: [removed.append(target)],  # only its removal asks for it
    }
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    with serving(answers) as served:
        env = {"DOCKER_HOST": served.url, "PATH": str(tmp_path)}
        engine = DockerEngine(Settings(own.path.parent, env, supabase={"project_id": "p"}))
        if refused:
            with pytest.raises(RefusedError):
                engine.down(purge=True, steps=Silent())
        else:
            engine.down(purge=True, steps=Silent())
    assert (own.path / "docker.json").exists() == (mine and refused)


@pytest.mark.parametrize("given", ["", 5, "ทดสอบ", "___"])
def test_a_project_id_that_is_no_name_is_refused(tmp_path: Path, given: Any) -> None:
    from promthctl.engines.docker.engine import DockerEngine

    here = Settings(tmp_path, NOWHERE, supabase={"project_id": given})
    with pytest.raises(UsageError, match="cannot be a name on Docker"):
        DockerEngine(here).up(lambda *_: None, Silent())
    named = Settings(tmp_path, {**NOWHERE, "SUPABASE_PROJECT_ID": "clone two"}, supabase={"project_id": given})
    assert DockerEngine(named).project.name == "clone_two"
    assert not DockerEngine(here).has_containers()  # what only asks for it does not complain


def test_a_folder_only_its_owner_may_look_into_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promthctl.engines.docker.containers import is_there

    assert is_there(tmp_path) and not is_there(tmp_path / "nowhere")

    def forbidden(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "stat", forbidden)
    assert is_there(tmp_path / "someone's")


def test_what_the_cli_prints_completes_the_record() -> None:
    begun = replace(STACK, started=(), unfinished=True, api_url="", db_url="", anon_key="", service_role_key="")
    assert begun.access() is None
    values = {"DB_URL": STACK.db_url, "ANON_KEY": STACK.anon_key, "SERVICE_ROLE_KEY": STACK.service_role_key}
    assert begun.completed(values, ["db", "gateway"]) == STACK  # with the API's URL from its port
    assert begun.completed(values | {"API_URL": "http://x", "STUDIO_URL": "http://s"}, []).studio_url == "http://s"
    assert STACK.starts_like(replace(begun, started=())) and not STACK.starts_like(replace(STACK, bind="0.0.0.0"))


# Which Supabase CLI the Docker engine runs

QUIET_MACHINE: dict[str, Any] = {
    "/containers/json": [],
    "/images/json": [],
    "/networks": [],
    "/volumes": {"Volumes": []},
    "/info": {"MemTotal": 64 * 1024**3, "DockerRootDir": "/nowhere"},
}


def with_cli(folder: Path, url: str, version: str, services: str) -> Settings:
    """Settings whose --supabase-cli is a program of that version that prints `services`, its runs in folder/runs."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "docker").write_text("#!/bin/sh\n")
    (programs / "supabase").write_text(f"""#!/bin/sh
[ "$1" != --version ] || {{ echo {version}; exit; }}
echo "$1 $DOCKER_HOST" >>'{folder}/runs'
echo '{services}'
""")
    for program in programs.iterdir():
        program.chmod(0o755)
    env = {"DOCKER_HOST": url, "PATH": str(programs), "HOME": str(folder)}
    cli = str(programs / "supabase")
    return Settings(folder, env, supabase={"project_id": "p"}, supabase_cli=cli, cache_dir=folder / "cache")


LISTED = [
    "supabase/postgres",
    "supabase/gotrue",
    "postgrest/postgrest",
    "supabase/realtime",
    "supabase/storage-api",
    "supabase/studio",
    "supabase/postgres-meta",
]
SERVICES_PRINTED = json.dumps([{"name": name, "local": "1", "remote": ""} for name in LISTED])


@pytest.mark.parametrize("version", ["2.122.1", "3.1.0"])
def test_the_docker_engine_uses_the_cli_that_is_named(tmp_path: Path, version: str) -> None:
    with serving(QUIET_MACHINE) as served:
        here = with_cli(tmp_path, served.url, version, f'{{"services": {SERVICES_PRINTED}}}')
        served.answers["/images/create"] = stream({"status": "Pulling from supabase/gotrue", "id": "1"})
        assert pick(here, api_port=0, db_port=0) == ("docker", "Docker answers (28.2.2)")
        assert (tmp_path / "runs").read_text() == f"services {served.url}\n"


@pytest.mark.parametrize("registry", ["refuses", "hangs", "is unknown"])
def test_auto_is_embedded_when_docker_cannot_pull(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str
) -> None:
    from promthctl.engines.docker import engine

    monkeypatch.setattr(engine, "_PULL_SECONDS", 1.0)
    over = threading.Event()

    def answer(_: str) -> Any:
        if registry == "hangs":
            over.wait(20)
        if registry == "refuses":
            return stream({"status": "Trying to pull from it"}, {"error": "dial tcp: connection refused"})
        return 500, {"message": "lookup registry.test: no such host"}

    with serving(QUIET_MACHINE | {"/images/create": answer}) as served:
        here = with_cli(tmp_path, served.url, "3.1.0", f'{{"services": {SERVICES_PRINTED}}}')
        begin = time.monotonic()
        name, why = pick(here, api_port=0, db_port=0)
        assert name == "embedded" and why.startswith("Docker cannot pull images: ") and "\n" not in why
        assert time.monotonic() - begin < 10
        over.set()
        assert pick(here, "docker", api_port=0, db_port=0) == ("docker", "chosen with --engine")


def test_images_that_are_here_need_no_registry(tmp_path: Path) -> None:
    from promthctl.engines.docker import images

    names = [f"{repository}:1" for repository in LISTED] + list(images.UNLISTED.values())
    here = [{"RepoTags": [f"public.ecr.aws/supabase/{name.rpartition('/')[2]}"]} for name in names]
    with serving(QUIET_MACHINE | {"/images/json": here, "/images/create": (500, {"message": "blocked"})}) as served:
        configured = with_cli(tmp_path, served.url, "3.1.0", f'{{"services": {SERVICES_PRINTED}}}')
        assert pick(configured, api_port=0, db_port=0)[0] == "docker"
        assert not [target for target in served.asked if "/images/create" in target]


def test_an_unknown_docker_context_is_an_error(tmp_path: Path) -> None:
    here = Settings(tmp_path, {"DOCKER_CONTEXT": "nosuch", "DOCKER_CONFIG": str(tmp_path)})
    for name in (None, "auto"):
        with pytest.raises(UsageError, match="There is no Docker context 'nosuch'"):
            pick(here, name)
    (tmp_path / "config.json").write_text('{"currentContext": "removed"}')
    engine, why = pick(Settings(tmp_path, {"DOCKER_CONFIG": str(tmp_path)}))
    assert engine == "embedded" and "config.json names it" in why


def test_the_docker_engine_stops_its_stack_by_the_cli_that_is_named(tmp_path: Path) -> None:
    from promthctl.engines.docker.engine import DockerEngine

    container = {
        "Id": "1",
        "Names": ["/supabase_db_p"],
        "State": "running",
        "Labels": {"com.supabase.cli.project": "p"},
    }
    with serving(QUIET_MACHINE | {"/containers/json": [container]}) as served:
        here = with_cli(tmp_path, served.url, "2.100.0", "")
        assert DockerEngine(here).down(purge=False, steps=Silent())
        assert (tmp_path / "runs").read_text() == f"stop {served.url}\n"


def test_a_cli_that_is_missing_is_not_replaced_by_another(tmp_path: Path) -> None:
    with serving(QUIET_MACHINE) as served:
        here = replace(with_cli(tmp_path, served.url, "3.1.0", ""), supabase_cli=str(tmp_path / "nowhere"))
        with pytest.raises(PrerequisiteError, match="nowhere cannot be used"):
            pick(here, api_port=0, db_port=0)
        chosen, _ = engines.pick("docker", here, StartOptions(api_port=0, db_port=0), Silent())
        with pytest.raises(PrerequisiteError, match="nowhere cannot be used") as caught:
            chosen.up(lambda *_: None, Silent())
        assert "--supabase-cli pinned" in caught.value.hint


def test_an_early_v2_cannot_start_the_docker_engine(tmp_path: Path) -> None:
    with serving(QUIET_MACHINE) as served:
        here = with_cli(tmp_path, served.url, "2.100.0", SERVICES_PRINTED)
        engine, why = pick(here, api_port=0, db_port=0)
        assert engine == "embedded" and "answers differently from 2.122 and 3.x" in why
        chosen, _ = engines.pick("docker", here, StartOptions(api_port=0, db_port=0), Silent())
        with pytest.raises(PrerequisiteError, match="cannot run the local stack on Docker") as caught:
            chosen.up(lambda *_: None, Silent())
        assert "--supabase-cli pinned" in caught.value.hint
