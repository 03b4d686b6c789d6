"""Pulling images: side by side, tried again, from the next registry, and reported when one cannot be pulled."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from promthctl.engines.docker import daemon, images
from promthctl.engines.docker.daemon import Daemon, Endpoint
from promthctl.engines.docker.images import Image
from promthctl.errors import PrerequisiteError, TargetError
from promthctl.output import Output
from promthctl.settings import Settings
from promthctl.steps import Silent
from tests.unit.docker_daemon import FakeDaemon, serving, stream

REST = Image("rest", ("first.test/rest:1", "second.test/rest:1"))
AUTH = Image("auth", ("first.test/auth:2", "second.test/auth:2"))
PULLED = stream(
    {"status": "Pulling from rest", "id": "1"},
    {"status": "Downloading", "id": "layer1", "progressDetail": {"current": 10, "total": 3000}},
    {"status": "Downloading", "id": "layer2", "progressDetail": {"current": 5, "total": 1000}},
    {"status": "Download complete", "id": "layer2"},
    {"status": "Already exists", "id": "layer3"},
    {"status": "Pull complete", "id": "layer1"},
    {"status": "Status: Downloaded newer image for rest:1"},
)


class Seen(Silent):
    """Steps that remember."""

    def __init__(self) -> None:
        self.sizes: list[tuple[str, int, int]] = []
        self.finished: list[str] = []
        self.pulled: dict[str, str] = {}

    def update(self, name: str, done: int, total: int) -> None:
        self.sizes.append((name, done, total))

    def finish(self, name: str) -> None:
        self.finished.append(name)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    monkeypatch.setattr(images, "_PAUSE_SECONDS", 0.0)
    with serving() as daemon:
        yield daemon


def pull(served: FakeDaemon, *wanted: Image) -> Seen:
    seen = Seen()
    client, daemon = APIClient(served.url, version="1.41"), Daemon(Endpoint(served.url), "Docker", "1")
    seen.pulled = images.pull(client, daemon, wanted, seen)
    return seen


def pulls(served: FakeDaemon) -> list[str]:
    return [target.partition("fromImage=")[2] for target in served.asked if "/images/create" in target]


def test_the_bytes_of_all_layers_are_counted(served: FakeDaemon) -> None:
    served.answers["/images/create"] = PULLED
    seen = pull(served, REST, AUTH)
    assert sorted(seen.finished) == ["auth:2", "rest:1"]
    assert [sizes[1:] for sizes in seen.sizes if sizes[0] == "rest:1"] == [
        (10, 3000),
        (15, 4000),
        (1010, 4000),
        (4000, 4000),
    ]
    assert pulls(served) and all("first.test" in target for target in pulls(served))


def test_a_passing_fault_is_tried_again(served: FakeDaemon) -> None:
    def answer(_: str) -> bytes:
        if len(pulls(served)) < 3:
            return stream({"error": "toomanyrequests: slow down"})
        return PULLED

    served.answers["/images/create"] = answer
    assert pull(served, REST).finished == ["rest:1"]
    assert [target.partition("&")[0] for target in pulls(served)] == ["first.test/rest"] * 3


def test_what_one_registry_does_not_have_is_asked_of_the_next(served: FakeDaemon) -> None:
    def answer(target: str) -> Any:
        return (404, {"message": "manifest unknown"}) if "first.test" in target else PULLED

    served.answers["/images/create"] = answer
    assert pull(served, REST).pulled == {"rest": "second.test/rest:1"}
    assert len(pulls(served)) == 2


def test_an_image_nobody_has_is_named_with_every_reason(served: FakeDaemon) -> None:
    reasons = {"first.test/auth": "lookup first.test: no such host", "second.test/auth": "manifest unknown"}

    def answer(target: str) -> Any:
        reason = next((reason for name, reason in reasons.items() if name in target), None)
        return (500, {"message": reason}) if reason else PULLED

    served.answers["/images/create"] = answer
    with pytest.raises(PrerequisiteError, match=r"The image auth:2 could not be pulled") as caught:
        pull(served, REST, AUTH)
    assert caught.value.why == (
        "first.test/auth:2: lookup first.test: no such host\nsecond.test/auth:2: manifest unknown"
    )


def test_a_daemon_that_ends_while_it_pulls_is_told() -> None:
    with serving() as served:
        client = APIClient(served.url, version="1.41")
    with pytest.raises(TargetError, match="stopped answering"):
        images.pull(client, Daemon(Endpoint(served.url), "Docker", "1"), [REST], Silent())


@pytest.mark.parametrize(
    ("registry", "names"),
    [
        ("", ("public.ecr.aws/supabase/kong:2.8.1", "ghcr.io/supabase/kong:2.8.1", "kong:2.8.1")),
        ("docker.io", ("kong:2.8.1",)),
        ("Registry.Test:5000", ("registry.test:5000/supabase/kong:2.8.1",)),
    ],
)
def test_a_registry_of_ones_own_is_the_only_one(tmp_path: Path, registry: str, names: tuple[str, ...]) -> None:
    settings = Settings(tmp_path, {"SUPABASE_INTERNAL_IMAGE_REGISTRY": registry})
    with serving({"/images/json": []}) as served:
        found = images.needed(APIClient(served.url, version="1.41"), ["gateway"], {}, settings)
    assert found.missing == (Image("gateway", names),)


def test_an_image_under_any_of_its_names_will_do(tmp_path: Path) -> None:
    here = [{"RepoTags": ["kong:2.8.1"]}, {"RepoTags": None}, {"RepoTags": ["ghcr.io/supabase/mailpit:v1.31.3"]}]
    with serving({"/images/json": here}) as served:
        client = APIClient(served.url, version="1.41")
        found = images.needed(client, ["gateway", "mail", "vector"], {}, Settings(tmp_path, {}))
    assert found.here == {"gateway": "kong:2.8.1", "mail": "ghcr.io/supabase/mailpit:v1.31.3"}
    assert [image.service for image in found.missing] == ["vector"]


def test_without_a_terminal_each_image_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().downloads("Pulling 1 images", ["rest:1"]) as progress:
        progress.update("rest:1", 10, 12_300_000)
        progress.finish("rest:1")
    assert capsys.readouterr().err == "Pulling 1 images …\n  rest:1 is there, 12 MB downloaded\n"


def test_on_a_terminal_there_is_a_bar_for_each_and_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name, value in {"TERM": "xterm", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    with Output().downloads("Pulling 2 images", ["rest:1", "auth:2"]) as progress:
        progress.update("rest:1", 1_000_000, 4_000_000)
        progress.update("auth:2", 500_000, 1_000_000)
        progress.finish("rest:1")
    last = terminal.getvalue().rpartition("rest:1")[2]
    assert "4.0/4.0 MB" in last and "auth:2" in last and "0.5/1.0 MB" in last
    assert "Pulling 2 images" in last and "1.5/5.0 MB" not in last and "4.5/5.0 MB" in last


def test_the_pings_path_is_the_daemons() -> None:
    with serving() as served:
        assert daemon.is_alive(Daemon(Endpoint(served.url), "Docker", "1"))
        assert served.asked == ["/_ping"]
