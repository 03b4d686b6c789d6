"""The Supabase CLI's commands for its local stack: services, start, stop.

Everything that differs from supabase/config.toml (ports, services, what promthctl does itself) reaches it through its
environment, SUPABASE_<TABLE>_<KEY>, so that nobody's file is edited:
https://supabase.com/docs/guides/local-development/cli/config.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promthctl import process
from promthctl.engines.docker import services
from promthctl.errors import PromthctlError
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.toolchain import cache_root

_QUIET = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_UPDATE_NOTIFIER": "0"}
# The migrations are applied by a push, as on every other target, and nothing is seeded that was not asked for.
_OURS = {"SUPABASE_DB_MIGRATIONS_ENABLED": "false", "SUPABASE_DB_SEED_ENABLED": "false"}


class CliError(PromthctlError):
    """The CLI failed. said: all that it printed on standard error, the containers' last lines among it."""

    def __init__(self, what: str, why: str, hint: str, said: str) -> None:
        super().__init__(what, why, hint)
        self.said = said


def setup_mark(settings: Settings) -> Path:
    """The file `supabase start` writes when it has made the database whole, if it is not there."""
    return settings.supabase_dir / ".branches" / "_current_branch"


@dataclass(frozen=True)
class LocalCli:
    """binary: the CLI's executable. environment: what makes it use this daemon, these ports, these services."""

    binary: Path
    settings: Settings
    environment: Mapping[str, str] = field(default_factory=dict)

    def services(self) -> dict[str, str]:
        """`supabase services`: repository → tag of the images this project's stack would use.

        The answer is kept under a hash of what it depends on: the CLI takes half a second for it.
        """
        kept = cache_root(self.settings) / "services" / f"{self._digest()}.json"
        with contextlib.suppress(OSError, ValueError, TypeError):
            return dict(json.loads(kept.read_text(encoding="utf-8")))
        found = {one["name"]: one["local"] for one in self._run(["services"])["services"]}
        with contextlib.suppress(OSError):  # a cache that cannot be written
            kept.parent.mkdir(parents=True, exist_ok=True)
            process.write_private(kept, json.dumps(found))
        return found

    def start(self, names: Sequence[str], network: str, watch: Callable[[], None]) -> dict[str, Any]:
        """`supabase start`: the URLs and keys of the stack. watch: called while it works; what it raises ends it."""
        words = ["start", "--network-id", network]
        if excluded := services.exclusions(names):
            words += ["-x", excluded]
        return self._run(words, watch)

    def stop(self, project: str) -> None:
        """`supabase stop`: every container goes, the volumes stay."""
        self._run(["stop", "--project-id", project])

    def _digest(self) -> str:
        """Of the CLI, supabase/config.toml, the versions that `supabase link` noted, and SUPABASE_… variables."""
        folder = self.settings.supabase_dir
        variables = sorted(item for item in self.settings.env.items() if item[0].startswith("SUPABASE_"))
        digest = hashlib.sha256(repr((str(self.binary), variables)).encode())
        for path in (folder / "config.toml", *sorted((folder / ".temp").glob("*-version"))):
            with contextlib.suppress(OSError):
                digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:16]

    def _run(self, words: Sequence[str], watch: Callable[[], None] | None = None) -> dict[str, Any]:
        options = ["--yes", "--output-format", "json", "--agent", "no", "--workdir", str(self.settings.project_dir)]
        answer = process.run(
            [self.binary, *words, *options],
            env=self.settings.child_env(**_QUIET, **_OURS, **self.environment),
            cwd=self.settings.project_dir,
            on_line=lambda _: None,
            watch=watch,
            leash=True,
        )
        body = _body(answer.stdout)
        if answer.code == 0:
            return body
        message = str(body.get("error", {}).get("message") or answer.stderr or answer.stdout)
        raise CliError(
            f"supabase {words[0]} failed",
            redact(message).strip() or f"it ended with code {answer.code} and said nothing",
            "correct supabase/config.toml and run the same command again"
            if "config" in message
            else "promthctl local down, then run the same command again; the data stays",
            redact(answer.stderr),
        )


def _body(output: str) -> dict[str, Any]:
    """The JSON object the CLI printed, empty when there is none."""
    for line in reversed(output.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}
