"""The API server's program: server.mjs and the modules it imports, joined into one text.

Node.js gets it on standard input, so that its bare imports resolve in the toolchain's folder, and so that the server's
user need not be able to read the folder of this package.
"""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache
from importlib.resources import files

_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+|\w+) from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:const|class|function|async function) (\w+))", re.MULTILINE)
_RENAMED = re.compile(r"(\w+) as (\w+)")


@cache
def server_program() -> str:
    """The program. Each module is a function that returns what the module exports, called after those it imports.

    Of JavaScript's imports and exports the modules use `import {a, b as c}`, `import a`, `import * as a`,
    `export const`, `export class` and `export function`, each at the start of a line. `import a` of a file that is no
    module is its text.
    """
    done: dict[str, str] = {}
    _add("server.mjs", done)
    return "const modules = {};\n" + "".join(done.values())


def _add(name: str, done: dict[str, str]) -> None:
    source = (files(__package__) / name).read_text(encoding="utf-8")
    if not name.endswith(".mjs"):
        done[name] = f'modules["{name}"] = {{ default: {json.dumps(source)} }};\n'
        return
    needed = []

    def importing(found: re.Match[str]) -> str:
        names, module = found.groups()
        if names.startswith("*"):
            names = names.removeprefix("* as ")
        else:
            names = _RENAMED.sub(r"\1: \2", names) if names.startswith("{") else f"{{ default: {names} }}"
        if not module.startswith("."):
            return f'const {names} = await import("{module}");\n'
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), module))
        needed.append(path)
        return f'const {names} = modules["{path}"];\n'

    exported = [found[2] for found in _EXPORT.finditer(source)]
    body = _EXPORT.sub(r"\1", _IMPORT.sub(importing, source))
    for path in needed:
        if path not in done:
            _add(path, done)
    done[name] = f'modules["{name}"] = await (async () => {{\n{body}\nreturn {{ {", ".join(exported)} }};\n}})();\n'
