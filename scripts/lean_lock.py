"""Takes out of promthctl/toolchain/package-lock.json what Supabase Lite lists and the API server never imports.

Called by scripts/lock. npm follows the dependencies as the lock has them, so what is not in it is not downloaded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "promthctl" / "toolchain" / "package-lock.json"
# package → what it lists in vain: error reports that Lite's own command line sends, types for TypeScript programs
UNUSED = {"@supabase/lite": "@sentry/node", "jsonv-ts": "typescript"}


def make_lean(packages: dict[str, Any]) -> dict[str, Any]:
    """The "packages" of a lock, version 3, without UNUSED and what only those need. All are in the top folder."""
    packages = json.loads(json.dumps(packages))
    for name, unused in UNUSED.items():
        for kind in ("dependencies", "peerDependencies"):
            packages[f"node_modules/{name}"].get(kind, {}).pop(unused, None)
    wanted, waiting = {""}, [""]
    while waiting:
        entry = packages[waiting.pop()]
        optional_peers = {name for name, meta in entry.get("peerDependenciesMeta", {}).items() if meta.get("optional")}
        needed = {**entry.get("peerDependencies", {}), **entry.get("dependencies", {})}.keys() - optional_peers
        for name in (*needed, *entry.get("optionalDependencies", {})):
            path = f"node_modules/{name}"
            if path in packages and path not in wanted:
                wanted.add(path)
                waiting.append(path)
    return {path: entry for path, entry in packages.items() if path in wanted}


if __name__ == "__main__":
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    lock["packages"] = make_lean(lock["packages"])
    LOCK.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
