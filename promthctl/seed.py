"""Seeding the local stack: its development user kept in .promthctl, the keys stored through the API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from promthctl import local
from promthctl.api_access import ApiAccess
from promthctl.engines import Engine
from promthctl.keys import sources
from promthctl.keys.seeding import SeedResult, seed
from promthctl.keys.users import DevUser, ensure_dev_user
from promthctl.settings import Settings
from promthctl.state import StateDir

_DEV_USER = "dev-user.json"


@dataclass(frozen=True)
class VanchinResult:
    """seeded: what became of each key. password: of the development user, only when it was made just now."""

    seeded: SeedResult
    warnings: tuple[str, ...]
    password: str | None = field(default=None, repr=False)


def vanchin(
    settings: Settings,
    engine: Engine,
    *,
    user: str | None,
    keys_file: str | None,
    stdin: Callable[[], str],
    demo: bool,
    dry_run: bool,
) -> VanchinResult:
    """Store the fourteen VanchinAI keys in the local stack.

    user: an e-mail or a UUID, None for the development user. keys_file, stdin: see keys.sources.load.
    Everything is checked before the first request; raises PromthctlError with nothing written.
    """
    keys = sources.demo() if demo else sources.load(settings, keys_file, stdin)
    secret = sources.encryption_secret(settings)
    known = local.access(engine)  # whether it runs, the first request tells
    access = ApiAccess(known.api_url, known.anon_key, known.service_role_key)
    state = StateDir(settings.state_dir)
    person = recorded = _load(state)
    made = False
    if user is None and not dry_run:
        person, made = ensure_dev_user(access, recorded)
        if person != recorded:
            state.write(_DEV_USER, asdict(person))
    seeded = seed(access, keys, secret, user, dry_run, person)
    return VanchinResult(seeded, keys.warnings, person.password if made and person else None)


def _load(state: StateDir) -> DevUser | None:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        record = state.read(_DEV_USER)
        return DevUser(str(record["id"]), str(record["email"]), str(record["password"]))
    return None
