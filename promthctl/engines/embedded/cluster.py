"""PostgreSQL's data directory: copied from another, its passwords set, the server started and stopped."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promthctl import process
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.records import SUPERUSER
from promthctl.engines.embedded.spare_log import FOLDER as LOG_FOLDER
from promthctl.engines.embedded.spare_log import spare_log
from promthctl.engines.embedded.syncing import sync_all
from promthctl.errors import PromthctlError, TargetError
from promthctl.landlock import Confinement
from promthctl.process import ProcessId, RunAs
from promthctl.settings import Settings
from promthctl.sql.quoting import literal
from promthctl.toolchain import PostgresPrograms

_FATAL, _SHOWN = ("ERROR", "FATAL", "PANIC"), 4
_MESSAGE = re.compile(r"\b(LOG|ERROR|FATAL|PANIC|DETAIL|HINT|CONTEXT):\s+(.*)")
_UNUSABLE = re.compile(r'configuration file "(.+?)" contains errors|could not load (?=(/\S+))')  # guc-file.l, hba.c
_SHUT_DOWN = "LOG:  database system is shut down"
_IN_USE = re.compile(r"postgres-\d+(?:-installed)?")
LEFTOVER = ".postgres-partial-"
LOGINS = ("authenticator", "supabase_auth_admin", "supabase_storage_admin", "promthctl_api")
_STRAY_SECONDS = 5.0  # a server process asked to end may be busy for a moment
_START_SECONDS = 60.0  # a crash recovery may have much to replay
PRELOADED = "pg_stat_statements"
_FORGETFUL = [word for name in ("fsync", "full_page_writes", "synchronous_commit") for word in ("-c", f"{name}=off")]
# Rows of a table made in the same transaction are not logged at this level, and sorts for indexes fit in memory.
_BULK = ("-c", "wal_level=minimal", "-c", "maintenance_work_mem=256MB")


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

    def create(self, source: Path, claim: Callable[[Path], None] = lambda _: None) -> None:
        """Make the data directory as a copy of another; it appears complete or not at all. claim: marks whose it is."""
        with self.made_aside(source) as aside:
            claim(aside.data)
            aside.data.rename(self.data)

    @contextlib.contextmanager
    def made_aside(self, source: Path) -> Iterator[Cluster]:
        """A copy of `source` beside this one, for the caller to rename; removed at the end if it is still there."""
        home = self.data.parent
        system_user.make_home(home, self.user)
        remove_leftovers(home)
        # A name of its own: the `cp` of a promthctl that was killed may still be writing.
        partial = Path(tempfile.mkdtemp(prefix=LEFTOVER, dir=home))
        try:
            if self.user is not None:
                partial.chmod(0o711)
            copy_data(source, partial / "data", self.settings)
            yield replace(self, data=partial / "data")
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def set_passwords(
        self, postgres: str, internal: str, fresh: Sequence[str] | None = None, lasting: bool = True
    ) -> None:
        """Give the roles their passwords, with the server stopped: needs no password and heals a lost one.

        fresh: for a new cluster, the statements that set its default privileges: one start of PostgreSQL less.
        lasting: see start; not for a copy just made, whose files are not synced to disk either.
        """
        roles = {"postgres": postgres, SUPERUSER: internal} | dict.fromkeys(LOGINS, internal)
        script = "".join(f"alter role {role} password {literal(password)}\n" for role, password in roles.items())
        script = "".join(f"{statement}\n" for statement in fresh or ()) + script
        # A used database `postgres` may have settings of its owner, a migration, such as password_encryption.
        database = "template1" if fresh is None else "postgres"
        self._run_single_user(script, "The database's passwords could not be set", database, lasting)

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
        bulk: bool = False,
    ) -> ProcessId:
        """Start the server; returns at once (see wait). runs_jobs: whether a real pg_cron does.

        lasting: what it writes is to survive the machine. bulk: it is to be filled with many rows.
        """
        settings = (*(() if lasting else _FORGETFUL), *(_BULK if bulk else ()))
        options = [*self._preload(runs_jobs), *settings, "-c", f"port={port}"]
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
        import psycopg  # noqa: F401 - the caller needs it next, and the server takes as long to start

        deadline = time.monotonic() + _START_SECONDS
        while not self._ready(server):
            if not server.alive() or time.monotonic() > deadline:
                raise self._not_there("The database did not start", log)
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
                    raise self._not_there("The database ended while it was recovering", log) from None
                if "the database system is" not in str(error) or time.monotonic() > deadline:
                    return  # not "starting up" or "in recovery mode": whoever connects next reports it better
            time.sleep(0.02)

    def stop(self, server: ProcessId) -> None:
        """Fast shutdown: connections are closed, what is committed is on disk."""
        stop(server, self.data.parent)

    def sync(self) -> None:
        """Have its files written to the disk: those of a server that was not lasting, once it is stopped."""
        try:
            sync_all(self.data)
        except OSError as error:
            raise self.failed("The database's files could not be written to the disk", str(error)) from None

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
            "shared_preload_libraries": ",".join((PRELOADED, *self.programs.preload)),
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

    def _run_single_user(self, script: str, what: str, database: str = "postgres", lasting: bool = True) -> None:
        """Execute a script of one statement a line as the superuser."""
        options = () if lasting else _FORGETFUL
        answer = self.run("postgres", "--single", "-D", self.data, *options, database, stdin=script, confined=True)
        if answer.code != 0 or "ERROR:" in answer.stderr:
            raise self.failed(what, answer.stderr)

    def run(
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

    def failed(self, what: str, log: str) -> PromthctlError:
        """log: what the server wrote last; the hint is by what it says."""
        said = [found.groups() for line in log.splitlines() if (found := _MESSAGE.search(line))]
        last = max((number for number, (kind, _) in enumerate(said) if kind in _FATAL), default=None)
        why = log.strip() or "Postgres said nothing"
        if last is not None:
            why = "\n".join((said[last][1], *(text for kind, text in said[last + 1 :] if kind in ("DETAIL", "HINT"))))
        if "No space left on device" in log:
            return PromthctlError(what, why, f"free some space for {self.data.parent} and run the same command again")
        if (unusable := _UNUSABLE.search(log)) is not None:
            why = "\n".join(text for _, text in said[-_SHOWN:])
            hint = f"correct {unusable[1] or unusable[2]}, then run the same command again"
            return PromthctlError(what, why, hint)
        if self.throw_away or not _IN_USE.fullmatch(self.data.name):
            return PromthctlError(what, why, "run the same command again")
        fix = f"fix that in {self.data} (settings are in postgresql.conf and postgresql.auto.conf)"
        new = "promthctl local down --purge makes room for a new database, without these rows"
        return PromthctlError(what, why, f"{fix}, then promthctl local up; {new}")

    def _not_there(self, what: str, log: Path) -> TargetError:
        """As failed, for a server that does not answer."""
        error = self.failed(what, _tail(log))
        return TargetError(error.what, error.why, error.hint)


def copy_data(source: Path, target: Path, settings: Settings) -> None:
    """Copy the files of a data directory whose server is stopped, but the log's that it does not need. Raises
    PromthctlError.
    """
    with process.beside(_load_driver):
        if spare := spare_log(source):
            log, copied_log = source / LOG_FOLDER, target / LOG_FOLDER
            _copy(sorted(one for one in source.iterdir() if one != log), _like(source, target), settings)
            _copy(sorted(one for one in log.iterdir() if one.name not in spare), _like(log, copied_log), settings)
        else:
            _copy([source], target, settings)
    if not source.exists():  # from under the copy: what is removed is renamed first
        raise _not_copied(target, f"{source} was removed meanwhile")


def _load_driver() -> None:
    """While `cp` works: whoever copies a database connects to it next, and waits for this otherwise."""
    import psycopg  # noqa: F401


def _copy(sources: Sequence[Path], target: Path, settings: Settings) -> None:
    copied = process.run(["cp", "-Rp", *sources, target], env=settings.child_env(), kill_with_parent=True)
    if copied.code != 0:
        said = copied.stderr.strip().splitlines()
        raise _not_copied(target, said[-1] if said else f"cp ended with {copied.code}")


def _like(source: Path, target: Path) -> Path:
    """An empty folder with another one's owner and rights."""
    try:
        about = source.stat()
        target.mkdir(mode=0o700)
        os.chown(target, about.st_uid, about.st_gid)
        target.chmod(about.st_mode & 0o777)
    except OSError as error:
        raise _not_copied(target, f"{error.strerror}: {error.filename}") from None
    return target


def _not_copied(target: Path, why: str) -> PromthctlError:
    lasting = next(folder for folder in target.parents if not folder.name.startswith(LEFTOVER))
    hint = f"free some space for {lasting} and run the same command again"
    return PromthctlError("The database's files could not be made", why, hint)


def find_server(home: Path) -> ProcessId | None:
    """The server of a project's data, of either version, found by its command line when its record is lost."""
    inside = _inside(home)

    def matches(argv: list[str], _: str) -> bool:
        serves = argv[0].endswith("postgres") and "--single" not in argv and "-D" in argv
        return serves and inside(argv, "") and not any(LEFTOVER in word for word in argv)  # one being made

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
        data.rename(data.with_name(LEFTOVER + secrets.token_hex(4)))


def remove_leftovers(home: Path) -> None:
    """Remove what a promthctl that was killed left half made or half removed, and end what runs in it."""
    for leftover in home.glob(f"{LEFTOVER}*"):
        end_strays(leftover)
        shutil.rmtree(leftover, ignore_errors=True)


def _tail(log: Path, lines: int = 12) -> str:
    """The last lines, without those of a server that was shut down before."""
    try:
        found = process.read_regular(log).decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return ""
    ended = [number for number, line in enumerate(found[:-1], start=1) if _SHUT_DOWN in line]
    return "\n".join(found[ended[-1] :] if ended else found)
