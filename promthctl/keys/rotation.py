"""Encrypting every stored key anew under another ENCRYPTION_SECRET.

Each row is changed by a request of its own, and only while it holds what was read. So at every moment, also after a
kill, a row is readable with exactly one of the two secrets; decrypting tells with which, so the next run goes on with
the rest. Passes over the rows follow each other until one finds nothing left: that is the full check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from promthctl.errors import PrerequisiteError, RefusedError, UsageError
from promthctl.keys.checking import CheckedKey, opens
from promthctl.keys.encryption import MAKE_ONE, derive_key, encrypt, key_hash
from promthctl.keys.pasted import refuse_key
from promthctl.keys.shown import shown
from promthctl.keys.sources import encryption_secret
from promthctl.keys.store import Store, StoredKey, opened, owner
from promthctl.redact import remember
from promthctl.resolve.api import ApiTarget
from promthctl.settings import Settings
from promthctl.steps import Advance, Steps

_PASSES = 5  # an app that stores keys faster than this had better be stopped
_NAMED = 20  # rows in a message
_CLOSED = "neither secret opens it"
_WEAK = 16  # characters; MAKE_ONE makes 32


@dataclass(frozen=True)
class Secrets:
    """old: ENCRYPTION_SECRET, which opens the rows now. new: what is to open them, from the variable `name`."""

    name: str
    old: str = field(repr=False)
    new: str = field(repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        weak = len(self.new) < _WEAK
        return (f"{self.name} has only {len(self.new)} characters; 32 random ones are safe.",) if weak else ()


@dataclass(frozen=True)
class Plan:
    """What a rotation would do. rows: all it looks at. pending: those still under the old secret."""

    secrets: Secrets
    user_id: str | None
    rows: int
    pending: int


@dataclass(frozen=True)
class RotationResult:
    """rows: all the rotation looked at. rotated: by this run. already: under the new secret before it.

    left: rows, other users' among them, that are still under the old secret. faulty: rows that the new secret does
    not open, or whose hash is another key's. old_is_free: a full check of every row under the new secret has passed.
    """

    target: str
    variable: str
    user_id: str | None
    rows: int
    rotated: int
    already: int
    left: int
    faulty: tuple[CheckedKey, ...]
    old_is_free: bool

    @property
    def ok(self) -> bool:
        """All that was asked for was done: with --user the rows of others may stay under the old secret."""
        return not self.faulty and (not self.left or self.user_id is not None)


def secrets(settings: Settings, name: str) -> Secrets:
    """The two secrets. name: the variable, in the environment or .env, that holds the new one.

    Raises UsageError for a name that is none, and where both are the same; PrerequisiteError where one is missing.
    """
    new = settings.env.get(name, "")
    remember(new)
    if not new.strip():
        refuse_key(name, "--new-secret-env", "the name of a variable, which holds the new secret,")
        if not name.isidentifier() or not name.isascii():
            raise UsageError(
                "--new-secret-env names no variable",
                "a name has letters, digits and _, as ENCRYPTION_SECRET does",
                "promthctl keys rotate --new-secret-env NEW_SECRET",
            )
        raise PrerequisiteError(
            f"There is no {name}",
            "it is set neither in the environment nor in .env, or it is empty",
            MAKE_ONE.replace("ENCRYPTION_SECRET", name),
        )
    old = encryption_secret(settings)
    if derive_key(old) == derive_key(new):
        raise UsageError(
            f"{name} is no new secret",
            "it is the same as ENCRYPTION_SECRET, under which the keys are stored",
            f"promthctl keys check; or make a new one: {MAKE_ONE.replace('ENCRYPTION_SECRET', 'NEW_SECRET')}",
        )
    return Secrets(name, old, new)


def plan(target: ApiTarget, both: Secrets, user: str | None, steps: Steps) -> Plan:
    """Look at all rows, or at one user's (an e-mail address or a UUID); nothing is written.

    Raises RefusedError, naming them, when there are rows that neither secret opens.
    """
    with opened(target.access) as store, steps.step("Reading the keys"):
        user_id = owner(store, user)
        seen = _survey(store, both, user_id)
    if seen.closed:
        closed = [key for key in seen.faulty if _CLOSED in key.problems]
        named = [f"{key.label} {key.masked_key}, row {key.id}" for key in closed]
        named += [f"and {seen.closed - len(closed)} more"] if seen.closed > len(closed) else []
        raise RefusedError(
            "Nothing was rotated",
            "\n".join([f"neither ENCRYPTION_SECRET nor {both.name} opens {seen.closed} of {seen.rows} keys:", *named]),
            "set ENCRYPTION_SECRET to what they were stored with, or let them go: promthctl keys remove ROW",
        )
    return Plan(both, user_id, seen.rows, seen.old)


def rotate(target: ApiTarget, planned: Plan, steps: Steps) -> RotationResult:
    """Carry out a plan. Killed at any moment, it can be planned and carried out again."""
    both, pending, rotated = planned.secrets, planned.pending, 0
    with opened(target.access) as store:
        for _ in range(_PASSES):
            if pending:
                with steps.progress("Encrypting", pending) as advance:
                    rotated += sum(_rotate(store, page, both, advance) for page in store.pages(planned.user_id))
            with steps.step("Checking every key with the new secret"):
                seen = _survey(store, both, planned.user_id)
            if not (pending := seen.old):
                break
        if planned.user_id is not None:
            seen = _survey(store, both, None)
    return RotationResult(
        target.label,
        both.name,
        planned.user_id,
        planned.rows,
        rotated,
        planned.rows - planned.pending,
        seen.old,
        tuple(seen.faulty),
        not seen.old and not seen.faulty,
    )


def _rotate(store: Store, page: Sequence[StoredKey], both: Secrets, advance: Advance) -> int:
    """Encrypt those rows of a page anew that the old secret opens; how many were."""
    changes = []
    for row in page:
        if opens(row, both.new) is None and (key := opens(row, both.old)) is not None:
            changes.append((row, {"encrypted_key": encrypt(key, both.new)}))
    return store.change(changes, advance) if changes else 0


@dataclass
class _Survey:
    """Rows by what opens them. faulty: the first of those that nothing opens, or that hold another key's hash."""

    rows: int = 0
    old: int = 0
    closed: int = 0
    faulty: list[CheckedKey] = field(default_factory=list)

    def add(self, row: StoredKey, both: Secrets) -> None:
        self.rows += 1
        key = opens(row, both.new)
        if key is None and opens(row, both.old) is not None:
            self.old += 1
        elif key is None:
            self.closed += 1
            self._name(row, _CLOSED)
        elif key_hash(key) != row.key_hash:
            self._name(row, "its key_hash is that of another key")

    def _name(self, row: StoredKey, why: str) -> None:
        if len(self.faulty) < _NAMED:
            self.faulty.append(CheckedKey(**vars(shown(row)), problems=(why,)))


def _survey(store: Store, both: Secrets, user_id: str | None) -> _Survey:
    seen = _Survey()
    for page in store.pages(user_id):
        for row in page:
            seen.add(row, both)
    return seen
