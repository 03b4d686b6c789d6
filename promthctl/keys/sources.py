"""Where keys come from: a file, standard input, or variables; the first found wins.

    1. --keys FILE, or - for standard input: a JSON document (promthctl.keys.document), JSON Lines or CSV
       (promthctl.keys.lines)
    2. PREFIX_KEYS_FILE: the same; PREFIX is the provider's, VANCHIN or OPENAI
    3. for a provider with numbered agents PREFIX_API_KEY_n with PREFIX_ENDPOINT_n, and if wanted PREFIX_AGENT_NAME_n
       and PREFIX_AGENT_DESCRIPTION_n; for another PREFIX_API_KEY, and if wanted PREFIX_MODEL

PREFIX_BASE_URL overrides the base URL of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from promthctl.errors import UsageError
from promthctl.keys import key_file
from promthctl.keys.encryption import derive_key
from promthctl.keys.key import Key, Listed, Source, check_numbers, check_url, named, shared_keys
from promthctl.keys.provider import Provider
from promthctl.redact import remember
from promthctl.settings import Settings

_ORIGIN = "the environment and .env"


@contextmanager
def opened(settings: Settings, provider: Provider, keys_file: str | None, stdin: BinaryIO | None) -> Iterator[Source]:
    """The first source that has any keys; closed on leaving.

    keys_file: what --keys was given, relative to the current directory ("-": `stdin`). PREFIX_KEYS_FILE is relative to
    the project. Raises UsageError, naming the place, when a source is not of its form; promthctl.keys.batch checks what
    is in it.
    """
    prefix = provider.variables
    if base_url := settings.get(f"{prefix}_BASE_URL"):
        check_url(base_url, f"{prefix}_BASE_URL", provider)
    path = None
    if keys_file is not None and keys_file != "-":
        path = _expanded(keys_file)
    elif keys_file is None and (file_named := settings.get(f"{prefix}_KEYS_FILE")):
        path = settings.project_dir / _expanded(file_named)
    if path is not None or keys_file == "-":
        with key_file.opened(path, stdin, provider, base_url) as source:
            yield source
    elif provider.agents is not None:
        yield _numbered(settings, provider, provider.agents, base_url or provider.base_url)
    else:
        yield _single(settings, provider, base_url or provider.base_url)


def demo(provider: Provider) -> Listed:
    """Keys nobody could take for real ones, at a host that cannot exist (RFC 2606)."""
    keys = [
        Key(
            at=named({}),
            number=n if provider.agents else None,
            name=f"Demo agent {n}",
            endpoint_id=provider.endpoint or f"ep-demo-{n:02d}",
            api_key=f"{provider.key_example.removesuffix('…')}demo-not-a-real-key-{n:02d}",
            base_url=f"https://{provider.name}.invalid/api/gateway/v1/endpoints",
            description="made by promthctl seed --demo",
        )
        for n in range(1, (provider.agents or 1) + 1)
    ]
    for key in keys:
        remember(key.api_key)
    return Listed("demo keys", keys)


def encryption_secret(settings: Settings) -> str:
    """ENCRYPTION_SECRET just as the app sees it, white space included.

    Raises PrerequisiteError when it is not set, with the command that makes one.
    """
    secret = settings.env.get("ENCRYPTION_SECRET", "")
    remember(secret)
    derive_key(secret)
    return secret


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise UsageError(f"{name} is no file", "there is no such user", "write the whole name of the file") from None


def _numbered(settings: Settings, provider: Provider, agents: int, base_url: str) -> Listed:
    prefix = provider.variables
    pattern = re.compile(rf"{prefix}_(?:API_KEY|ENDPOINT)_(0|[1-9]\d{{0,5}})")
    matches = (pattern.fullmatch(name) for name in settings.env if settings.get(name))
    numbers = sorted({int(match[1]) for match in matches if match})
    if not numbers:
        raise UsageError(
            f"There are no {provider.title} keys",
            f"--keys was not given, and neither {prefix}_KEYS_FILE nor {prefix}_API_KEY_1 to {agents} is set",
            f"add {prefix}_API_KEY_n and {prefix}_ENDPOINT_n to .env, or try: {provider.command} --demo",
        )
    keys = []
    for n in numbers:
        api_key, endpoint = settings.get(f"{prefix}_API_KEY_{n}"), settings.get(f"{prefix}_ENDPOINT_{n}")
        remember(api_key)
        if api_key is None or endpoint is None:
            there, missing = ("API_KEY", "ENDPOINT") if api_key else ("ENDPOINT", "API_KEY")
            raise UsageError(
                f"{prefix}_{missing}_{n} is missing",
                f"{prefix}_{there}_{n} is set, and an agent needs both its key and its endpoint",
                f"add {prefix}_{missing}_{n}=… to .env",
            )
        places = {
            "id": f"{prefix}_API_KEY_{n}",
            "api_key": f"{prefix}_API_KEY_{n}",
            "endpoint_id": f"{prefix}_ENDPOINT_{n}",
            "name": f"{prefix}_AGENT_NAME_{n}",
            "description": f"{prefix}_AGENT_DESCRIPTION_{n}",
        }
        keys.append(
            Key(
                at=named(places),
                number=n,
                name=settings.get(places["name"]) or f"Agent {n}",
                endpoint_id=endpoint,
                api_key=api_key,
                base_url=base_url,
                description=settings.get(places["description"]),
            )
        )
    check_numbers(keys, agents, _ORIGIN, provider.command)
    return Listed(_ORIGIN, keys, shared_keys(keys))


def _single(settings: Settings, provider: Provider, base_url: str) -> Listed:
    prefix = provider.variables
    api_key, model = settings.get(f"{prefix}_API_KEY"), settings.get(f"{prefix}_MODEL")
    remember(api_key)
    if api_key is None:
        raise UsageError(
            f"There are no {provider.title} keys",
            f"--keys was not given, and neither {prefix}_KEYS_FILE nor {prefix}_API_KEY is set",
            f"add {prefix}_API_KEY=… to .env, or try: {provider.command} --demo",
        )
    endpoint = model or provider.endpoint
    assert endpoint is not None  # a provider without numbered agents has a name for it
    places = {"api_key": f"{prefix}_API_KEY", "endpoint_id": f"{prefix}_MODEL"}
    return Listed(_ORIGIN, [Key(named(places), model or provider.title, endpoint, api_key, base_url)])
