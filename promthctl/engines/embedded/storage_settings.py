"""`[storage]` of supabase/config.toml, as the embedded engine's Storage takes it.

Source of names and defaults: https://supabase.com/docs/guides/local-development/cli/config
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promthctl.errors import UsageError
from promthctl.project_files import table_of

STORAGE_FOLDER = "storage"  # beside the databases
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)


def storage_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """{enabled, fileSizeLimit (bytes), buckets: [{id, public, file_size_limit (bytes), allowed_mime_types,
    objects_path}]}.

    Raises UsageError for a value of a wrong type.
    """
    table = table_of(document, "storage", where="supabase/config.toml")
    enabled = table.get("enabled", True)
    if not isinstance(enabled, bool):
        raise _wrong("storage", "enabled", enabled, "true")
    names = table_of(document, "storage", "buckets", where="supabase/config.toml")
    return {
        "enabled": enabled,
        "fileSizeLimit": _size("storage", table.get("file_size_limit", "50MiB")),
        "buckets": [_bucket(document, name) for name in names],
    }


def _bucket(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What config.toml says of a bucket; what it does not say stays as it is in the database."""
    table = table_of(document, "storage", "buckets", name, where="supabase/config.toml")
    where, found = f"storage.buckets.{name}", dict[str, Any](id=name)
    if "public" in table:
        if not isinstance(table["public"], bool):
            raise _wrong(where, "public", table["public"], "false")
        found["public"] = table["public"]
    if "file_size_limit" in table:
        found["file_size_limit"] = _size(where, table["file_size_limit"]) or None
    if "allowed_mime_types" in table:
        types = table["allowed_mime_types"]
        if not isinstance(types, list) or not all(isinstance(one, str) for one in types):
            raise _wrong(where, "allowed_mime_types", types, '["image/png"]')
        found["allowed_mime_types"] = types or None
    if "objects_path" in table:
        if not isinstance(table["objects_path"], str):
            raise _wrong(where, "objects_path", table["objects_path"], f'"./{name}"')
        found["objects_path"] = table["objects_path"]
    return found


def _size(where: str, value: object) -> int:
    """Bytes. As in the Supabase CLI, KB and KiB are both 1024 bytes."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        return int(float(found[1]) * 1024 ** " kmgtp".index(found[2].lower() or " "))
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise _wrong(where, "file_size_limit", value, '"50MiB"')


def _wrong(where: str, key: str, value: object, right: str) -> UsageError:
    return UsageError(
        f"supabase/config.toml has a wrong [{where}] {key}",
        f"it is {value!r}",
        f"write {key} = {right}, or leave the line out",
    )
