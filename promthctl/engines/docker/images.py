"""The images of the chosen services: which the CLI asks for, which are here, and pulling the others side by side."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import trust
from promthctl.engines.docker.daemon import Daemon, answering, is_alive
from promthctl.engines.docker.services import SERVICES
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError
from promthctl.quantities import count
from promthctl.settings import Settings
from promthctl.steps import Progress, Steps

if TYPE_CHECKING:
    from docker import APIClient

# `supabase services` lists the versions of most images; these it leaves out. They are the lines FROM … AS kong and so
# on of the image list inside the pinned CLI, to be updated with it (tests/unit/test_docker_images.py compares them).
UNLISTED = {
    "gateway": "library/kong:2.8.1",
    "mail": "axllent/mailpit:v1.31.3",
    "imgproxy": "darthsim/imgproxy:v3.26.0",
    "vector": "timberio/vector:0.58.0-alpine",
}
_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
# A pull's first lines once the registry has answered; Podman's "Trying to pull" comes before.
_ARRIVING = ("Pulling from", "Pulling fs layer", "Already exists", "Downloading", "Digest:", "Status:")
_UNLIKELY = (
    "not found",
    "manifest unknown",
    "denied",
    "no such host",
    "refused",
    "no matching manifest",
    "unauthorized",
)


@dataclass(frozen=True)
class Image:
    """service: whose it is. names: where it can be pulled from, the CLI's first choice first; any of them will do."""

    service: str
    names: tuple[str, ...]

    @property
    def short(self) -> str:
        return self.names[0].rpartition("/")[2]


@dataclass(frozen=True)
class Images:
    """here: service → the name its image has on this machine. missing: those to pull."""

    here: Mapping[str, str]
    missing: tuple[Image, ...]


def needed(client: APIClient, services: Iterable[str], listed: Mapping[str, str], settings: Settings) -> Images:
    """The images of those services. listed: what `supabase services` says, repository → tag."""
    tags = {repository.rpartition("/")[2]: f"{repository}:{tag}" for repository, tag in listed.items()}
    trust.check_variable(settings, "SUPABASE_INTERNAL_IMAGE_REGISTRY")
    registry = settings.get("SUPABASE_INTERNAL_IMAGE_REGISTRY")
    wanted = [Image(name, _names(UNLISTED.get(name) or tags[SERVICES[name].image], registry)) for name in services]
    known = {tag for image in client.images() for tag in image.get("RepoTags") or ()}
    here = {image.service: name for image in wanted for name in reversed(image.names) if name in known}
    return Images(here, tuple(image for image in wanted if image.service not in here))


def offline(images: Iterable[Image]) -> PrerequisiteError:
    names = ", ".join(image.short for image in images)
    return PrerequisiteError(
        "Some images are not on this machine",
        f"--offline pulls nothing, and these are missing: {names}",
        "leave --offline out once; or: promthctl local up --engine embedded",
    )


def pull(client: APIClient, daemon: Daemon, images: Iterable[Image], steps: Steps) -> dict[str, str]:
    """Pull the images side by side; service → the name its image was pulled by.

    Raises PrerequisiteError naming the first that cannot be pulled. What was pulled stays, also of an image that is
    not complete: the daemon goes on from there.
    """
    waiting = tuple(images)
    stop = threading.Event()
    done: queue.SimpleQueue[tuple[str, str] | BaseException] = queue.SimpleQueue()

    def work(image: Image, progress: Progress) -> None:
        try:
            done.put((image.service, _pull(client, daemon, image, progress, stop)))
        except BaseException as error:
            done.put(error)

    pulled: dict[str, str] = {}
    with steps.downloads(f"Pulling {count(len(waiting), 'image')}", [image.short for image in waiting]) as progress:
        try:
            for image in waiting:  # the daemon itself loads three layers at once; daemon threads end with promthctl
                threading.Thread(target=work, args=(image, progress), daemon=True).start()
            while len(pulled) < len(waiting):
                answer = done.get()
                if isinstance(answer, BaseException):
                    raise answer
                pulled |= [answer]
        finally:
            stop.set()
    return pulled


def check_pullable(client: APIClient, daemon: Daemon, images: Iterable[Image], seconds: float) -> None:
    """Begin to pull one of the images, from all its registries at once, until the first sends something of it.

    Raises PrerequisiteError when none does within that time. A layer that was begun is the daemon's to keep.
    """
    image = min(images, key=lambda image: SERVICES[image.service].disk)
    stop = threading.Event()
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def work(name: str) -> None:
        try:
            answers.put(_why_not(client, daemon, name, stop))
        except BaseException as error:  # a thread has nobody to raise it to
            answers.put(str(error))

    for name in image.names:
        threading.Thread(target=work, args=(name,), daemon=True).start()
    reasons: list[str] = []
    deadline = time.monotonic() + seconds
    try:
        while len(reasons) < len(image.names):
            reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            if reason is None:
                return
            reasons.append(reason)
    except queue.Empty:
        reasons.insert(0, f"no registry answered within {seconds:.0f} seconds")
    finally:
        stop.set()
    raise PrerequisiteError(
        f"{daemon.product} cannot pull the image {image.short}",
        f"{daemon.product} cannot pull images: {reasons[0]}",
        _hint(),
    )


def _why_not(client: APIClient, daemon: Daemon, name: str, stop: threading.Event) -> str | None:
    """Why an image cannot be pulled by that name; None once its registry has sent something of it."""
    repository, _, tag = name.rpartition(":")
    try:
        with answering(daemon):
            for line in client.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in line:
                    return f"{name}: {str(line['error']).strip()}"
                if stop.is_set() or str(line.get("status", "")).startswith(_ARRIVING):
                    return None
    except PromthctlError as error:
        return f"{name}: {error.why}"
    return f"{name}: nothing was sent"


def _pull(client: APIClient, daemon: Daemon, image: Image, progress: Progress, stop: threading.Event) -> str:
    """The name by which the image was pulled."""
    reasons: list[str] = []
    for name in image.names:
        for attempt in range(_ATTEMPTS):
            reason = _pull_once(client, daemon, name, image.short, progress, stop)
            if reason is None:
                progress.finish(image.short)
                return name
            reasons.append(f"{name}: {reason}")
            if any(word in reason for word in _UNLIKELY) or stop.wait(_PAUSE_SECONDS * 2**attempt):
                break
    raise PrerequisiteError(f"The image {image.short} could not be pulled", "\n".join(dict.fromkeys(reasons)), _hint())


def _pull_once(
    client: APIClient, daemon: Daemon, name: str, short: str, progress: Progress, stop: threading.Event
) -> str | None:
    """Pull an image by one of its names; the reason when that fails."""
    repository, _, tag = name.rpartition(":")
    layers = _Layers()
    try:
        with answering(daemon):
            for line in client.pull(repository, tag=tag, stream=True, decode=True):
                if stop.is_set():
                    return "another image failed"
                if "error" in line:
                    return str(line["error"]).strip()
                if layers.take(line):
                    progress.update(short, layers.done, layers.total)
    except TargetError:
        if not is_alive(daemon):
            raise
        return "the download stalled"
    except PromthctlError as error:  # the daemon's message
        return error.why
    return None


class _Layers:
    """The bytes of an image's layers, from the daemon's lines: https://docs.docker.com/reference/api/engine/."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[int, int]] = {}

    @property
    def done(self) -> int:
        return sum(done for done, _ in self._sizes.values())

    @property
    def total(self) -> int:
        return sum(total for _, total in self._sizes.values())

    def take(self, line: Mapping[str, Any]) -> bool:
        """True when the line reports progress."""
        layer, status, detail = line.get("id"), line.get("status"), line.get("progressDetail") or {}
        if status == "Downloading" and layer and detail.get("total"):
            self._sizes[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif status in ("Download complete", "Pull complete") and layer in self._sizes:
            self._sizes[layer] = (self._sizes[layer][1],) * 2
        else:
            return False
        return True


def _names(image: str, registry: str | None) -> tuple[str, ...]:
    """Where the CLI would take an image from, in its order; a registry of one's own is the only one."""
    last, hub = image.rpartition("/")[2], image.removeprefix("library/")
    if registry:
        registry = registry.lower()
        return (hub,) if registry == "docker.io" else (f"{registry}/supabase/{last}",)
    return (f"public.ecr.aws/supabase/{last}", f"ghcr.io/supabase/{last}", hub)


def _hint() -> str:
    return (
        "check the network (docker pull works?) and run it again: what was pulled is kept;"
        " or: promthctl local up --engine embedded"
    )


def disk_needed(images: Iterable[Image]) -> int:
    """Bytes, roughly, that pulling and unpacking them takes."""
    return sum(SERVICES[image.service].disk for image in images) * 1_000_000
