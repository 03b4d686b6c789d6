"""A PostgreSQL of this machine made ready for Supabase's migrations, without a change to its own folders.

    <cache>/postgres/installed-<major>-<hash of its place and our stand-ins>/
      …/bin/postgres, …/bin/initdb      copies: PostgreSQL looks for the rest of itself from where its program is
      …/share/extension/                links to its extensions, and our stand-ins for what it has not got
      everything else                   links

The folders are as far apart as the real ones are, because PostgreSQL finds one from the other (make_relative_path in
src/port/path.c). The place stays the same, so that a server that runs meets an extension that is installed meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from promthctl.toolchain import installation
from promthctl.toolchain.installed import InstalledPostgres

_PROGRAMS = ("postgres", "initdb")
_MARK = ".linked"  # holds the fingerprint of what link() last made
_LAYOUT = 1  # another number for another way of making it


def place(cache: Path, server: InstalledPostgres) -> Path:
    """The folder of the copy: another one for other stand-ins, as of another promthctl that shares the cache."""
    where = hashlib.sha256(f"{server.programs}\0{installation.fingerprint()}".encode()).hexdigest()[:12]
    return cache / "postgres" / f"installed-{server.major}-{where}"


def programs(root: Path, server: InstalledPostgres) -> Path:
    """The folder of the copied programs."""
    return _inside(root, server, server.programs)


def is_linked(root: Path, server: InstalledPostgres) -> bool:
    """True when the copy is there and the server, its extensions and our stand-ins are still what it was made from."""
    try:
        return (root / _MARK).read_text(encoding="utf-8") == _fingerprint(server)
    except OSError:
        return False


def link(root: Path, server: InstalledPostgres, pgtap: Path | None = None) -> None:
    """Make the copy, or bring it up to date. The caller holds a lock. pgtap: see add_extensions. Raises OSError."""
    share = _inside(root, server, server.share)
    for folder in (programs(root, server), share):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in _PROGRAMS:
        _copy(server.programs / name, programs(root, server) / name)
    _link(_inside(root, server, server.libraries), server.libraries)
    for folder in (server.programs.parent, server.share):  # a relocatable build has its libraries beside bin/
        _link_entries(root, server, folder)
    _make_extensions(share / "extension", server, pgtap)
    mark = root / _MARK
    mark.write_text(_fingerprint(server), encoding="utf-8")


def _link_entries(root: Path, server: InstalledPostgres, folder: Path) -> None:
    """Link what is in a folder, but for what the copy has folders of its own for."""
    own = (server.programs, server.share / "extension")
    for entry in folder.iterdir():
        if any(path.is_relative_to(entry) for path in (*own, server.libraries.parent)):
            if entry not in own:
                _link_entries(root, server, entry)
        else:
            _link(_inside(root, server, entry), entry)


def _make_extensions(folder: Path, server: InstalledPostgres, pgtap: Path | None) -> None:
    """Make the folder of extensions beside the present one, then put it in its place."""
    made, old = folder.with_name(".extension-new"), folder.with_name(".extension-old")
    for leftover in (made, old):
        shutil.rmtree(leftover, ignore_errors=True)
    made.mkdir(mode=0o755)
    for entry in (server.share / "extension").iterdir():
        _link(made / entry.name, entry)
    installation.add_extensions(made, pgtap)
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _inside(root: Path, server: InstalledPostgres, path: Path) -> Path:
    common = os.path.commonpath([server.programs, server.share, server.libraries])
    return root / path.relative_to(common)


def _copy(source: Path, copy: Path) -> None:
    """Replace the copy when it is of another build; one that runs keeps its own file."""
    there, here = source.stat(), copy.stat() if copy.exists() else None
    if here is None or (here.st_size, here.st_mtime_ns) != (there.st_size, there.st_mtime_ns):
        fresh = copy.with_name(f".{copy.name}-new")
        shutil.copy2(source, fresh)
        fresh.chmod(0o755)
        fresh.replace(copy)


def _link(link: Path, target: Path) -> None:
    """Leaves a folder of the copy as it is."""
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    elif link.exists():
        return
    link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    link.symlink_to(target)


def _fingerprint(server: InstalledPostgres) -> str:
    build = (server.programs / "postgres").stat()
    return repr((_LAYOUT, server.identity, build.st_size, build.st_mtime_ns, installation.fingerprint()))
