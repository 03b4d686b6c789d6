"""PostgreSQL's data directory: made from a template, its passwords set, the server started and stopped.

The template is a cluster that has run bootstrap/*.sql once; it is kept in the cache directory under a hash of what
went into it, so that a new project costs a copy (0.1 s) instead of initdb and the bootstrap (1 s).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from promthctl import process
from promthctl.engines.embedded import system_user
from promthctl.engines.ports import free_port
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.landlock import Confinement
from promthctl.locks import locked
from promthctl.process import ProcessId, RunAs
from promthctl.settings import Settings
from promthctl.sql.quoting import literal
from promthctl.steps import Steps
from promthctl.toolchain import PostgresPrograms, cache_root, installation

SUPERUSER = "supabase_admin"
_REASON = re.compile(r"\b(?:ERROR|FATAL|PANIC):\s+")
_LEFTOVER = ".postgres-partial-"
LOGINS = ("authenticator", "supabase_auth_admin", "supabase_storage_admin", "promthctl_api")
_STRAY_SECONDS = 5.0  # a server process asked to end may be busy for a moment
_START_SECONDS = 60.0  # a crash recovery may have much to replay
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
_NO_ICU = "ICU is not supported in this build"
_PRELOADED = "pg_stat_statements"
_FORGETFUL = [word for name in ("fsync", "full_page_writes", "synchronous_commit") for word in ("-c", f"{name}=off")]
_CONFIGURATION = f"""
listen_addresses = '127.0.0.1'
unix_socket_directories = ''          # loopback only, and no limit on the length of the project's path
wal_level = logical                   # as hosted: publications can be made
max_replication_slots = 0             # a slot names a library by its path, and the server would run any file
max_wal_senders = 0
shared_preload_libraries = '{_PRELOADED}'
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
client_connection_check_interval = 1000 # a statement ends with its client, also when that was killed
"""


@dataclass(frozen=True)
class Cluster:
    """One data directory and the programs that serve it.

    programs: of PostgreSQL. data: the data directory. user: who runs it, None for the present user. throw_away: it runs
    migrations of who knows whom, and connects to nothing.
    """

    programs: PostgresPrograms
    data: Path
    user: RunAs | None
    settings: Settings
    throw_away: bool = False

    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def create(self, steps: Steps, claim: Callable[[Path], None] = lambda _: None) -> None:
        """Make the data directory from the template; it appears complete or not at all. claim: marks whose it is."""
        with self.made_aside(steps) as aside:
            claim(aside.data)
            aside.data.rename(self.data)

    @contextlib.contextmanager
    def made_aside(self, steps: Steps) -> Iterator[Cluster]:
        """A new cluster beside this one, for the caller to rename; removed at the end if it is still there."""
        source = template(self.programs, self.user, self.settings, steps)
        home = self.data.parent
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
        if self.user is not None:
            os.chown(home, self.user.uid, self.user.gid)
            system_user.check_readable(home, self.user)
        remove_leftovers(home)
        # A name of its own: the `cp` of a promthctl that was killed may still be writing.
        partial = Path(tempfile.mkdtemp(prefix=_LEFTOVER, dir=home))
        try:
            if self.user is not None:
                partial.chmod(0o711)
            copied = process.run(
                ["cp", "-Rp", source, partial / "data"], env=self.settings.child_env(), kill_with_parent=True
            )
            if copied.code != 0:
                raise PromthctlError(
                    "The database's files could not be made",
                    copied.stderr.strip().splitlines()[-1] if copied.stderr.strip() else f"cp ended with {copied.code}",
                    f"free some space for {home} and run the same command again",
                )
            yield replace(self, data=partial / "data")
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def set_passwords(self, postgres: str, internal: str, fresh: Sequence[str] | None = None) -> None:
        """Give the roles their passwords, with the server stopped: needs no password and heals a lost one.

        fresh: for a new cluster, the statements that set its default privileges: one start of PostgreSQL less.
        """
        roles = {"postgres": postgres, SUPERUSER: internal} | dict.fromkeys(LOGINS, internal)
        script = "".join(f"alter role {role} password {literal(password)}\n" for role, password in roles.items())
        script = "".join(f"{statement}\n" for statement in fresh or ()) + script
        # A used database `postgres` may have settings of its owner, a migration, such as password_encryption.
        database = "template1" if fresh is None else "postgres"
        self._run_single_user(script, "The database's passwords could not be set", database)

    def set_default_privileges(self, statements: Sequence[str]) -> None:
        """Decide what new tables in public are open to, with the server stopped: see default_privileges."""
        script = "".join(f"{statement}\n" for statement in statements)
        self._run_single_user(script, "The database's default privileges could not be set")

    def start(
        self,
        port: int,
        log: Path,
        record: Callable[[ProcessId], None],
        runs_jobs: bool = True,
        lasting: bool = True,
    ) -> ProcessId:
        """Start the server; returns at once (see wait). runs_jobs: whether a real pg_cron does.

        lasting: what it writes is to survive the machine.
        """
        options = [*self._preload(runs_jobs), *(() if lasting else _FORGETFUL), "-c", f"port={port}"]
        return process.spawn_detached(
            [self.programs.folder / "postgres", "-D", self.data, *options],
            record=record,
            log=log,
            env=self.environment(),
            cwd=Path("/"),
            user=self.user,
            confined=self._confinement(port),
        )

    def wait(self, server: ProcessId, log: Path) -> None:
        """Return when the server accepts connections; raise with its last log lines when it ended instead."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready(server):
            if not server.alive() or time.monotonic() > deadline:
                raise self._failed("The database did not start", _tail(log))
            time.sleep(0.005)

    def wait_accepting(self, server: ProcessId, url: str, log: Path) -> None:
        """Wait for a server that ran already: it may still be starting, or recovering from a lost child."""
        import psycopg

        self.wait(server, log)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(url, connect_timeout=10).close()
                return
            except psycopg.OperationalError as error:
                if not server.alive():
                    raise self._failed("The database ended while it was recovering", _tail(log)) from None
                if "the database system is" not in str(error) or time.monotonic() > deadline:
                    return  # not "starting up" or "in recovery mode": whoever connects next reports it better
            time.sleep(0.02)

    def stop(self, server: ProcessId) -> None:
        """Fast shutdown: connections are closed, what is committed is on disk."""
        stop(server, self.data.parent)

    def recover(self) -> None:
        """After a kill -9, a power cut or a reboot, with no server running: end what is left of it.

        postmaster.pid stays when its server is merely gone: Postgres reads in it whether the shared memory is still
        in use. It goes when it is damaged or names another program's process: Postgres would refuse to start.
        """
        import psutil

        end_strays(self.data.parent)
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        try:
            first = pid_file.read_text(encoding="utf-8", errors="replace").splitlines()[0]
            misleading = psutil.pid_exists(abs(int(first)))  # a `postgres --single` writes its number negated
        except (ValueError, IndexError, OverflowError):
            misleading = True
        if misleading:
            pid_file.unlink()

    def environment(self) -> dict[str, str]:
        """Nothing of ours but the locale: PGPORT and the like must not reach the server."""
        return {
            "PATH": os.defpath,
            "LC_ALL": "C",
            "TZ": "UTC",
            "LD_LIBRARY_PATH": str(self.programs.folder.parent / "lib"),
        }

    def _preload(self, runs_jobs: bool) -> list[str]:
        """What an installed PostgreSQL's extensions need to be loaded; pg_cron runs its jobs without a password."""
        if not self.programs.preload:
            return []
        options = {
            "shared_preload_libraries": ",".join((_PRELOADED, *self.programs.preload)),
            "cron.use_background_workers": "on",
            "cron.launch_active_jobs": "on" if runs_jobs else "off",
        }
        return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    def _ready(self, server: ProcessId) -> bool:
        # Line 1 is the pid, line 8 the state: src/include/utils/pidfile.h of PostgreSQL.
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return int(lines[0]) == server.pid and lines[7].strip() == "ready"
        return False

    def _initdb(self, password_file: Path) -> None:
        arguments = ("-D", self.data, "-U", SUPERUSER, "--no-sync", f"--pwfile={password_file}", *_INITDB)
        for locale in _LOCALES[self.programs.choice.major]:
            made = self._run("initdb", *arguments, *locale)
            if _NO_ICU not in made.stderr:
                break
        if made.code != 0:
            raise self._failed("The database's files could not be made", made.stderr)

    def _run_single_user(self, script: str, what: str, database: str = "postgres") -> None:
        """Execute a script of one statement a line as the superuser."""
        answer = self._run("postgres", "--single", "-D", self.data, database, stdin=script, confined=True)
        if answer.code != 0 or "ERROR:" in answer.stderr:
            raise self._failed(what, answer.stderr)

    def _run(
        self, program: str, *arguments: str | Path, stdin: str | None = None, confined: bool = False
    ) -> process.Completed:
        return process.run(
            [self.programs.folder / program, *arguments],
            env=self.environment(),
            cwd=Path("/"),
            stdin=stdin,
            user=self.user,
            confined=self._confinement() if confined else None,
            timeout=300,
        )

    def _confinement(self, port: int | None = None) -> Confinement:
        """Should SQL become superuser all the same: its own files, the system's programs, its own port."""
        tree = self.programs.folder.parent
        linked = {path.resolve() for path in (*tree.iterdir(), *self.programs.folder.iterdir())}
        system = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "etc", "dev", "nix", "gnu")
        return Confinement(
            read=(*(Path("/") / name for name in system), tree, *linked, *self.programs.needs),
            write=(self.data, Path("/dev/shm"), Path(os.devnull)),  # noqa: S108 - where PostgreSQL shares memory
            port=port,
            connect=not self.throw_away,
        )

    def _failed(self, what: str, log: str) -> PromthctlError:
        reasons = [line for line in log.splitlines() if _REASON.search(line)]
        return PromthctlError(
            what,
            _REASON.split(reasons[-1])[-1] if reasons else log.strip() or "Postgres said nothing",
            f"free some space for {self.data.parent} and run the same command again"
            if "No space left on device" in log
            else "promthctl local logs postgres, then promthctl local up",
        )


def template(programs: PostgresPrograms, user: RunAs | None, settings: Settings, steps: Steps) -> Path:
    """The folder of the prepared cluster for these programs, made when there is none."""
    root = cache_root(settings) / "templates" / _template_hash(programs, user)
    if root.exists():
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
        cluster._initdb(password_file)
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


def find_server(home: Path) -> ProcessId | None:
    """The server of a project's data, of either version, found by its command line when its record is lost."""
    inside = _inside(home)

    def matches(argv: list[str], _: str) -> bool:
        serves = argv[0].endswith("postgres") and "--single" not in argv and "-D" in argv
        return serves and inside(argv, "") and not any(_LEFTOVER in word for word in argv)  # one being made

    found = process.find_processes(matches)
    return found[0] if found else None  # its children, newer, look the same for a moment


def stop(server: ProcessId, home: Path) -> None:
    server.end(signal.SIGINT, grace=30.0)
    end_strays(home)


def end_strays(home: Path) -> None:
    """End server processes without their server: after its kill -9, or when promthctl died while one worked for it."""
    process.end_all(process.find_processes(_inside(home)), grace=_STRAY_SECONDS)


def _inside(folder: Path) -> Callable[[list[str], str], bool]:
    """Matches the processes of PostgreSQL that work on a data directory in `folder`."""
    places = tuple({f"{folder}{os.sep}", f"{os.path.realpath(folder)}{os.sep}"})

    def matches(argv: list[str], cwd: str) -> bool:
        program = Path(argv[0]).name
        return program.startswith(("postgres", "initdb")) and any(word.startswith(places) for word in (*argv, cwd))

    return matches


def remove(data: Path) -> None:
    """Remove a data directory; it is gone at once, not half there, if this is killed."""
    set_aside(data)
    remove_leftovers(data.parent)


def set_aside(data: Path) -> None:
    """Give a data directory, if it is there, a name under which the next `remove_leftovers` removes it."""
    if data.exists():
        data.rename(data.with_name(_LEFTOVER + secrets.token_hex(4)))


def remove_leftovers(home: Path) -> None:
    """Remove what a promthctl that was killed left half made or half removed, and end what runs in it."""
    for leftover in home.glob(f"{_LEFTOVER}*"):
        end_strays(leftover)
        shutil.rmtree(leftover, ignore_errors=True)


def _template_hash(programs: PostgresPrograms, user: RunAs | None) -> str:
    choice = programs.choice
    made_from = (str(programs.folder), choice.identity, user, _INITDB, _LOCALES[choice.major], _CONFIGURATION)
    digest = hashlib.sha256(repr(made_from).encode())
    digest.update(installation.fingerprint().encode())
    for script in bootstrap_scripts():
        digest.update(script.encode())
    return digest.hexdigest()[:16]


def _tail(log: Path, lines: int = 6) -> str:
    try:
        return "\n".join(process.read_regular(log).decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
