"""The files that `promthctl ci` prints and writes: continuous integration, hooks and containers for a project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Literal

from promthctl.errors import PrerequisiteError, RefusedError
from promthctl.migration_set import replace_file
from promthctl.settings import Settings

CiKind = Literal["github", "gitlab", "pre-commit", "devcontainer", "dockerfile"]
CiState = Literal["written", "replaced", "unchanged"]

# kind → (the file here, where it goes in a project)
CI_FILES: Mapping[CiKind, tuple[str, str]] = {
    "github": ("github.yml", ".github/workflows/promthctl.yml"),
    "gitlab": ("gitlab.yml", ".gitlab-ci.yml"),
    "pre-commit": ("pre-commit.yaml", ".pre-commit-config.yaml"),
    "devcontainer": ("devcontainer.json", ".devcontainer/devcontainer.json"),
    "dockerfile": ("Dockerfile", "Dockerfile"),
}
_THEN: Mapping[CiKind, str] = {
    "github": "open a pull request: its checks are the first run; for the push after a merge, the head of the file "
    "names what to set",
    "gitlab": "open a merge request: its pipeline is the first run; for the push after a merge, the head of the file "
    "names what to set",
    "pre-commit": "pre-commit install",
    "devcontainer": "open the folder in a container: in Visual Studio Code, `Dev Containers: Reopen in Container`",
    "dockerfile": 'docker build -t promthctl . && docker run --rm -v "$PWD:/project" promthctl migrations lint',
}
_SHOWN_LINES = 40
_HERE = PurePosixPath()


@dataclass(frozen=True)
class CiWritten:
    """file: where it is now. state: unchanged is a file that had this text before. next: what to do, in order."""

    kind: CiKind
    file: Path
    state: CiState
    next: tuple[str, ...]


def ci_file(kind: CiKind, folder: PurePosixPath = _HERE) -> str:
    """The text of one of CI_FILES. folder: of the project, from the repository's top; GitHub's runs its steps there."""
    text = (files("promthctl.setting_up") / "ci" / CI_FILES[kind][0]).read_text(encoding="utf-8")
    if kind != "github" or folder == _HERE:
        return text
    text = text.replace("    shell: bash\n", f"    shell: bash\n    working-directory: {folder}\n", 1)
    for report in ("verify.html", "tests.xml"):
        text = text.replace(f"            {report}\n", f"            {folder}/{report}\n", 1)
    return text


def write_ci_file(settings: Settings, kind: CiKind, top: Path | None, force: bool) -> CiWritten:
    """Write one of CI_FILES to where its reader looks for it.

    top: of the git repository, None where there is none: then the project's folder is meant. force: also in place of
    another file. Raises RefusedError where another file is there, PrerequisiteError where none can be written.
    """
    project = settings.project_dir.resolve()
    start = project if top is None else top.resolve()
    folder = PurePosixPath(project.relative_to(start).as_posix()) if project.is_relative_to(start) else _HERE
    file, text = start / CI_FILES[kind][1], ci_file(kind, folder)
    try:
        now = file.read_text(encoding="utf-8", errors="replace") if os.path.lexists(file) else None
        if now is not None and now != text and not force:
            raise _other(kind, file, now, text)
        if now != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, text.encode())
    except OSError as error:
        hint = f"ls -ld {file.parent.parent} {file.parent} shows whose they are; promthctl ci {kind} prints the file"
        raise PrerequisiteError(f"{file} cannot be written", error.strerror or str(error), hint) from None
    state: CiState = "written" if now is None else "unchanged" if now == text else "replaced"
    return CiWritten(kind, file, state, _steps(kind, folder, file.relative_to(start), top is not None))


def _steps(kind: CiKind, folder: PurePosixPath, file: Path, tracked: bool) -> tuple[str, ...]:
    elsewhere = folder != _HERE and kind != "github"
    below = (f"let its commands run in {folder}, where the project is",) if elsewhere else ()
    begin = "" if tracked else "git init && "
    return (*below, f"{begin}git add {file} && git commit", _THEN[kind])


def _other(kind: CiKind, file: Path, now: str, text: str) -> RefusedError:
    from difflib import unified_diff

    lines = [*unified_diff(now.splitlines(), text.splitlines(), "there", f"promthctl ci {kind}", lineterm="", n=1)]
    more = [f"… and {len(lines) - _SHOWN_LINES} more lines"] if len(lines) > _SHOWN_LINES else []
    why = "\n".join((f"{file} is another file:", *lines[:_SHOWN_LINES], *more))
    hint = (
        f"promthctl ci {kind} --write --force puts it in its place; promthctl ci {kind} prints it, to be merged by hand"
    )
    return RefusedError("Nothing was written", why, hint)
