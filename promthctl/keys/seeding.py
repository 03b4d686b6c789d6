"""Store the fourteen keys as rows of api_keys, through supabase-py over HTTP with the service key.

A row's id is UUIDv5(NAMESPACE, "<user id>/<provider>/<endpoint id>"), the user id in lower case with hyphens, where
NAMESPACE is UUIDv5(DNS namespace, "api-keys.promthctl"); so seeding again finds its own rows. A row that the app or
an SQL script made before, under an id of its own, is adopted rather than doubled: the oldest with the same endpoint
id in its metadata, else the oldest without an endpoint id that holds the same key (the app's form stores none).
Rows of endpoints that are not among the keys are left alone.

One request reads what is there, one upsert writes what is new or different; with nothing different none writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import NAMESPACE_DNS, uuid5

from promthctl.api_access import ApiAccess, connect, unexpected
from promthctl.errors import PromthctlError, TargetError, UsageError
from promthctl.keys.encryption import DecryptionError, decrypt, derive_key, encrypt, key_hash, masked_key
from promthctl.keys.key import AgentKey, KeyRing
from promthctl.keys.users import DEV_EMAIL, DevUser, User, find_user

if TYPE_CHECKING:
    from postgrest.exceptions import APIError
    from supabase import Client

NAMESPACE = uuid5(NAMESPACE_DNS, "api-keys.promthctl")

_COLUMNS = ("id", "encrypted_key", "key_hash", "masked_key", "metadata")
# PostgREST's own codes (https://docs.postgrest.org/en/stable/references/errors.html) and PostgreSQL's SQLSTATEs.
_NO_TABLE = {"PGRST205", "42P01"}
_NO_COLUMN = {"PGRST204", "42703"}
_FOREIGN_KEY = "23503"
_NOT_ALLOWED = "42501"
# Classes 22, 23 and P0 (a trigger's raise); SUP is Supabase Lite's word for a SQLSTATE it does not know (0.10.0).
_DATA_REFUSED = ("22", "23", "P0", "SUP")

State = Literal["created", "updated", "unchanged"]
Row = dict[str, Any]


@dataclass(frozen=True)
class SeededAgent:
    """One agent's row: number 1 to 14, and what became of it (or would, in a dry run)."""

    number: int
    name: str
    endpoint_id: str
    masked_key: str
    state: State


@dataclass(frozen=True)
class SeedResult:
    """What seeding did; in a dry run what it would do.

    user_id: None only in a dry run before the development user exists. created, updated, unchanged: numbers of rows,
    fourteen together.
    """

    user_id: str | None
    user_email: str
    dry_run: bool
    agents: tuple[SeededAgent, ...]

    @property
    def created(self) -> int:
        return self._count("created")

    @property
    def updated(self) -> int:
        return self._count("updated")

    @property
    def unchanged(self) -> int:
        return self._count("unchanged")

    def _count(self, state: State) -> int:
        return sum(agent.state == state for agent in self.agents)


def seed(
    access: ApiAccess, keys: KeyRing, secret: str, user: str | None, dry_run: bool, dev_user: DevUser | None
) -> SeedResult:
    """Make the user's rows say what `keys` says.

    secret: the value of ENCRYPTION_SECRET. user: an e-mail or a UUID; None for `dev_user`, which the caller got from
    promthctl.keys.users.ensure_dev_user. dry_run: read only; without any user even that is not needed.
    Raises PrerequisiteError without a secret, UsageError without a user, TargetError when the API cannot be reached
    or refuses the service key, PromthctlError for an unknown user, missing migrations or a violated constraint.
    """
    derive_key(secret)  # nothing is asked of the API before the secret is known to be usable
    if user is None and dev_user is None:
        if not dry_run:
            raise UsageError(
                "There is no user to store the keys for",
                "only the local stack has a development user of its own",
                "promthctl seed vanchin --user name@example.com",
            )
        return SeedResult(None, DEV_EMAIL, True, tuple(_seeded(agent, "created") for agent in keys.agents))

    with connect(access, access.service_key) as client:
        if user is not None:
            owner = find_user(client, user)
        else:
            assert dev_user is not None
            owner = User(dev_user.id, dev_user.email)
        existing = _read(access, client, owner, keys.provider)
        plan = [(agent, *_row(agent, keys, secret, owner, existing)) for agent in keys.agents]
        changed = [row for _, state, row in plan if state != "unchanged"]
        if changed and not dry_run:
            _write(access, client, owner, changed)
    return SeedResult(owner.id, owner.email, dry_run, tuple(_seeded(agent, state) for agent, state, _ in plan))


def row_id(user_id: str, provider: str, endpoint_id: str) -> str:
    """The id of that endpoint's row, as the module's description defines it."""
    return str(uuid5(NAMESPACE, f"{user_id.lower()}/{provider}/{endpoint_id}"))


def _seeded(agent: AgentKey, state: State) -> SeededAgent:
    return SeededAgent(agent.number, agent.name, agent.endpoint_id, masked_key(agent.api_key), state)


def _row(agent: AgentKey, keys: KeyRing, secret: str, owner: User, existing: list[Row]) -> tuple[State, Row]:
    """The agent's row as it should be, and how that differs from `existing`; a row found there is taken out."""
    wanted = {
        "id": row_id(owner.id, keys.provider, agent.endpoint_id),
        "user_id": owner.id,
        "provider": keys.provider,
        "key_hash": key_hash(agent.api_key),
        "masked_key": masked_key(agent.api_key),
    }
    found = _find(existing, wanted["id"], agent.endpoint_id, wanted["key_hash"])
    if found is None:
        return "created", {
            **wanted,
            "encrypted_key": encrypt(agent.api_key, secret),
            "metadata": _metadata(agent, keys, {}),
        }
    existing.remove(found)
    row = {**wanted, "id": found["id"], "metadata": _metadata(agent, keys, _object(found["metadata"]))}
    readable = _holds(found["encrypted_key"], agent.api_key, secret)
    row["encrypted_key"] = found["encrypted_key"] if readable else encrypt(agent.api_key, secret)
    same = readable and all(found[name] == row[name] for name in ("key_hash", "masked_key", "metadata"))
    return "unchanged" if same else "updated", row


def _metadata(agent: AgentKey, keys: KeyRing, present: Row) -> Row:
    """What the app reads of an agent; entries it added itself stay, and so does a description the keys do not give."""
    description = present.get("description", "") if agent.description is None else agent.description
    return {
        **present,
        "endpoint_id": agent.endpoint_id,
        "agent_name": agent.name,
        "description": description,
        "base_url": keys.base_url,
    }


def _object(metadata: Any) -> Row:
    """The column's JSON object; it can hold any other JSON value too, which counts as empty."""
    return metadata if isinstance(metadata, dict) else {}


def _find(existing: Sequence[Row], own_id: str, endpoint_id: str, hashed: str) -> Row | None:
    def first(rows: Iterable[Row]) -> Row | None:
        return next(iter(rows), None)

    def endpoint(row: Row) -> Any:
        return _object(row["metadata"]).get("endpoint_id")

    return (
        first(row for row in existing if row["id"] == own_id)
        or first(row for row in existing if endpoint(row) == endpoint_id)
        or first(row for row in existing if not endpoint(row) and row["key_hash"] == hashed)
    )


def _holds(token: str, key: str, secret: str) -> bool:
    try:
        return decrypt(token, secret) == key
    except DecryptionError:
        return False


def _read(access: ApiAccess, client: Client, owner: User, provider: str) -> list[Row]:
    """The user's rows of that provider, oldest first."""
    from postgrest.exceptions import APIError

    try:
        query = client.table("api_keys").select(*_COLUMNS).eq("user_id", owner.id).eq("provider", provider)
        rows: Any = query.order("created_at").order("id").execute().data
    except APIError as error:
        raise _explained(access, owner, error) or error from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() >= set(_COLUMNS) for row in rows):
        raise unexpected(access, "it is not a list of rows")
    return rows


def _write(access: ApiAccess, client: Client, owner: User, rows: list[Row]) -> None:
    from postgrest.exceptions import APIError
    from postgrest.types import ReturnMethod

    try:
        client.table("api_keys").upsert(rows, on_conflict="id", returning=ReturnMethod.minimal).execute()
    except APIError as error:
        raise _explained(access, owner, error) or error from None


def _explained(access: ApiAccess, owner: User, error: APIError) -> PromthctlError | None:
    """The error in promthctl's words; only its code is used, since its details can quote the row."""
    code = error.code or ""
    if code in _NO_TABLE | _NO_COLUMN:
        missing = "the table api_keys" if code in _NO_TABLE else "a column of api_keys (metadata comes with 003)"
        return PromthctlError(
            "The database is not ready for the keys",
            f"it does not have {missing}: its migrations are not all applied",
            "promthctl local up" if access.is_local else "promthctl push --project-ref REF, then run again",
        )
    if code == _NOT_ALLOWED:
        return TargetError(
            f"The API at {access.url} does not let this key change api_keys",
            "it is not the service key, or the table's grants are missing",
            "set SUPABASE_SERVICE_ROLE_KEY to the service_role (or secret) key; promthctl verify checks the grants",
        )
    if code == _FOREIGN_KEY:
        return PromthctlError(
            f"The keys of {owner.email or owner.id} were not stored",
            "the user was deleted in the meantime",
            "choose another user with --user",
        )
    if code.startswith(_DATA_REFUSED):
        return PromthctlError(
            "The keys were not stored",
            f"a rule of the table api_keys refuses them (code {code}); no row was changed",
            "promthctl local logs postgres names it" if access.is_local else "compare the table with the migrations",
        )
    return None
