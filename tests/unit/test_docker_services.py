"""Which services are started, how the Supabase CLI is told, and what is asked of a machine for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promthctl.engines.docker import images, network, services
from promthctl.engines.docker.services import DEFAULT, SERVICES
from promthctl.errors import UsageError
from promthctl.process import run
from promthctl.settings import Settings
from promthctl.supabase_cli import Runner
from promthctl.supabase_cli.local_stack import LocalStackCli
from promthctl.toolchain import Toolchain
from tests.unit.docker_daemon import serving


def test_the_default_is_what_configuration_does_not_switch_off() -> None:
    assert services.by_default({}) == DEFAULT
    assert services.by_default({"studio": {"enabled": False}}) == ("db", "rest", "auth", "gateway")
    assert "auth" in services.by_default({"auth": {"enabled": False}})  # its absence would leave no keys


def test_a_list_brings_what_it_cannot_do_without() -> None:
    assert services.chosen("rest", {}) == ("db", "rest", "auth", "gateway")
    assert services.chosen(" studio , vector,", {}) == (
        "db",
        "auth",
        "gateway",
        "studio",
        "meta",
        "analytics",
        "vector",
    )


def test_all_is_what_the_cli_would_start() -> None:
    everything = set(SERVICES)
    assert set(services.chosen("all", {})) == everything - {"imgproxy", "pooler"}
    config = {"storage": {"image_transformation": {"enabled": True}}, "db": {"pooler": {"enabled": True}}}
    assert set(services.chosen("all", config | {"analytics": {"enabled": False}})) == everything - {
        "analytics",
        "vector",
    }


def test_all_has_what_no_stack_can_do_without() -> None:
    assert {"auth", "gateway"} < set(services.chosen("all", {"auth": {"enabled": False}, "api": {"enabled": False}}))


@pytest.mark.parametrize("words", ["db,nosuch", "", ",", "all,db"])
def test_names_that_mean_nothing_are_refused(words: str) -> None:
    with pytest.raises(UsageError):
        services.chosen(words, {})


def test_the_cli_knows_every_name_it_is_told_to_leave_out(tools: Toolchain) -> None:
    helped = run([tools.supabase, "start", "--help"]).stdout
    known = re.search(r"containers to not start\. \[(\S+)\]", helped)
    assert known and set(known[1].split(",")) == {service.exclude for service in SERVICES.values()} - {""}


def test_what_is_chosen_is_not_left_out_and_is_switched_on() -> None:
    left_out = services.exclusions(DEFAULT).split(",")
    assert "realtime" in left_out and not {"", "gotrue", "kong", "postgrest", "studio"}.intersection(left_out)
    assert services.exclusions(SERVICES) == ""
    assert services.switches(("db", "pooler")) == {"SUPABASE_DB_POOLER_ENABLED": "true"}


def test_ports_come_from_the_configuration() -> None:
    config = {"api": {"port": 60001}, "studio": {"port": "wrong"}}
    assert services.configured_ports(DEFAULT, config) == {"db": 54322, "gateway": 60001, "studio": 54323}
    assert services.port_variables({"gateway": 1, "pooler": 2}) == {
        "SUPABASE_API_PORT": "1",
        "SUPABASE_DB_POOLER_PORT": "2",
    }


@pytest.mark.parametrize(
    ("given", "name"), [("My App!", "My_App_"), ("-.x", "x"), ("a" * 50, "a" * 40), ("งาน-1", "1")]
)
def test_a_project_is_named_as_the_cli_does(given: str, name: str) -> None:
    assert services.project_name(given) == name
    assert services.of_container(f"supabase_pg_meta_{name}", name) == "meta"
    assert services.of_container(f"supabase_pg_meta_{name}", f"meta_{name}") is None


@pytest.mark.parametrize("text", ["localhost", "::1", "127.0.0.256", "224.0.0.1", "255.255.255.255", ""])
def test_only_an_address_can_be_bound(text: str) -> None:
    assert network.address(" 127.0.0.1 ") == "127.0.0.1"
    with pytest.raises(UsageError):
        network.address(text)


@pytest.fixture
def listed(tools: Toolchain) -> dict[str, str]:
    """The images the CLI has inside: our service's name → the image, of PostgreSQL 17."""
    inside = re.findall(rb"^FROM (\S+) AS (\w+)$", tools.supabase.read_bytes(), re.MULTILINE)
    theirs = {"pg": "db", "postgrest": "rest", "gotrue": "auth", "kong": "gateway", "pgmeta": "meta"}
    theirs |= {"edgeruntime": "functions", "mailpit": "mail", "logflare": "analytics", "supavisor": "pooler"}
    found = {theirs.get(name.decode(), name.decode()): image.decode() for image, name in inside}
    return {name: image for name, image in found.items() if name in SERVICES}


def test_the_images_are_those_of_the_pinned_cli(tmp_path: Path, tools: Toolchain, listed: dict[str, str]) -> None:
    from docker import APIClient

    here = Settings(tmp_path, {}, cache_dir=tmp_path / "cache")
    cli = LocalStackCli(Runner(tools.supabase, here))
    listed_by_cli = cli.services()
    with serving({"/images/json": []}) as daemon:
        needed = images.needed(APIClient(daemon.url), SERVICES, listed_by_cli, here)
    assert {image.service: image.names[2] for image in needed.missing} == {
        name: image.removeprefix("library/") for name, image in listed.items()
    }
    assert cli.services() == listed_by_cli


def test_a_version_noted_by_link_changes_the_image(tmp_path: Path, tools: Toolchain) -> None:
    cli = LocalStackCli(Runner(tools.supabase, Settings(tmp_path, {}, cache_dir=tmp_path / "cache")))
    before = cli.services()
    (tmp_path / "supabase" / ".temp").mkdir(parents=True)
    (tmp_path / "supabase" / ".temp" / "postgres-version").write_text("17.6.1.005")
    assert cli.services() == before | {"supabase/postgres": "17.6.1.005"}
