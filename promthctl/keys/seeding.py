"""Seeding a target: keys from a source, stored for their users through the API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import BinaryIO

from promthctl.errors import UsageError
from promthctl.keys import batch, providers, sources
from promthctl.keys.seeding import SeedResult, seed
from promthctl.keys.users import DevUser, User, ensure_dev_user
from promthctl.resolve.api import ApiTarget
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps

_DEV_USER = "dev-user.json"


@dataclass(frozen=True)
class KeysResult:
    """seeded: what became of each key. password: of the development user, only when it was made just now."""

    seeded: SeedResult
    warnings: tuple[str, ...]
    password: str | None = field(default=None, repr=False)


def keys(
    settings: Settings,
    target: ApiTarget,
    steps: Steps,
    *,
    provider: str,
    user: str | None,
    keys_file: str | None,
    stdin: BinaryIO | None,
    demo: bool,
    dry_run: bool,
    approve: Callable[[str], None],
) -> KeysResult:
    """Store a provider's keys in a target.

    user: an e-mail or a UUID, whose the keys are that name no user of their own; None for the development user, which
    only the local stack has. keys_file, stdin: see keys.sources.opened. approve: called with what is about to be
    stored, before the first row is; it raises what stops that.
    Everything is checked before the first request; raises PromthctlError with nothing written.
    """
    made_for = providers.find(provider)
    if demo and keys_file is not None:
        raise UsageError("Which keys are meant?", "--demo and --keys exclude each other", "give one of the two")
    with contextlib.ExitStack() as stack:
        source = (
            sources.demo(made_for)
            if demo
            else stack.enter_context(sources.opened(settings, made_for, keys_file, stdin))
        )
        checked = stack.enter_context(batch.checked(source, made_for, steps))
        secret = sources.encryption_secret(settings)
        if user is not None and not checked.unassigned:
            steps.note("--user is not used: every key names its own")
        state = StateDir(settings.state_dir)
        person, made = None, False
        if target.local and user is None and checked.unassigned:
            person = recorded = _load(state)
            if not dry_run:
                person, made = ensure_dev_user(target.access, recorded)
                if person != recorded:
                    state.make()
                    state.write(_DEV_USER, asdict(person))
        noun = "key" if checked.count == 1 else "keys"

        def ask() -> None:
            if not target.local:
                owner = checked.owners(1)[0]
                whose = owner.email or owner.id if checked.users == 1 else f"{checked.users:,} users"
                approve(f"{checked.count:,} {made_for.title} {noun} for {whose} in {target.label}")

        seeded = seed(
            target.access,
            checked,
            secret,
            user,
            User(person.id, person.email) if person else None,
            dry_run=dry_run,
            steps=steps,
            approve=ask,
        )
    return KeysResult(seeded, checked.warnings, person.password if made and person else None)


def _load(state: StateDir) -> DevUser | None:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        record = state.read(_DEV_USER)
        return DevUser(str(record["id"]), str(record["email"]), str(record["password"]))
    return None
