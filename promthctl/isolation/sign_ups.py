"""Made users: what auth.users gets, and what its triggers may ask of somebody who signs up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from promthctl.isolation.sandbox import email
from promthctl.isolation.tables import ProbedCatalog, ProbedTable

# What a user in auth.users gets besides an id; columns that the table does not have are left out.
_USER: dict[str, str] = {
    "instance_id": "00000000-0000-0000-0000-000000000000",
    "aud": "authenticated",
    "role": "authenticated",
    "raw_app_meta_data": '{"provider": "email", "providers": ["email"]}',
    "email_confirmed_at": "now",
    "created_at": "now",
    "updated_at": "now",
}
_MOST = 20  # ways to sign up
_KEY = re.compile(r"->>?\s*'(\w+)'")
_WORD = re.compile(r"(?<!>)(?<!> )'([\w-]{2,30})'")


def new_user(user: str) -> dict[str, str]:
    """By column, what a new user's row holds."""
    names = {"name": "Test", "full_name": "Test User", "user_name": f"u{user[:8]}", "username": f"u{user[:8]}"}
    return {"id": user, "email": email(user), "raw_user_meta_data": json.dumps(names), **_USER}


def sign_ups(users: ProbedTable, catalog: ProbedCatalog) -> Iterator[str]:
    """What users may have to say about themselves (user_metadata, as JSON) for auth.users' triggers to let them in.

    The keys are those that the triggers look up; each word that they, or the checks of the tables they fill, mention is
    a value for all of them.
    """
    source = " ".join(trigger.source for trigger in users.triggers)
    keys = [key for key in dict.fromkeys(_KEY.findall(source)) if not key.endswith("id")]
    filled = [table for table in catalog.tables.values() if re.search(rf"\b{re.escape(table.name)}\b", source)]
    checks = " ".join(check.definition for table in filled for check in table.checks)
    for word in list(dict.fromkeys((*_WORD.findall(checks), *_WORD.findall(source))))[:_MOST] if keys else ():
        yield json.dumps({"name": "Test", **dict.fromkeys(keys, word)})
