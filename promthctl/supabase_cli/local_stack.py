"""The Supabase CLI's commands for its local stack on Docker: services, start, stop.

Everything that differs from supabase/config.toml (ports, services, what promthctl does itself) reaches it through its
environment, SUPABASE_<TABLE>_<KEY>, so that the project's file is not edited:
https://supabase.com/docs/guides/local-development/cli/config.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promthctl import process
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.settings import Settings
from promthctl.supabase_cli import failures
from promthctl.supabase_cli.choosing import fingerprint
from promthctl.supabase_cli.dialects import Answer
from promthctl.supabase_cli.runner import Runner
from promthctl.toolchain import cache_root

# The migrations are applied by a push, as on every other target, and nothing is seeded that was not asked for.
_OURS = {"SUPABASE_DB_MIGRATIONS_ENABLED": "false", "SUPABASE_DB_SEED_ENABLED": "false"}

_RENAMED = re.compile(r"\[(\w+)\] in .*config\.toml is no longer supported\. Use \[(\w+)\] instead")
_CHECKED = 2  # raised when an answer kept by an earlier promthctl must not be used


class LocalStackError(PromthctlError):
    """The CLI failed. stderr: all that it printed there, the containers' last lines among it."""

    def __init__(self, what: str, why: str, hint: str, stderr: str) -> None:
        super().__init__(what, why, hint)
        self.stderr = stderr


def setup_mark(settings: Settings) -> Path:
    """The file that `supabase start` writes, unless it is there, once the database is complete."""
    return settings.supabase_dir / ".branches" / "_current_branch"


@dataclass(frozen=True)
class LocalStackCli:
    """environment: what makes the CLI use this daemon, these ports and these services."""

    runner: Runner
    environment: Mapping[str, str] = field(default_factory=dict)

    def services(self) -> dict[str, str]:
        """`supabase services`: repository → tag of the images this project's stack would use.

        The answer is kept under a hash of what it depends on: the CLI takes half a second for it. Raises
        PrerequisiteError for a version whose answers differ from those of 2.122 and 3.x.
        """
        kept = cache_root(self.runner.settings) / "services" / f"{self._digest()}.json"
        with contextlib.suppress(OSError, ValueError, TypeError):
            return dict(json.loads(kept.read_text(encoding="utf-8")))
        answer = self._answer(["services"])
        _check_config(self.runner.settings, answer.stderr)
        listed = answer.value.get("services") if isinstance(answer.value, dict) else None
        if not isinstance(listed, list):  # 2.100 prints the list alone
            raise self._unlike_known("services")
        found = {one["name"]: one["local"] for one in listed}
        with contextlib.suppress(OSError):  # a cache that cannot be written
            kept.parent.mkdir(parents=True, exist_ok=True)
            process.write_private(kept, json.dumps(found))
        return found

    def start(self, excluded: str, network: str, watch: Callable[[], None]) -> dict[str, Any]:
        """`supabase start`: the URLs and keys of the stack.

        excluded: the value of -x, empty for none. watch: called while it works; what it raises ends the start.
        """
        exclusion = ["-x", excluded] if excluded else []
        values = self._run(["start", "--network-id", network, *exclusion], watch)
        if "DB_URL" not in values:
            raise self._unlike_known("start")
        return values

    def stop(self, project: str) -> None:
        """`supabase stop`: every container goes, the volumes stay."""
        self._run(["stop", "--project-id", project])

    def _digest(self) -> str:
        """Of the CLI, supabase/config.toml, the versions that `supabase link` noted, and SUPABASE_… variables."""
        settings = self.runner.settings
        variables = sorted(item for item in settings.env.items() if item[0].startswith("SUPABASE_"))
        digest = hashlib.sha256(repr((_CHECKED, fingerprint(self.runner.binary), variables)).encode())
        versions = (settings.supabase_dir / ".temp").glob("*-version")
        for path in (settings.supabase_dir / "config.toml", *sorted(versions)):
            with contextlib.suppress(OSError):
                digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:16]

    def _run(self, arguments: Sequence[str], watch: Callable[[], None] | None = None) -> dict[str, Any]:
        """The JSON object that the command prints, empty when it prints none."""
        value = self._answer(arguments, watch).value
        return value if isinstance(value, dict) else {}

    def _answer(self, arguments: Sequence[str], watch: Callable[[], None] | None = None) -> Answer:
        answer = self.runner.run(arguments, {**_OURS, **self.environment}, watch=watch)
        if answer.ok:
            return answer
        raise _failure(arguments[0], answer)

    def _unlike_known(self, command: str) -> PrerequisiteError:
        return PrerequisiteError(
            f"The Supabase CLI {self.runner.binary} cannot run the local stack on Docker",
            f"`supabase {command}` of that version answers differently from 2.122 and 3.x",
            failures.USE_PINNED,
        )


def _check_config(settings: Settings, printed: str) -> None:
    """Raise where the CLI refuses the configuration: `services` prints that and goes on, `start` ends with it."""
    if refused := _RENAMED.search(printed):
        old, new = refused[1], refused[2]
        path = settings.supabase_dir / "config.toml"
        raise PrerequisiteError(
            f"The Supabase CLI cannot read {path}",
            f"[{old}] is no longer supported: it is [{new}] now, with the same keys",
            f"sed -i.old 's/^\\[{old}/[{new}/' {shlex.quote(str(path))}; or: promthctl local up --engine embedded",
        )


def _failure(command: str, answer: Answer) -> PromthctlError:
    about_config = "config" in answer.message
    error = failures.cli_error(
        f"supabase {command} failed",
        answer,
        "correct supabase/config.toml and run the same command again"
        if about_config
        else "promthctl local down, then run the same command again; the data stays",
    )
    if isinstance(error, PrerequisiteError):
        return error
    return LocalStackError(error.what, error.why, error.hint, answer.stderr)
