"""The Supabase CLI's `projects api-keys`: the service key of a hosted project."""

from __future__ import annotations

import re
from typing import Any

from promthctl.errors import PromthctlError, TargetError
from promthctl.hosted.management import access_token
from promthctl.redact import remember
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.supabase_cli import failures
from promthctl.supabase_cli.dialects import Answer
from promthctl.supabase_cli.runner import Runner, find_runner

_COPY_IT = "copy a secret key from the project's API settings: export SUPABASE_SERVICE_ROLE_KEY=sb_secret_…"


def find_service_key(ref: str, label: str, settings: Settings, steps: Steps) -> str:
    """The project's secret key (sb_secret_…); if it has none, its service_role JWT.

    label: how the project is shown. Raises PrerequisiteError when the CLI cannot be used or there is no access token,
    TargetError when the project has no service key that may be seen.
    """
    runner = find_runner(settings, steps)
    token = access_token(settings)
    with steps.step(f"Asking for the keys of {label}"):
        answer = _ask(runner, ref, token)
    if not answer.ok:
        raise failures.cli_error(f"The Supabase CLI could not read the keys of {label}", answer, _COPY_IT, TargetError)
    found = _service_keys(answer.value)
    for key in found:
        remember(key)
    if not found:
        raise TargetError(
            f"There is no service key of {label}",
            "`supabase projects api-keys` shows neither a secret key nor a service_role key to this access token",
            _COPY_IT,
        )
    return found[0]


def _ask(runner: Runner, ref: str, token: str) -> Answer:
    command = ["projects", "api-keys", f"{runner.dialect.project_option}={ref}"]
    environment = {"SUPABASE_ACCESS_TOKEN": token}
    answer = runner.run([*command, "--reveal"], environment)
    if failures.is_unknown_option(answer):  # an early v2 has no --reveal, and shows the service_role JWT all the same
        return runner.run(command, environment)
    return answer


def _service_keys(value: Any) -> list[str]:
    """The keys with a service_role's rights, those of the new generation first: legacy keys may be switched off.

    value: {"keys": […]}, or the list alone as an early v2 prints it. Source of the entries: ApiKeyResponse of
    https://api.supabase.com/api/v1
    """
    entries = value.get("keys") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        raise PromthctlError(
            "The Supabase CLI gave an answer that promthctl does not understand",
            "`supabase projects api-keys` did not print a list",
            _COPY_IT,
        )
    found: dict[str, str] = {}
    for entry in entries:
        key = entry.get("api_key") if isinstance(entry, dict) else None
        if not isinstance(key, str) or not re.fullmatch(r"[!-~]+", key):  # masked: the token may not see it
            continue
        template = entry.get("secret_jwt_template")
        role = template.get("role", "service_role") if isinstance(template, dict) else "service_role"
        if entry.get("type") == "secret" and role == "service_role":
            found.setdefault("secret", key)
        elif entry.get("name") == "service_role":
            found.setdefault("legacy", key)
    return [found[kind] for kind in ("secret", "legacy") if kind in found]
