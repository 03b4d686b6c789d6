"""The services of a Supabase project that the embedded engine has not, where a project asks for them.

Requests to them are answered 501, see server.mjs; what there is instead stands in docs/embedded.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from promthctl.project_files import table_of
from promthctl.settings import Settings
from promthctl.state import StateDir

_RECORD = "absent.json"


def warning(settings: Settings, state: StateDir) -> str | None:
    """One line on what is asked for and not there; None where there is nothing, or this was said before."""
    asked = sorted(set(_asked(settings)))
    try:
        told = state.read(_RECORD).get("told")
    except (ValueError, AttributeError):
        told = None
    if asked == (told or []):
        return None
    state.write(_RECORD, {"told": asked})
    if not asked:
        return None
    return (
        f"Not on the embedded engine, which answers 501 to requests for it: {'; '.join(asked)}. "
        "promthctl local up --engine docker has it"
    )


def _asked(settings: Settings) -> Iterator[str]:
    """What the project's files ask for. `supabase init` enables every service: that alone asks for none."""
    configured = table_of(settings.supabase, "functions", where="supabase/config.toml")
    folders = (path.parent.name for path in (settings.supabase_dir / "functions").glob("[!_.]*/index.*"))
    if functions := sorted({*configured, *folders}):
        yield f"Edge Functions ({', '.join(functions[:3])}{', …' if len(functions) > 3 else ''})"
    dependencies = _dependencies(settings)
    for package, service in (
        ("@supabase/functions-js", "Edge Functions"),
        ("@supabase/realtime-js", "Realtime"),
    ):
        if package in dependencies:
            yield f"{service} ({package} in package.json)"
    for path in sorted(settings.migrations_dir.glob("*.sql")):
        with path.open(encoding="utf-8", errors="replace") as file:
            if any("supabase_realtime" in line for line in file):
                yield f"Realtime (supabase_realtime in {path.name})"
                return


def _dependencies(settings: Settings) -> set[str]:
    try:
        package = json.loads((settings.project_dir / "package.json").read_text(encoding="utf-8"))
        return {name for key in ("dependencies", "devDependencies") for name in package.get(key, {})}
    except (OSError, ValueError, AttributeError, TypeError):
        return set()
