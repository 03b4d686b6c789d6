"""The providers: one module each, named as the column provider has it, with a Provider called PROVIDER.

Adding one is adding a file; nothing lists them.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from promthctl.errors import UsageError
from promthctl.keys.provider import Provider


def names() -> tuple[str, ...]:
    """The providers there are, in alphabetical order."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))


def find(name: str) -> Provider:
    """The provider of that name. Raises UsageError, naming those there are, for any other."""
    wanted = name.strip().lower()
    if wanted not in names():
        raise UsageError(
            "--provider names no provider that promthctl knows",  # not repeated: it may be a key in the wrong place
            f"these are known: {', '.join(names())}",
            "promthctl seed keys --provider openai",
        )
    provider: Provider = import_module(f"{__name__}.{wanted}").PROVIDER
    return provider
