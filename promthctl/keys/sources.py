"""Where the fourteen keys come from: a JSON file, standard input, or numbered variables; the first found wins.

    1. --keys FILE, or - for standard input: JSON as promthctl.keys.key_file describes it
    2. VANCHIN_KEYS_FILE: the same
    3. VANCHIN_API_KEY_n with VANCHIN_ENDPOINT_n, n = 1 to 14, and if wanted VANCHIN_AGENT_NAME_n and
       VANCHIN_AGENT_DESCRIPTION_n

VANCHIN_BASE_URL overrides the base URL of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from promthctl.errors import UsageError
from promthctl.keys import key_file
from promthctl.keys.encryption import derive_key
from promthctl.keys.key import AGENTS, BASE_URL, PROVIDER, AgentKey, Draft, KeyRing, checked
from promthctl.redact import remember
from promthctl.settings import Settings

__all__ = ["AgentKey", "KeyRing", "demo", "encryption_secret", "load"]

_VARIABLE = re.compile(r"VANCHIN_(?:API_KEY|ENDPOINT)_(0|[1-9]\d{0,5})")


def load(settings: Settings, keys_file: str | None, stdin: Callable[[], str]) -> KeyRing:
    """The keys of the first source that has any.

    keys_file: what --keys was given, relative to the current directory ("-": the text `stdin` returns).
    VANCHIN_KEYS_FILE is relative to the project. Raises UsageError, naming the place, for everything wrong with them.
    """
    base_url = settings.get("VANCHIN_BASE_URL")
    if keys_file == "-":
        return key_file.parse(key_file.read_stdin(stdin), "standard input", base_url)
    path = Path(keys_file).expanduser() if keys_file is not None else None
    if path is None and (named := settings.get("VANCHIN_KEYS_FILE")):
        path = settings.project_dir / Path(named).expanduser()
    if path is not None:
        text, warnings = key_file.read(path)
        return key_file.parse(text, str(path), base_url, warnings)
    return _from_variables(settings, base_url)


def demo() -> KeyRing:
    """Fourteen keys nobody could take for real ones, at a host that cannot exist (RFC 2606)."""
    agents = tuple(
        AgentKey(
            n, f"Demo agent {n}", f"ep-demo-{n:02d}", f"demo-not-a-real-key-{n:02d}", "made by promthctl seed --demo"
        )
        for n in range(1, AGENTS + 1)
    )
    for agent in agents:
        remember(agent.api_key)
    return KeyRing(PROVIDER, "https://vanchin.invalid/api/gateway/v1/endpoints", agents, "demo keys")


def encryption_secret(settings: Settings) -> str:
    """ENCRYPTION_SECRET just as the app sees it, white space included.

    Raises PrerequisiteError when it is not set, with the command that makes one.
    """
    secret = settings.env.get("ENCRYPTION_SECRET", "")
    remember(secret)
    derive_key(secret)
    return secret


def _from_variables(settings: Settings, base_url: str | None) -> KeyRing:
    matches = (_VARIABLE.fullmatch(name) for name in settings.env if settings.get(name))
    numbers = sorted({int(match[1]) for match in matches if match})
    if not numbers:
        raise UsageError(
            "There are no VanchinAI keys",
            "--keys was not given, and neither VANCHIN_KEYS_FILE nor VANCHIN_API_KEY_1 to 14 is set",
            "add VANCHIN_API_KEY_n and VANCHIN_ENDPOINT_n to .env, or try: promthctl seed vanchin --demo",
        )
    drafts = []
    for n in numbers:
        key, endpoint = settings.get(f"VANCHIN_API_KEY_{n}"), settings.get(f"VANCHIN_ENDPOINT_{n}")
        remember(key)
        if key is None or endpoint is None:
            there, missing = ("API_KEY", "ENDPOINT") if key else ("ENDPOINT", "API_KEY")
            raise UsageError(
                f"VANCHIN_{missing}_{n} is missing",
                f"VANCHIN_{there}_{n} is set, and an agent needs both its key and its endpoint",
                f"add VANCHIN_{missing}_{n}=… to .env",
            )
        name = settings.get(f"VANCHIN_AGENT_NAME_{n}") or f"Agent {n}"
        agent = AgentKey(n, name, endpoint, key, settings.get(f"VANCHIN_AGENT_DESCRIPTION_{n}"))
        drafts.append(Draft(agent, f"VANCHIN_API_KEY_{n}", f"VANCHIN_ENDPOINT_{n}"))
    return checked(drafts, base_url or BASE_URL, "VANCHIN_BASE_URL", "the environment and .env")
