"""Whose a row is, read from the foreign keys.

An identity column holds a user's id: it refers to auth.users (id) or to another identity column, as posts.author_id
→ profiles.id → auth.users.id does. A link is any other foreign key to a table whose rows have an owner, as
messages.session_id → chat_sessions is. A row's identity columns, its links, or both say who its owner is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from promthctl.isolation.tables import ForeignKey, ProbedCatalog, ProbedColumn, ProbedTable

# Where several columns name a user and no policy says which of them is the owner, the first of these is.
_NAMES = ("user_id", "owner_id", "owner", "created_by", "author_id", "creator_id", "profile_id", "id")
_AUTHORS = ("sender_id", "sender", "author", "poster_id", "uploaded_by", "uploader_id", "writer_id", "reviewer_id")
_CREATORS = {"created_by", "creator_id", "created_by_id", "created_by_user_id"}
_UUID_OR_TEXT = {"uuid", "text", "varchar"}


@dataclass(frozen=True)
class Ownership:
    """identity: columns that hold the owner's id. others: columns that hold a user's id, but not the owner's.

    links: foreign keys to tables with ownership.
    """

    identity: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    links: tuple[ForeignKey, ...] = ()

    @property
    def known(self) -> bool:
        return bool(self.identity or self.links)


def find_ownerships(catalog: ProbedCatalog) -> dict[int, Ownership]:
    """The ownership of every table, by oid. For a table without a path to auth.users it is not `known`."""
    users = _identity_columns(catalog)
    identity: dict[int, tuple[str, ...]] = {}
    for oid, table in catalog.tables.items():
        identity[oid] = _owner_columns(table, tuple(name for name in table.column if name in users[oid]))
    owned = {oid for oid, columns in identity.items() if columns}
    links: dict[int, tuple[ForeignKey, ...]] = {}
    # Each round reaches the tables one foreign key further away from auth.users.
    while True:
        links = {
            oid: tuple(
                key
                for key in table.foreign_keys
                if key.target in owned and key.target != oid and not set(key.columns) <= users[oid]
            )
            for oid, table in catalog.tables.items()
        }
        reached = {oid for oid, keys in links.items() if keys}
        if reached <= owned:
            break
        owned |= reached
    return {
        oid: Ownership(identity[oid], tuple(c for c in table.column if c in users[oid] - {*identity[oid]}), links[oid])
        for oid, table in catalog.tables.items()
    }


def is_assigned(table: ProbedTable, column: str, command: Literal["INSERT", "UPDATE"], grouped: bool) -> bool:
    """Whether users are put into the column by whoever may write the row, rather than writing in their own name.

    No policy for writing by `command` names it, and it is one of a pair that is unique (a member of a team, a student
    of a course), or has no usual name of an author. grouped: the rows belong to a group or a parent; who created one is
    then a note that opens nothing, unless a policy lets users in by it.
    """
    if any(column in policy.columns for policy in table.policies if policy.command in (command, "ALL")):
        return False
    if column in _CREATORS and (grouped or command == "UPDATE"):
        return not any(column in (policy.using or "") for policy in table.policies)
    if any(column in policy.columns for policy in table.policies if policy.command not in ("SELECT", "DELETE")):
        return False
    paired = any(column in unique.columns and len(unique.columns) > 1 for unique in table.uniques)
    return paired or column not in (*_NAMES, *_AUTHORS)


def with_group(ownerships: Mapping[int, Ownership], catalog: ProbedCatalog, group: int) -> dict[int, Ownership]:
    """The same, with the keys to the table `group` as links too: the members own its rows together."""
    changed = dict(ownerships)
    for oid, table in catalog.tables.items():
        known = ownerships[oid]
        added = tuple(key for key in table.foreign_keys if key.target == group and key not in known.links)
        if added and oid != group:
            changed[oid] = Ownership(known.identity, known.others, (*known.links, *added))
    return changed


def membership_tables(
    catalog: ProbedCatalog, ownerships: Mapping[int, Ownership], group: ProbedTable
) -> list[ProbedTable]:
    """The tables whose rows tie one user to one row of `group`."""
    return [
        table
        for table in catalog.tables.values()
        if ownerships[table.oid].identity and any(key.target == group.oid for key in table.foreign_keys)
    ]


def _identity_columns(catalog: ProbedCatalog) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {oid: set() for oid in catalog.tables}
    if catalog.users is None:
        return found
    _follow_keys(catalog, catalog.users.oid, found)
    for oid, table in catalog.tables.items():
        if table.exposed and not any(table.column[name].not_null for name in found[oid]):
            found[oid] |= {column.name for column in table.columns if _compared(table, column)}
    _follow_keys(catalog, catalog.users.oid, found)
    return found


def _follow_keys(catalog: ProbedCatalog, root: int, found: dict[int, set[str]]) -> None:
    """Add the columns that lead to the users' table `root`, or to a column that was found."""
    changed = True
    while changed:
        changed = False
        for oid, table in catalog.tables.items():
            for key in table.foreign_keys:
                for own, theirs in zip(key.columns, key.target_columns, strict=True):
                    is_user = theirs == "id" if key.target == root else theirs in found.get(key.target, ())
                    if is_user and oid != root and own not in found[oid]:
                        found[oid].add(own)
                        changed = True


def _compared(table: ProbedTable, column: ProbedColumn) -> bool:
    """True if a policy or the default says that a column without a foreign key holds the caller's id."""
    if column.type.name not in _UUID_OR_TEXT or any(column.name in key.columns for key in table.foreign_keys):
        return False
    if re.fullmatch(r"\(?auth\.uid\(\)\)?(?:::text)?", column.default or ""):
        return True
    spelled = f'(?:{re.escape(column.name)}|"{re.escape(column.name.replace(chr(34), chr(34) * 2))}")'
    name, caller = rf"\(*{spelled}\)*(?:::(?:text|uuid))?", r"\(*\s*(?:SELECT\s+)?\(?auth\.uid\(\)"
    pattern = re.compile(rf"(?<![\w.]){name} = {caller}|{caller}\)?(?:::text)?(?: AS uid)?\)* = {name}(?!\w)")
    return any(pattern.search(policy.condition) for policy in table.policies)


def _owner_columns(table: ProbedTable, users: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the columns with users' ids that name the owner: the ones that policies name, otherwise a usual name."""
    if len(users) < 2:
        return users
    named = {name for policy in table.policies for name in policy.columns}
    if chosen := tuple(name for name in users if name in named):
        return chosen
    return next(((name,) for name in _NAMES if name in users), users)
