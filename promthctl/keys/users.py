"""The owners of keys, through the Auth API: users by e-mail or UUID, and the local stack's development user."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promthctl.api.client import ApiConnection
from promthctl.errors import PromthctlError, UsageError
from promthctl.keys.key import refuse_key
from promthctl.keys.key_record import canonical_user
from promthctl.redact import remember

if TYPE_CHECKING:
    from supabase import Client

# example.com (RFC 2606) never receives mail, and validators that refuse .local and .test accept it.
DEV_EMAIL = "dev@promthctl.example.com"

# Columns of auth.users that Auth fills in for whoever signs up → what a row that was inserted by hand can have there.
_FILLED = {"created_at": "now()", "aud": "'authenticated'"}
_PAGE = 1000  # users per request; Supabase Auth sends 50 by default


@dataclass(frozen=True)
class User:
    """A user as Supabase Auth knows it; email is "" for a user that has none."""

    id: str
    email: str


@dataclass(frozen=True)
class DevUser:
    """The local stack's own user, with the password it is signed up with. id: empty before that."""

    id: str
    email: str
    password: str = field(repr=False)


def find_user(client: Client, wanted: str) -> User:
    """The user with that e-mail address (in any case) or UUID; `client` must send the service key.

    Raises UsageError when `wanted` is neither, PromthctlError when there is no such user.
    """
    again = "run the same command again with --user name@example.com"
    refuse_key(wanted, "--user", "an e-mail address or a UUID", again)
    name = canonical_user(wanted)
    if name is None:
        raise UsageError(
            f"{wanted.strip()!r} is not a user",
            "it is neither an e-mail address nor a UUID",
            again,
        )
    if "@" in name:
        found = next((user for user in each_user(client) if user.email.lower() == name), None)
    else:
        found = user_by_id(client, name)
    if found is None:
        raise PromthctlError(
            f"There is no user {wanted}",
            "Supabase Auth of this target does not know that e-mail or UUID",
            "sign that user up in the app first, or choose another with --user",
        )
    return found


def ensure_dev_user(api: ApiConnection, stored: DevUser) -> tuple[DevUser, bool]:
    """The development user of the local stack, and True if it was signed up just now.

    stored: what is on record of it, from new_dev_user or an earlier call. It is looked up by its id, which takes a
    fraction of the time of a sign-in; after a reset of the database it is signed up again with the same e-mail and
    password. Raises PromthctlError when the e-mail is taken and its password unknown, or sign-up is disabled.
    """
    remember(stored.password)
    if stored.id and user_by_id(api.client, stored.id):
        return stored, False
    person, made = _sign_up(api, stored.email, stored.password)
    return person, made or not stored.id  # an interrupted call signed it up, and nobody was told


def new_dev_user() -> DevUser:
    """A development user who is not signed up yet: with a password, without an id."""
    return DevUser("", DEV_EMAIL, secrets.token_urlsafe(18))


def _sign_up(api: ApiConnection, email: str, password: str) -> tuple[DevUser, bool]:
    from supabase_auth.errors import AuthApiError

    auth = api.anonymous_client().auth  # a client that signs a user in sends that user's token from then on
    refusal = "no reason given"
    try:
        if signed_up := auth.sign_up({"email": email, "password": password}).user:
            return DevUser(signed_up.id, email, password), True
    except AuthApiError as error:
        if error.status not in (400, 409, 422):
            raise
        refusal = error.code or refusal
    try:
        if known := auth.sign_in_with_password({"email": email, "password": password}).user:
            return DevUser(known.id, email, password), False
    except AuthApiError as error:
        if error.status not in (400, 422):
            raise
    raise PromthctlError(
        f"The development user {email} could not be signed up",
        f"Supabase Auth refused ({refusal}), and the user's password is not known here",
        f"run the same command again with --user {email}",
    )


def user_by_id(client: Client, user_id: str) -> User | None:
    """The user with that UUID, None when there is none; `client` must send the service key."""
    from supabase_auth.errors import AuthApiError

    try:
        with _readable():
            user = client.auth.admin.get_user_by_id(user_id).user
    except AuthApiError as error:
        # A 404 without the code may come from something other than Supabase Auth.
        if error.code == "user_not_found" or (error.status == 404 and "user not found" in error.message.lower()):
            return None
        raise
    return User(user.id, user.email or "")


@contextmanager
def _readable() -> Iterator[None]:
    """Raises PromthctlError for a user whose row lacks what Auth fills in; other answers as they are."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        # Without what is wrong with the form {"user": …}, which is tried first.
        found = [one for one in error.errors() if one["loc"][-1:] != ("user",)]
        if not all(one["loc"] for one in found):
            raise  # it is no JSON
        missing = {str(one["loc"][-1]) for one in found if one["input"] is None or one["type"] == "missing"}
        columns = [name for name in _FILLED if name in missing]
        if not columns or missing - {*columns}:
            raise
        values = ", ".join(f"{name} = coalesce({name}, {_FILLED[name]})" for name in columns)
        update = f"update auth.users set {values}"  # noqa: S608 - shown, not run
        raise PromthctlError(
            "A user of this target cannot be read",
            f"its row in auth.users has no {' and no '.join(columns)}, which Supabase Auth fills in at a sign-up",
            f'promthctl sql --write "{update}", on this target, and run the same command again',
        ) from None


def each_user(client: Client) -> Iterator[User]:
    """All users, read page by page; one that signs up meanwhile may make another appear twice.

    `client` must send the service key.
    """
    before: list[User] = []
    for page in itertools.count(1):
        with _readable():
            answer = client.auth.admin.list_users(page=page, per_page=_PAGE)
        users = [User(user.id, user.email or "") for user in answer]
        # Pages may be shorter than requested; an empty one, or the last one again, is the end.
        if not users or users == before:
            return
        yield from users
        before = users
