"""Stand-in images for the official ones, which cannot be pulled everywhere. See ../README.md.

One image under all the tags that the pinned Supabase CLI asks for. Its root file system is this machine's Node.js and
shell with their libraries, the toolchain (PostgreSQL 17), the embedded engine's bootstrap and API
server, and the programs in stand-in/. It is rebuilt only when one of these changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import io
import json
import mmap
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl import settings
from promthctl.engines.embedded.api import rest_settings
from promthctl.engines.embedded.auth_settings import auth_settings
from promthctl.engines.embedded.program import server_program
from promthctl.engines.embedded.storage_settings import storage_settings
from promthctl.engines.embedded.templates import bootstrap_scripts
from promthctl.toolchain import Toolchain, installation

if TYPE_CHECKING:
    from docker import DockerClient

REGISTRY = "public.ecr.aws/supabase"  # where the CLI looks first
# The CLI's list of images is a Dockerfile inside its binary: a line for each, with the service's name at its end.
_LISTED = re.compile(rb"^FROM (\S+):(\S+) AS (\w+)$", re.MULTILINE)
_NOT_SERVICES = {"pg15", "pg14", "differ", "migra", "pgprove"}
LABEL = "promthctl.stand-in"
CACHE = "promthctl-stand-in"  # the repository under which an image is kept by its hash

_PROGRAMS = Path(__file__).parent / "stand-in"
_UNUSED = re.compile(r"node_modules/(@supabase/cli-|@electric-sql|.*\.(map|a|d\.ts)$)")
# The programs of the official images that the CLI calls by name, and the stand-in that answers.
_COMMANDS = {
    "docker-entrypoint.sh": "start.mjs",  # kong's, called from the working directory
    "usr/local/bin/docker-entrypoint.sh": "start.mjs",  # postgres's, found on PATH
    "usr/local/bin/gotrue": "job.mjs",
    "app/bin/realtime": "job.mjs",
    "dist/scripts/migrate-call.js": None,
    "usr/local/bin/pg_isready": "ready.mjs",
    "usr/local/bin/wget": "ready.mjs",
    "usr/local/bin/curl": "ready.mjs",
    "usr/local/bin/kong": "ready.mjs",
    "usr/local/bin/imgproxy": "ready.mjs",
    "mailpit": "ready.mjs",
    "logflare": "serve.mjs",
    "usr/local/bin/vector": "serve.mjs",
    "usr/local/bin/edge-runtime": "serve.mjs",
}
_SYSTEM = ("sh", "cat", "mkdir", "sleep")  # what the CLI's own start scripts call
_FOLDERS = ("tmp", "etc/postgresql-custom", "var/lib/postgresql/data", "var/run/postgresql", "home/kong", "app", "mnt")
_TEXTS = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\npostgres:x:105:106::/var/lib/postgresql:/bin/sh\n",
    "etc/group": "root:x:0:\npostgres:x:106:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    "etc/postgresql/postgresql.conf": "# The Supabase CLI appends to this, then stand-in/database.mjs.\n",
}


@functools.cache
def names(tools: Toolchain) -> tuple[str, ...]:
    """The images that the pinned CLI asks for, as it writes them."""
    with tools.supabase.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as binary:
        found = [[part.decode() for part in match.groups()] for match in _LISTED.finditer(binary)]
    listed = {service: f"{REGISTRY}/{image.rpartition('/')[2]}:{tag}" for image, tag, service in found}
    return tuple(name for service, name in listed.items() if service not in _NOT_SERVICES)


def build(client: DockerClient, tools: Toolchain) -> str:
    """The stand-in image's id; made when there is none with these contents yet."""
    from docker.errors import ImageNotFound

    kept = f"{CACHE}:{_fingerprint(tools)}"
    try:
        return str(client.images.get(kept).id)
    except ImageNotFound:
        pass
    with tempfile.TemporaryFile() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            _fill(tar, tools)
        archive.seek(0)
        repository, _, tag = kept.partition(":")
        client.api.import_image_from_stream(
            iter(lambda: archive.read(1 << 20), b""),
            repository=repository,
            tag=tag,
            changes=[
                f"LABEL {LABEL}={tag}",
                "ENV PATH=/usr/local/bin:/usr/bin:/bin",
                "WORKDIR /",
                'CMD ["node", "/opt/stand-in/serve.mjs"]',
            ],
        )
    for older in client.images.list(name=CACHE):
        for name in older.tags:
            if name.startswith(f"{CACHE}:") and name != kept:
                client.images.remove(name)
    return str(client.images.get(kept).id)


@contextmanager
def named(client: DockerClient, tools: Toolchain) -> Iterator[str]:
    """The stand-in image's id; the official names are on it inside the block.

    Several processes may be inside at a time: the last to leave takes the names off.
    """
    from docker.errors import ImageNotFound

    with (Path(tempfile.gettempdir()) / "promthctl-stand-ins.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        image = build(client, tools)
        tag(client, image, tools)
        try:
            yield image
        finally:
            with contextlib.suppress(BlockingIOError):  # somebody else is inside
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for name in names(tools):
                    with contextlib.suppress(ImageNotFound):
                        client.images.remove(name, force=True)


def tag(client: DockerClient, image: str, tools: Toolchain) -> None:
    """Put the official names on the stand-in."""
    for name in names(tools):
        repository, _, version = name.rpartition(":")
        client.images.get(image).tag(repository, version)
    client.images.prune({"dangling": True, "label": LABEL})  # earlier stand-ins, now without a name


def official(client: DockerClient, tools: Toolchain) -> list[str]:
    """The names under which something else than a stand-in is there: a developer's own images."""
    from docker.errors import ImageNotFound

    found = []
    for name in names(tools):
        try:
            if LABEL not in (client.images.get(name).labels or {}):
                found.append(name)
        except ImageNotFound:
            pass
    return found


def _fingerprint(tools: Toolchain) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(f"{tools.root.name} {installation.fingerprint()}".encode())
    for program in _system(tools):
        told = program.stat()
        digest.update(f"{program} {told.st_size} {told.st_mtime_ns}".encode())
    for name, content in _ours():
        digest.update(name.encode() + content)
    return digest.hexdigest()[:16]


def _system(tools: Toolchain) -> list[Path]:
    """This machine's programs that go into the image."""
    return [tools.node.resolve(), *(Path(shutil.which(name) or f"/bin/{name}").resolve() for name in _SYSTEM)]


def _ours() -> Iterator[tuple[str, bytes]]:
    """The image's files that come from this repository."""
    for file in sorted(_PROGRAMS.iterdir()):
        yield f"opt/stand-in/{file.name}", file.read_bytes()
    yield "opt/toolchain/server.mjs", server_program().encode()
    defaults = {
        "rest": rest_settings(settings.load(Path(__file__).parent)),
        "auth": auth_settings({}),
        "storage": storage_settings({}),
    }
    yield "opt/stand-in/defaults.json", json.dumps(defaults).encode()
    for number, script in enumerate(bootstrap_scripts()):
        yield f"opt/bootstrap/{number:02}.sql", script.encode()
    for name, text in _TEXTS.items():
        yield name, text.encode()
    for name, program in _COMMANDS.items():
        yield name, f'#!/bin/sh\nexec node /opt/stand-in/{program} "$0" "$@"\n'.encode() if program else b""


def _fill(tar: tarfile.TarFile, tools: Toolchain) -> None:
    for folder in _FOLDERS:
        _add_folder(tar, folder)
    system = _system(tools)
    for target, program in zip(("usr/local/bin/node", *(f"bin/{name}" for name in _SYSTEM)), system, strict=True):
        tar.add(program, target)
    native = tools.postgres
    loaded = [*system, *native.glob("bin/*"), *native.glob("lib/**/*.so*")]
    for library in sorted(_libraries(loaded)):
        if not library.is_relative_to(tools.root):
            tar.add(library.resolve(), str(library))
    for extra in (
        "/usr/share/nodejs",
        "/etc/ssl/certs/ca-certificates.crt",
    ):  # Debian's Node.js keeps parts of itself there
        if Path(extra).exists():
            tar.add(Path(extra).resolve(), extra)
    share = f"opt/toolchain/{native.relative_to(tools.root)}/share"
    tar.add(
        tools.root / "node_modules",
        "opt/toolchain/node_modules",
        filter=lambda entry: None if entry.name == share else _needed(entry),
    )
    with tempfile.TemporaryDirectory() as copy:
        installation.copy_with_stand_ins(native, Path(copy), tools.pgtap)
        tar.add(Path(copy) / "share", share, filter=_needed)
    link = tarfile.TarInfo("opt/postgres")
    link.type, link.linkname = tarfile.SYMTYPE, f"/opt/toolchain/{native.relative_to(tools.root)}"
    tar.addfile(link)
    for name, content in _ours():
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o755
        tar.addfile(entry, io.BytesIO(content))


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    return None if _UNUSED.search(entry.name) else entry


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    tar.addfile(entry)


def _libraries(programs: list[Path]) -> set[Path]:
    """Every shared library these load, the loader among them."""
    told = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    ).stdout
    found = {Path(path) for path in re.findall(r"(?:=>\s+|^\s+)(/\S+) \(0x", told, re.MULTILINE)}
    if not found:
        raise RuntimeError("ldd told no libraries: the stand-in images need a glibc Linux")
    for libc in [path for path in found if path.name.startswith("libc.so")]:  # loaded at run time by older ones
        found |= set(libc.parent.glob("libnss_[df]*.so.2"))
    return found
