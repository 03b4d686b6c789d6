"""Seeding a target: keys from a source, stored for their users through the API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import BinaryIO

from promthctl.api.client import ApiConnection, connect
from promthctl.errors import UsageError
from promthctl.keys.encryption import derive_key, encryption_secret, weak_secret_warnings
from promthctl.keys.key import KeySource
from promthctl.keys.key_batch import KeyBatch, checked_batch
from promthctl.keys.providers import Provider, find_provider
from promthctl.keys.seed_rows import SeedResult, compare_with_nothing, store_batch
from promthctl.keys.sources import demo_keys, open_source
from promthctl.keys.users import DevUser, User, ensure_dev_user, find_user, new_dev_user
from promthctl.resolve.api import ApiTarget
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps

_DEV_USER = "dev-user.json"


@dataclass(frozen=True)
class SeedReport:
    """seeded: the result for each key. password: of the development user, only when it was made just now."""

    seeded: SeedResult
    warnings: tuple[str, ...]
    password: str | None = field(default=None, repr=False)


def seed_keys(
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
    weak_secret: bool = False,
) -> SeedReport:
    """Store a provider's keys in a target.

    user: an e-mail or a UUID, the owner of keys for which the source does not name one; None for the development user,
    which only the local stack has. keys_file, stdin: see promthctl.keys.sources.open_source. approve: called with what
    is about to be stored, before the first row is; it raises to stop that. weak_secret: see weak_secret_warnings.
    All keys are checked before the first request; raises PromthctlError with nothing written.
    """
    made_for = find_provider(provider)
    if demo and keys_file is not None:
        raise UsageError(
            "It is not clear which keys to store", "--demo and --keys exclude each other", "leave one of the two out"
        )
    with (
        _open_source(settings, made_for, keys_file, stdin, demo) as source,
        checked_batch(source, made_for, steps) as batch,
    ):
        secret = encryption_secret(settings)
        weak = weak_secret_warnings(secret, weak=weak_secret, settings=settings)
        if user is not None and not batch.unassigned:
            steps.note("--user is not used: every key names its own")

        def ask() -> None:
            if not target.local:
                approve(f"{_description(batch)} in {target.label}")

        with connect(target.access) as api:
            person, made = None, False
            if target.local and user is None and batch.unassigned:
                person, made = _dev_user(api, StateDir(settings.state_dir), dry_run)
            default = User(person.id, person.email) if person else None
            seeded = seed_batch(api, batch, secret, user, default, dry_run=dry_run, steps=steps, approve=ask)
    return SeedReport(seeded, (*batch.warnings, *weak), person.password if made and person else None)


def seed_batch(
    api: ApiConnection,
    batch: KeyBatch,
    secret: str,
    user: str | None,
    default: User | None,
    *,
    dry_run: bool,
    steps: Steps,
    approve: Callable[[], None] = lambda: None,
) -> SeedResult:
    """Make the users' rows match the keys.

    secret: the value of ENCRYPTION_SECRET. user: an e-mail or a UUID, the owner of the batch's unassigned keys; None
    for `default`. dry_run: only read; while none of the users exists not even that is needed. approve: called before
    the first row is written; it raises to stop that.
    Raises PrerequisiteError without a secret, UsageError without a user, PromthctlError for an unknown user or a
    violated constraint.
    """
    derive_key(secret)  # no request is made before the secret is known to be usable
    nobody = user is None and default is None
    if batch.unassigned and nobody and not dry_run:
        raise UsageError(
            "There is no user to store the keys for",
            "only the local stack has a development user of its own",
            "run the same command again with --user name@example.com",
        )
    if batch.unassigned == batch.count and nobody:
        return compare_with_nothing(batch, secret, steps)
    owner = find_user(api.client, user) if user is not None and batch.unassigned else default
    batch.identify_users(api.client, owner)
    if not dry_run:
        approve()
    return store_batch(api, batch, secret, dry_run=dry_run, steps=steps)


@contextlib.contextmanager
def _open_source(
    settings: Settings, provider: Provider, keys_file: str | None, stdin: BinaryIO | None, demo: bool
) -> Iterator[KeySource]:
    if demo:
        yield demo_keys(provider)
        return
    with open_source(settings, provider, keys_file, stdin) as source:
        yield source


def _description(batch: KeyBatch) -> str:
    """The keys and their owners, whom the API has identified, in words."""
    noun = "key" if batch.count == 1 else "keys"
    owner = batch.owners(1)[0]
    whose = owner.email or owner.id if batch.users == 1 else f"{batch.users:,} users"
    return f"{batch.count:,} {batch.provider.title} {noun} for {whose}"


def _dev_user(api: ApiConnection, state: StateDir, dry_run: bool) -> tuple[DevUser | None, bool]:
    """The development user, None in a dry run before there is one, and True if it was made just now."""
    recorded = _recorded_dev_user(state)
    if dry_run:
        return (recorded if recorded and recorded.id else None), False
    if recorded is None:
        recorded = new_dev_user()
        _record_dev_user(state, recorded)  # before the sign-up: an interruption must not lose the only copy
    person, made = ensure_dev_user(api, recorded)
    if person != recorded:
        _record_dev_user(state, person)
    return person, made


def _record_dev_user(state: StateDir, person: DevUser) -> None:
    state.make()
    state.write(_DEV_USER, asdict(person))


def _recorded_dev_user(state: StateDir) -> DevUser | None:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        record = state.read(_DEV_USER)
        return DevUser(str(record["id"]), str(record["email"]), str(record["password"]))
    return None
