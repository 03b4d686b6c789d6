"""The template of all data directories: a cluster that has run bootstrap/*.sql once.

It is kept in the cache directory under a hash of what went into it, so that a new project costs a copy (0.1 s) instead
of initdb and the bootstrap (1 s).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from promthctl import process
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import PRELOADED, Cluster, end_strays
from promthctl.engines.embedded.records import SUPERUSER
from promthctl.engines.ports import free_port
from promthctl.errors import PrerequisiteError
from promthctl.locks import locked
from promthctl.migration_set.problems import shell_quote
from promthctl.process import RunAs
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.toolchain import PostgresPrograms, cache_root, installation

_INITDB = ("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256")
# How text is sorted, by version: the first that the build can.
# en_US by ICU sorts as hosted Supabase's en_US.UTF-8 does, on every operating system; not every build has ICU.
_ICU = ("--locale-provider=icu", "--icu-locale=en-US")
_BUILTIN = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_LOCALES: dict[int, tuple[tuple[str, ...], ...]] = {
    14: ((),),
    15: (_ICU, ()),
    16: (_ICU, ("--locale-provider=libc",)),
    17: (_ICU, _BUILTIN),
    18: (_ICU, _BUILTIN),
}
_NO_NAME = "could not look up effective user ID"
_NO_ICU = "ICU is not supported in this build"
_CONFIGURATION = f"""
listen_addresses = '127.0.0.1'
unix_socket_directories = ''          # loopback only, and no limit on the length of the project's path
wal_level = logical                   # as hosted: publications can be made
max_replication_slots = 0             # a slot names a library by its path, and the server would run any file
max_wal_senders = 0
shared_preload_libraries = '{PRELOADED}'
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
client_connection_check_interval = 1000 # a statement ends with its client, also when that was killed
"""


def template(programs: PostgresPrograms, user: RunAs | None, settings: Settings, steps: Steps) -> Path:
    """The folder of the prepared cluster for these programs, made when there is none."""
    root = cache_root(settings) / "templates" / template_hash(programs, user)
    if root.exists():
        with contextlib.suppress(OSError):  # `cache clean` looks when it was used last
            os.utime(root)
        return root
    try:
        with locked(root.parent / "template.lock", steps, "preparing the database"):
            if not root.exists():
                with steps.step("Preparing the database (once)"):
                    _make_template(programs, root, user, settings)
    except OSError as error:
        raise PrerequisiteError(
            "The prepared database could not be kept in the cache directory",
            f"{error.strerror or error}: {error.filename or root.parent}",
            "free some space or choose another cache directory: export PROMTHCTL_CACHE_DIR=/path/you/can/write",
        ) from None
    return root


def _make_template(programs: PostgresPrograms, root: Path, user: RunAs | None, settings: Settings) -> None:
    for folder in (programs.folder, *programs.needs):
        system_user.check_readable(folder, user)
    for leftover in root.parent.glob(".staging-*"):  # of a run that was killed: we hold the lock
        end_strays(leftover)
        shutil.rmtree(leftover, ignore_errors=True)
    root.parent.chmod(0o755)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=root.parent))
    try:
        password_file = staging / "password"
        password = secrets.token_hex(24)
        process.write_private(password_file, password)
        if user is not None:
            for path in (staging, password_file):
                os.chown(path, user.uid, user.gid)
        cluster = Cluster(programs, staging / "data", user, settings)
        _initdb(cluster, password_file)
        with (cluster.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_CONFIGURATION)
        log = staging / "postgres.log"
        port = free_port()
        server = cluster.start(port, log, lambda _: None)
        try:
            cluster.wait(server, log)
            _bootstrap(f"host=127.0.0.1 port={port} user={SUPERUSER} password={password} dbname=postgres")
        finally:
            cluster.stop(server)
        cluster.data.rename(root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _initdb(cluster: Cluster, password_file: Path) -> None:
    arguments = ("-D", cluster.data, "-U", SUPERUSER, "--no-sync", f"--pwfile={password_file}", *_INITDB)
    for locale in _LOCALES[cluster.programs.choice.major]:
        made = cluster.run("initdb", *arguments, *locale)
        if _NO_ICU not in made.stderr:
            break
    if made.code != 0 and _NO_NAME in made.stderr:  # docker run --user 1234, say
        line = f"promthctl:x:{os.geteuid()}:{os.getegid()}::{Path.home()}:/bin/sh"
        raise PrerequisiteError(
            "The database's files could not be made",
            f"PostgreSQL needs a name for its user, and /etc/passwd has none for the id {os.geteuid()}",
            f"as root: echo {shell_quote(line)} >> /etc/passwd ; or run as a user that has a name",
        )
    if made.code != 0:
        raise cluster.failed("The database's files could not be made", made.stderr)


def _bootstrap(conninfo: str) -> None:
    import psycopg

    with psycopg.connect(conninfo, autocommit=True) as connection:
        for script in bootstrap_scripts():
            connection.execute(script.encode())


def bootstrap_scripts() -> Sequence[str]:
    """The Supabase-shaped bootstrap, in order: bootstrap/NN_name.sql."""
    folder = files(__package__) / "bootstrap"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text(encoding="utf-8") for name in names]


def of_each_database() -> str:
    """The part of it that a copy made with CREATE DATABASE … TEMPLATE lacks."""
    return (files(__package__) / "bootstrap" / "15_database.sql").read_text(encoding="utf-8")


def template_hash(programs: PostgresPrograms, user: RunAs | None) -> str:
    """Of everything that the template is made from."""
    choice = programs.choice
    made_from = (str(programs.folder), choice.identity, user, _INITDB, _LOCALES[choice.major], _CONFIGURATION)
    digest = hashlib.sha256(repr(made_from).encode())
    digest.update(installation.fingerprint().encode())
    for script in bootstrap_scripts():
        digest.update(script.encode())
    return digest.hexdigest()[:16]
