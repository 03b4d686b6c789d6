"""Where keys come from: a file, standard input, or variables; the first one found is used.

    1. --keys FILE, or - for standard input, in any format of promthctl.keys.key_file_formats
    2. PREFIX_KEYS_FILE: the same; PREFIX is the provider's, such as OPENAI
    3. for a provider with numbered agents PREFIX_API_KEY_n with PREFIX_ENDPOINT_n, optionally PREFIX_AGENT_NAME_n
       and PREFIX_AGENT_DESCRIPTION_n; for others PREFIX_API_KEY, optionally PREFIX_MODEL

PREFIX_BASE_URL overrides the base URL of every key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from promthctl.errors import UsageError
from promthctl.keys.key import (
    Key,
    KeyList,
    KeySource,
    check_numbers,
    check_url,
    key_in_place,
    looks_like_key,
    named_places,
    shared_key_warnings,
)
from promthctl.keys.key_file import open_key_file
from promthctl.keys.providers import PROVIDERS, Provider
from promthctl.redact import remember
from promthctl.settings import Settings

_ORIGIN = "the environment and .env"
_KEY_LENGTH = 16  # characters; a word this long without a dot is a key rather than the name of a file


@dataclass(frozen=True)
class ConfiguredEndpoints:
    """numbers: endpoint → its agent's number, if it has one; None when no source is configured, or it is broken.

    fault: why a configured source cannot be read, in words.
    """

    numbers: Mapping[str, int | None] | None = None
    fault: str | None = None


@contextmanager
def open_source(
    settings: Settings, provider: Provider, keys_file: str | None, stdin: BinaryIO | None
) -> Iterator[KeySource]:
    """The first source that has any keys; closed on leaving.

    keys_file: the value of --keys, relative to the current directory ("-": `stdin`). PREFIX_KEYS_FILE is relative to
    the project. Raises UsageError, naming the place, when a source is not of its form; promthctl.keys.key_batch checks
    the keys in it.
    """
    prefix = provider.variables
    if base_url := settings.get(f"{prefix}_BASE_URL"):
        check_url(base_url, f"{prefix}_BASE_URL", provider)
    path = None
    if keys_file is not None and keys_file != "-":
        path = _existing(_expand_user(keys_file), keys_file, "--keys")
    elif keys_file is None and (file_named := settings.get(f"{prefix}_KEYS_FILE")):
        path = _existing(settings.project_dir / _expand_user(file_named), file_named, f"{prefix}_KEYS_FILE")
    if path is not None or keys_file == "-":
        with open_key_file(path, stdin, provider, base_url) as source:
            yield source
    elif provider.agents is not None:
        yield _numbered_variables(settings, provider, provider.agents, base_url or provider.base_url)
    else:
        yield _single_variable(settings, provider, base_url or provider.base_url)


def _existing(path: Path, given: str, place: str) -> Path:
    """The path. Raises UsageError, which does not repeat it, where there is no file and it may be a key itself."""
    if (
        not path.exists()
        and not {".", "/", os.sep} & set(given)
        and (len(given) >= _KEY_LENGTH or looks_like_key(given))
    ):
        instead = "write the keys into a file, or run the same command again with --keys - and pipe them in"
        raise key_in_place(given, place, "the name of a file with keys", instead)
    return path


def configured_endpoints(settings: Settings, provider_name: str) -> ConfiguredEndpoints:
    """The endpoints of PREFIX_KEYS_FILE or PREFIX_API_KEY_n in the environment and .env, for that provider.

    For commands that work on stored rows, to which a missing or broken source is not an error.
    """
    provider = PROVIDERS.get(provider_name)
    if provider is None:
        return ConfiguredEndpoints()
    prefixes = (f"{provider.variables}_KEYS_FILE", f"{provider.variables}_API_KEY")
    if not any(name.startswith(prefixes) and settings.get(name) for name in settings.env):
        return ConfiguredEndpoints()
    try:
        with open_source(settings, provider, None, None) as source:
            return ConfiguredEndpoints({key.endpoint_id: key.number for key in source})
    except UsageError as error:
        return ConfiguredEndpoints(fault=f"{error.what}: {error.why}")


def demo_keys(provider: Provider) -> KeyList:
    """Keys that nobody could mistake for real ones, at a host that cannot exist (RFC 2606)."""
    keys = [
        Key(
            at=named_places({}),
            number=n if provider.agents else None,
            name=f"Demo agent {n}",
            endpoint_id=provider.endpoint or provider.demo_endpoint.format(n),
            api_key=f"{provider.key_example.removesuffix('…')}demo-not-a-real-key-{n:02d}",
            base_url=f"https://{provider.name}.invalid{urlsplit(provider.base_url).path}",
            description="made by promthctl seed --demo",
        )
        for n in range(1, (provider.agents or 1) + 1)
    ]
    for key in keys:
        remember(key.api_key)
    return KeyList("demo keys", keys)


def _expand_user(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        why = "it begins with ~ and a user that does not exist"
        raise UsageError(f"{name} is not a file", why, "write the whole name of the file") from None


def _numbered_variables(settings: Settings, provider: Provider, agents: int, base_url: str) -> KeyList:
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
            present, missing = ("API_KEY", "ENDPOINT") if api_key else ("ENDPOINT", "API_KEY")
            raise UsageError(
                f"{prefix}_{missing}_{n} is missing",
                f"{prefix}_{present}_{n} is set, and an agent needs both its key and its endpoint",
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
                at=named_places(places),
                number=n,
                name=settings.get(places["name"]) or f"Agent {n}",
                endpoint_id=endpoint,
                api_key=api_key,
                base_url=base_url,
                description=settings.get(places["description"]),
            )
        )
    check_numbers(keys, agents, _ORIGIN, provider.command)
    return KeyList(_ORIGIN, keys, shared_key_warnings(keys))


def _single_variable(settings: Settings, provider: Provider, base_url: str) -> KeyList:
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
    return KeyList(_ORIGIN, [Key(named_places(places), model or provider.title, endpoint, api_key, base_url)])
