"""The files that `promthctl ci` prints: continuous integration, hooks and containers for a project."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

CiKind = Literal["github", "gitlab", "pre-commit", "devcontainer", "dockerfile"]

# kind → (the file here, where it goes in a project)
CI_FILES: Mapping[CiKind, tuple[str, str]] = {
    "github": ("github.yml", ".github/workflows/promthctl.yml"),
    "gitlab": ("gitlab.yml", ".gitlab-ci.yml"),
    "pre-commit": ("pre-commit.yaml", ".pre-commit-config.yaml"),
    "devcontainer": ("devcontainer.json", ".devcontainer/devcontainer.json"),
    "dockerfile": ("Dockerfile", "Dockerfile"),
}


def ci_file(kind: CiKind) -> str:
    """The text of one of CI_FILES."""
    return (files("promthctl.setting_up") / "ci" / CI_FILES[kind][0]).read_text(encoding="utf-8")
