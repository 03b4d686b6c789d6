"""How a run is spread over worker processes (pytest-xdist), and how nothing a worker started outlives the run.

Each worker has servers and stacks of its own, on free ports and in its own folder; the installed tools and the prepared
databases in promthctl's cache are shared, under promthctl's own locks. The tests of one module share fixtures and so
stay in one worker; those of the Docker engine share a daemon and stay together too.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.promthctl_runner import dispose_all

# The short modules come last: they fill both workers to the end.
_ORDER = ("docker", "embedded", "hostile", "projects", "hosted", "unit")
_END_TIMEOUT = 120  # seconds a worker has to stop its servers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="Also run the tests marked `full`, as .ci/run does.")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(_layer(item))
    left_out = {item for item in items if item.get_closest_marker("full") and not config.option.full}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    if _is_worker(config):
        items.sort(key=lambda item: _ORDER.index(_folder(item)))


def _layer(item: pytest.Item) -> str:
    """The folder's, but a test that needs the installed tools is no unit test."""
    folder = _folder(item)
    needs_tools = "tools" in getattr(item, "fixturenames", ())
    return "embedded" if folder == "unit" and needs_tools else folder


def _folder(item: pytest.Item) -> str:
    return Path(item.nodeid).parts[1]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """0, no worker, for a few tests, which would only wait for workers; otherwise at least two: tests wait a lot."""
    names_a_few = config.option.keyword or any("::" in given for given in config.args)
    if names_a_few or (len(config.args) == 1 and config.args[0].endswith(".py")):
        return 0
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it
    return max(2, os.cpu_count() or 2)


class ByModule(LoadScopeScheduling):  # type: ignore[misc]
    """The tests of a module go to one worker, and all that need a Docker daemon do; each project goes anywhere."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/projects/"):
            return nodeid  # they share no more than a bare server
        return "docker" if nodeid.startswith("tests/docker/") else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByModule:
    return ByModule(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Asked to end, the run stops what it started, as on Ctrl-C, to which a shell's background makes it deaf.

    A worker is asked by the terminal and by the controller: the second time must not interrupt its stopping.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt_once if _is_worker(config) else signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _is_worker(config):
        signal.signal(signal.SIGINT, lambda *_: None)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


_interrupted = threading.Event()


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """A handler also later on: programs would inherit it from a process that ignores the signal."""
    if not _interrupted.is_set():
        _interrupted.set()
        raise KeyboardInterrupt


def pytest_runtest_setup() -> None:
    """Where a test or a library has swallowed the interrupt, the next test notices it."""
    if _interrupted.is_set():
        raise KeyboardInterrupt


def shared_by_workers(factory: pytest.TempPathFactory) -> Path:
    """A folder of this run that all workers see; what is made in it needs a lock."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


_running: list[WorkerController] = []


def pytest_configure_node(node: WorkerController) -> None:
    _running.append(node)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish() -> Iterator[None]:
    """However the run ends, workers first stop what they started; xdist alone would kill them after ten seconds."""
    unfinished = [node for node in _running if not node.channel.isclosed()]
    for node in unfinished:
        node.shutdown()  # for one that waits for tests
        os.kill(node.gateway._rinfo().pid, signal.SIGINT)
    stuck = [node for node in unfinished if not _ended(node)]
    yield
    for node in stuck:
        _dispose(node)


def _ended(node: WorkerController) -> bool:
    try:
        node.channel.waitclose(_END_TIMEOUT)
    except (node.channel.TimeoutError, node.channel.RemoteError):
        return False
    return True


def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """What a worker that died left running is stopped from here."""
    _running.remove(node)
    if error:
        _dispose(node)


def _dispose(node: WorkerController) -> None:
    dispose_all(node.config._tmp_path_factory.getbasetemp() / f"popen-{node.gateway.id}")
