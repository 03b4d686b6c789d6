"""Fixtures of all tests: throw-away projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.promthctl_runner import Project


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Makes project folders; whatever runs in them is stopped when the test ends, also when it fails."""
    projects: list[Project] = []

    def make(name: str = "project", **extra: str) -> Project:
        path = tmp_path / name
        path.mkdir(parents=True)
        projects.append(Project(path, extra))
        return projects[-1]

    yield make
    for project in projects:
        project.dispose()


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()
