"""Fixtures of all tests: throw-away projects, and the real servers of tests.servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from promthctl import redact
from tests.promthctl_runner import Project
from tests.servers import database_url, js_folder, node, running, server, shared, stack, supabase, tools

__all__ = ["database_url", "js_folder", "node", "running", "server", "shared", "stack", "supabase", "tools"]


pytest_plugins = ("tests.workers",)
# The same examples in every run, however busy the machine is.
hypothesis_settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _secrets_of_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test made secret is not masked in the next."""
    monkeypatch.setattr(redact, "_known", set())
    redact._lately.clear()


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Makes project folders; whatever runs in them is stopped when the test ends, also when it fails."""
    with ExitStack() as projects:

        def make(name: str = "project", **extra: str) -> Project:
            path = tmp_path / name
            path.mkdir(parents=True)
            project = Project(path, extra)
            projects.callback(project.dispose)
            return project

        yield make


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()
