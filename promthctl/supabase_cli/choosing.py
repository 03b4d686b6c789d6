"""Which Supabase CLI is run: the pinned one of the toolchain, the one on PATH, or one at a path."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from pathlib import Path

from promthctl import process, toolchain, trust
from promthctl.errors import PrerequisiteError
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps
from promthctl.supabase_cli.dialects import ENVIRONMENT, V3, Dialect, dialect_of

_VERSION = re.compile(r"(\d+)\.(\d+)\.\d+(-\S+)?")  # all that `supabase --version` prints
_SECONDS = 30.0
_KNOWN = "supabase-cli.json"  # in the state folder: the version of the one that was asked last
_one_at_a_time = threading.Lock()


class UnusableCliError(PrerequisiteError):
    """The Supabase CLI that was asked for is missing, or is not one that promthctl works with."""


def choose(settings: Settings, steps: Steps) -> tuple[Path, Dialect]:
    """The executable and its dialect. The pinned one is installed first if need be, no other ever.

    Raises UnusableCliError for one that is missing, is not the Supabase CLI, or is too old or too new.
    """
    wanted = settings.supabase_cli
    if wanted == "pinned":
        tools = toolchain.ensure(settings, steps)
        return tools.supabase, dialect_of(tools.supabase_version) or V3
    check_consent(settings)
    binary = _on_path(settings) if wanted == "system" else Path(wanted)
    if not binary.is_file():
        raise UnusableCliError(
            f"The Supabase CLI {binary} cannot be used",
            "there is no such file",
            "give --supabase-cli the path of one, or run it again with --supabase-cli pinned",
        )
    with _one_at_a_time:
        version = _version(binary, settings)
    dialect = dialect_of(version)
    if dialect is None:
        raise _unusable(binary, f"it is version {version[0]}.{version[1]}; promthctl works with 2.100 to 3.x")
    return binary, dialect


def check_consent(settings: Settings) -> None:
    """Raise RefusedError where the project's files name a CLI, and the user has not agreed to that."""
    if settings.supabase_cli_place == ".env":
        trust.check_variable(settings, "PROMTHCTL_SUPABASE_CLI")
    elif settings.supabase_cli_place:
        trust.check_setting(settings, "supabase_cli")


def _on_path(settings: Settings) -> Path:
    found = shutil.which("supabase", path=settings.env.get("PATH"))
    if found is None:
        raise UnusableCliError(
            "The Supabase CLI was not found",
            "--supabase-cli system takes the `supabase` on PATH, and there is none",
            "run it again with --supabase-cli pinned, the version that promthctl installs",
        )
    return Path(found)


def _version(binary: Path, settings: Settings) -> tuple[int, int]:
    """Major and minor. Asking takes half a second, so the answer is kept for as long as the file stays the same."""
    mark = fingerprint(binary)
    state = StateDir(settings.state_dir)
    try:
        known = state.read(_KNOWN)
        if known["file"] == mark:
            major, minor = known["version"]
            return int(major), int(minor)
    except (ValueError, KeyError, TypeError):
        pass
    version = _ask(binary, settings)
    state.make()
    state.write(_KNOWN, {"file": mark, "version": version})
    return version


def fingerprint(binary: Path) -> list[str | int]:
    """What changes when the file does: its path, its time and its size."""
    real = binary.resolve()
    details = real.stat()
    return [str(real), details.st_mtime_ns, details.st_size]


def _ask(binary: Path, settings: Settings) -> tuple[int, int]:
    try:
        answer = process.run([binary, "--version"], env=settings.child_env(**ENVIRONMENT), timeout=_SECONDS)
    except OSError as error:
        raise _unusable(binary, error.strerror or str(error)) from None
    except subprocess.TimeoutExpired:
        raise _unusable(binary, f"it did not print its version within {_SECONDS:.0f} seconds") from None
    match = _VERSION.fullmatch(answer.stdout.strip())
    if answer.code != 0 or match is None:
        raise _unusable(binary, "it does not print its version as the Supabase CLI does")
    return int(match[1]), int(match[2])


def _unusable(binary: Path, why: str) -> UnusableCliError:
    return UnusableCliError(
        f"The Supabase CLI {binary} cannot be used", why, "update it, or run it again with --supabase-cli pinned"
    )
