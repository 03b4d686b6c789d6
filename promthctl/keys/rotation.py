"""Rotating ENCRYPTION_SECRET: every stored key is re-encrypted under a new one.

Each row is changed by a request of its own, and only while it holds what was read. So at every moment, even after a
kill, a row is readable with exactly one of the two secrets; decrypting shows with which, so the next run continues with
the rest. Passes over the rows are repeated until one finds nothing left: that is the full check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from promthctl.errors import PrerequisiteError, RefusedError, UsageError
from promthctl.keys.api_keys_table import ApiKeysTable, StoredKey
from promthctl.keys.checking import CheckedKey
from promthctl.keys.encryption import (
    decrypt_or_none,
    derive_key,
    encrypt,
    encryption_secret,
    generate_command,
    key_hash,
    weak_secret_warnings,
)
from promthctl.keys.key import refuse_key
from promthctl.keys.listing import shown_key
from promthctl.redact import remember
from promthctl.settings import Settings
from promthctl.steps import Advance, Steps

_PASSES = 5  # an app that still stores keys after these has to be stopped
_NAMED = 20  # rows in a message
_UNREADABLE = "neither secret decrypts it"


@dataclass(frozen=True)
class RotationSecrets:
    """old: ENCRYPTION_SECRET, which decrypts the rows now. new: the one that will, from the variable `name`."""

    name: str
    old: str = field(repr=False)
    new: str = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RotationPlan:
    """What a rotation would do. rows: all that it covers. pending: those still under the old secret."""

    secrets: RotationSecrets
    user_id: str | None
    rows: int
    pending: int


@dataclass(frozen=True)
class RotationResult:
    """rows: all that the rotation covered. rotated: by this run. already: under the new secret before it.

    left: rows, including other users', that are still under the old secret. faulty: rows that the new secret does not
    decrypt, or whose hash is another key's. old_is_free: a full check of every row under the new secret has passed.
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
        """Everything that was requested is done: with --user the rows of others may stay under the old secret."""
        return not self.faulty and (not self.left or self.user_id is not None)


def rotation_secrets(settings: Settings, name: str, *, weak: bool = False) -> RotationSecrets:
    """The two secrets. name: the variable, in the environment or .env, that holds the new one.

    weak: see weak_secret_warnings, whose error is raised, too. Raises UsageError for what is not a variable's name, and
    if both are the same; PrerequisiteError if one is missing.
    """
    new = settings.env.get(name, "")
    remember(new)
    if not new.strip():
        again = "run the same command again with --new-secret-env NEW_SECRET"
        refuse_key(name, "--new-secret-env", "the name of a variable, which holds the new secret,", again)
        if not name.isidentifier() or not name.isascii():
            raise UsageError(
                "--new-secret-env is not the name of a variable",
                "a name consists of letters, digits and _, as ENCRYPTION_SECRET does",
                again,
            )
        raise PrerequisiteError(
            f"There is no {name}",
            "it is set neither in the environment nor in .env, or it is empty",
            generate_command(name, settings),
        )
    old = encryption_secret(settings)
    if derive_key(old) == derive_key(new):
        other = "NEW_SECRET" if name == "ENCRYPTION_SECRET" else name  # the old one is still needed
        raise UsageError(
            f"{name} is not a new secret",
            "it is the same as ENCRYPTION_SECRET, under which the keys are stored",
            f"{generate_command(other, settings)} ; then run the same command again with --new-secret-env {other}",
        )
    return RotationSecrets(name, old, new, weak_secret_warnings(new, name, weak=weak, settings=settings))


def plan_rotation(table: ApiKeysTable, secrets: RotationSecrets, user: str | None, steps: Steps) -> RotationPlan:
    """Look at all rows, or at one user's (an e-mail address or a UUID); nothing is written.

    Raises RefusedError, naming them, when there are rows that neither secret decrypts.
    """
    with steps.step("Reading the keys"):
        user_id = table.user_id(user)
        seen = _survey(table, secrets, user_id)
    if seen.unreadable:
        unreadable = [key for key in seen.faulty if _UNREADABLE in key.problems]
        named = [f"{key.label} {key.masked_key}, row {key.id}" for key in unreadable]
        named += [f"and {seen.unreadable - len(unreadable)} more"] if seen.unreadable > len(unreadable) else []
        first = f"neither ENCRYPTION_SECRET nor {secrets.name} decrypts {seen.unreadable} of {seen.rows} keys:"
        raise RefusedError(
            "Nothing was rotated",
            "\n".join([first, *named]),
            "set ENCRYPTION_SECRET to the one they were stored with, or delete them: "
            f"promthctl keys remove ROW{table.target.access.options}",
        )
    return RotationPlan(secrets, user_id, seen.rows, seen.old)


def rotate_keys(table: ApiKeysTable, plan: RotationPlan, steps: Steps) -> RotationResult:
    """Carry out a plan. If it is killed at any moment, it can be planned and carried out again."""
    secrets, pending, rotated = plan.secrets, plan.pending, 0
    for _ in range(_PASSES):
        if pending:
            with steps.progress("Re-encrypting", pending) as advance:
                rotated += sum(_re_encrypt(table, page, secrets, advance) for page in table.pages(plan.user_id))
        with steps.step("Checking every key with the new secret"):
            seen = _survey(table, secrets, plan.user_id)
        if not (pending := seen.old):
            break
    if plan.user_id is not None:
        seen = _survey(table, secrets, None)
    return RotationResult(
        table.target.label,
        secrets.name,
        plan.user_id,
        plan.rows,
        rotated,
        plan.rows - plan.pending,
        seen.old,
        tuple(seen.faulty),
        not seen.old and not seen.faulty,
    )


def _re_encrypt(table: ApiKeysTable, page: Sequence[StoredKey], secrets: RotationSecrets, advance: Advance) -> int:
    """Re-encrypt the rows of a page that are under the old secret; their number."""
    changes = []
    for row in page:
        if decrypt_or_none(row.encrypted_key, secrets.new) is not None:
            continue
        if (key := decrypt_or_none(row.encrypted_key, secrets.old)) is not None:
            changes.append((row, {"encrypted_key": encrypt(key, secrets.new)}))
    return table.change(changes, advance) if changes else 0


@dataclass
class _Survey:
    """Numbers of rows by the secret that decrypts them. faulty: the first that neither does, or with a wrong hash."""

    rows: int = 0
    old: int = 0
    unreadable: int = 0
    faulty: list[CheckedKey] = field(default_factory=list)

    def add(self, row: StoredKey, secrets: RotationSecrets) -> None:
        self.rows += 1
        key = decrypt_or_none(row.encrypted_key, secrets.new)
        if key is None and decrypt_or_none(row.encrypted_key, secrets.old) is not None:
            self.old += 1
        elif key is None:
            self.unreadable += 1
            self._add_faulty(row, _UNREADABLE)
        elif key_hash(key) != row.key_hash:
            self._add_faulty(row, "its key_hash is that of another key")

    def _add_faulty(self, row: StoredKey, why: str) -> None:
        if len(self.faulty) < _NAMED:
            self.faulty.append(CheckedKey(**vars(shown_key(row)), problems=(why,)))


def _survey(table: ApiKeysTable, secrets: RotationSecrets, user_id: str | None) -> _Survey:
    seen = _Survey()
    for page in table.pages(user_id):
        for row in page:
            seen.add(row, secrets)
    return seen
