"""manifest.json of a backup: what it holds, from where, and checksums that reveal damage.

The file is JSON as `Manifest.to_text` writes it, byte for byte; its last field is the SHA-256 of the text without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

NAME = "manifest.json"
FORMAT = 1
# How PostgreSQL writes values into the files and reads them again, whatever the session's settings; as in pg_dump.
SPELLING = """
set local row_security = off; set local timezone = 'UTC'; set local datestyle = 'ISO, YMD';
set local intervalstyle = 'postgres'; set local extra_float_digits = 1; set local bytea_output = 'hex';
set local xmloption = 'content'"""


class DamagedError(ValueError):
    """A manifest that cannot be used; its text says why."""


@dataclass(frozen=True)
class SavedColumn:
    """type: as SQL writes it, e.g. character varying(50)."""

    name: str
    type: str


@dataclass(frozen=True)
class SavedTable:
    """A table of a backup, whole, and what the rollback took of it.

    file: beside the manifest; gzip of PostgreSQL's COPY text format, UTF-8, these columns in this order (generated
    ones are left out). bytes, sha256: of that file. dropped: the table itself was dropped; otherwise the `lost` columns
    were dropped or got another type, and with `changed` rows were deleted or changed.
    """

    schema: str
    name: str
    columns: tuple[SavedColumn, ...]
    dropped: bool
    lost: tuple[str, ...]
    changed: bool
    rows: int
    file: str
    bytes: int
    sha256: str

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class SavedSequence:
    """A sequence that was dropped or set back. last_value: the last one it gave out."""

    schema: str
    name: str
    last_value: int


@dataclass(frozen=True)
class UndoneMigration:
    """A migration that the rollback undid. sha256: of its file, which created what the backup holds."""

    version: str
    filename: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """created: UTC, ISO 8601. target: its label. server: PostgreSQL's version number. undone: newest first."""

    created: str
    target: str
    server: int
    undone: tuple[UndoneMigration, ...]
    tables: tuple[SavedTable, ...]
    sequences: tuple[SavedSequence, ...]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables)

    def to_text(self) -> str:
        content = {"format": FORMAT, **asdict(self)}
        return _text({**content, "sha256": hashlib.sha256(_text(content).encode()).hexdigest()})

    @classmethod
    def from_text(cls, text: str) -> Manifest:
        """Raises DamagedError for what this version of promthctl did not write."""
        try:
            content = json.loads(text)
            number = content["format"]
        except (ValueError, TypeError, KeyError):
            raise DamagedError("its manifest is damaged") from None
        if number != FORMAT:
            raise DamagedError(f"its manifest has format {number!r}; this promthctl reads format {FORMAT}")
        try:
            made = cls._from(content)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise DamagedError("its manifest is damaged") from None
        if made.to_text() != text:
            raise DamagedError("its manifest is damaged, or was edited")
        return made

    @classmethod
    def _from(cls, content: Mapping[str, Any]) -> Manifest:
        return cls(
            created=str(content["created"]),
            target=str(content["target"]),
            server=int(content["server"]),
            undone=tuple(UndoneMigration(**one) for one in content["undone"]),
            tables=tuple(
                SavedTable(
                    **{
                        **one,
                        "columns": tuple(SavedColumn(**column) for column in one["columns"]),
                        "lost": tuple(one["lost"]),
                    }
                )
                for one in content["tables"]
            ),
            sequences=tuple(SavedSequence(**one) for one in content["sequences"]),
        )


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
