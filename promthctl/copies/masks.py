"""What is written in the place of a column's values, before a row reaches the copy.

Equal values get equal masks, so that unique columns stay unique; they come from a hash with a salt that nobody keeps.
Where a type has no such mask, NULL is written, or the type's plainest value where NULL may not be.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promthctl.errors import UsageError
from promthctl.sql.quoting import identifier, literal

if TYPE_CHECKING:
    import psycopg

_TEXTS = re.compile(r"(?:text|citext|name|character varying|character|\"?[\w.]*citext\"?)(?:\((\d+)\))?")
_WHOLE = {"smallint": (4, 15), "integer": (8, 31), "bigint": (16, 63)}  # digits of the hash, bits that are kept
_PLAIN = {
    "boolean": "f",
    "real": "0",
    "double precision": "0",
    "date": "1970-01-01",
    "json": "{}",
    "jsonb": "{}",
    "bytea": "\\x",
    "interval": "0",
    "inet": "0.0.0.0",  # noqa: S104 - a value
    "cidr": "0.0.0.0/32",
}
_TIMES = re.compile(r"(timestamp|time)\b.*")
PREFIX = "masked-"
# Without the passwords: what signs a user in. Auth expects texts, not NULL.
PASSWORDS = (
    *("encrypted_password", "confirmation_token", "recovery_token", "email_change_token_new"),
    *("email_change_token_current", "phone_change_token", "reauthentication_token"),
)
_COLUMNS = """
select a.attname::text, format_type(t.base, case when t.base = a.atttypid then a.atttypmod else t.typmod end),
       a.attnotnull or t.not_null, a.attgenerated <> '',
       exists (select from pg_constraint k where k.contype = 'f' and (
                 k.conrelid = a.attrelid and a.attnum = any (k.conkey)
                 or k.confrelid = a.attrelid and a.attnum = any (k.confkey))),
       exists (select from pg_partitioned_table p where p.partrelid = a.attrelid and a.attnum = any (p.partattrs))
  from pg_attribute a, lateral (
    with recursive d as (
      select oid, typtype, typbasetype, typtypmod, typnotnull as not_null from pg_type where oid = a.atttypid
       union all select p.oid, p.typtype, p.typbasetype, p.typtypmod, d.not_null or p.typnotnull
         from d join pg_type p on d.typtype = 'd' and p.oid = d.typbasetype)
    select (select oid from d where typtype <> 'd') as base, bool_or(not_null) as not_null,
           (select typtypmod from d where typtype = 'd' order by typtypmod desc limit 1) as typmod from d) t
 where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped and a.attname = %s"""


@dataclass(frozen=True)
class Mask:
    """Of one column. type: as format_type has it, of a domain its base. instead: what stands for all values; None for
    a mask that is made of each. null: NULL stands for all.
    """

    table: str
    column: str
    type: str
    instead: str | None = None
    null: bool = False
    salt: str = field(default="", repr=False)

    def expression(self) -> str:
        """SQL for what the source is asked instead of the column."""
        if self.null:
            return "null"
        name = identifier(self.column)
        if self.instead is not None:
            return f"case when {name} is not null then {literal(self.instead)} end"
        digest = f"md5({literal(self.salt)} || {name}::text)"
        if self.type == "uuid":
            return f"{digest}::uuid"
        if self.type in _WHOLE:
            digits, bits = _WHOLE[self.type]
            number = f"('x' || substr({digest}, 1, {digits}))::bit({digits * 4})::bigint"
            return f"({number} & {2**bits - 1})"
        made = f"'{PREFIX}' || substr({digest}, 1, 16)"
        made = f"{made} || case when position('@' in {name}::text) > 0 then '@example.com' else '' end"
        return f"case when {name} is not null then {_cut(made, self._length, digest)} end"

    def value(self, given: bytes) -> bytes:
        """The same for a field of COPY's text format."""
        if given == b"\\N" or self.null:
            return b"\\N"
        if self.instead is not None:
            return self.instead.replace("\\", "\\\\").encode()
        digest = hashlib.md5(self.salt.encode() + given).hexdigest()  # noqa: S324 - salted, and no password
        if self.type == "uuid":
            return digest.encode()
        if self.type in _WHOLE:
            digits, bits = _WHOLE[self.type]
            return str(int(digest[:digits], 16) & (2**bits - 1)).encode()
        made = f"{PREFIX}{digest[:16]}{'@example.com' if b'@' in given else ''}"
        length = self._length
        return (made if length is None or length >= len(made) else digest[:length]).encode()

    def unmasked(self) -> str:
        """SQL that is true of a row of the copy whose value is not a mask."""
        name = identifier(self.column)
        if self.null:
            return f"{name} is not null"
        if self.instead is not None:
            return f"{name}::text <> {literal(self.instead)}::{self.type}::text"
        if _TEXTS.fullmatch(self.type) and (self._length or 99) >= len(PREFIX) + 28:
            return f"{name}::text !~ '^{PREFIX}[0-9a-f]{{16}}(@example[.]com)?$'"
        return "false"  # made of each value: nothing to tell it by

    @property
    def _length(self) -> int | None:
        found = _TEXTS.fullmatch(self.type)
        return int(found[1]) if found and found[1] else None


def _cut(made: str, length: int | None, digest: str) -> str:
    if length is None:
        return made
    return f"case when length({made}) <= {length} then {made} else left({digest}, {length}) end"


class Masks:
    """All of one copy. wanted: (table, column) as "schema.name", "column"."""

    def __init__(self, wanted: Iterable[tuple[str, str]], passwords: bool) -> None:
        self.wanted = frozenset(wanted)
        self._salt = secrets.token_hex(16)
        self._made: dict[tuple[str, str], Mask] = {}
        if not passwords:
            for name in PASSWORDS:
                self._made["auth.users", name] = Mask("auth.users", name, "text", instead="")
        if ("auth.users", "email") in self.wanted or ("auth.users", "phone") in self.wanted:  # they stand there, too
            for table, name in (("auth.identities", "identity_data"), ("auth.users", "raw_user_meta_data")):
                self._made.setdefault((table, name), Mask(table, name, "jsonb", instead="{}"))

    def find(self, connection: psycopg.Connection[Any], table: str | None = None) -> None:
        """Learn the types of all columns, or of one table's. Raises UsageError for one that cannot be masked."""
        for named, column in sorted(self.wanted):
            if table in (None, named):
                row = connection.execute(_COLUMNS, (_quoted(named), column)).fetchone()
                self._made[named, column] = self._mask(named, column, row)

    def check(self, connection: psycopg.Connection[Any]) -> tuple[str, int] | None:
        """A column of the copy that has values which are not masks, and how many; None where there is none."""
        for mask in self.asked():
            query = f"select count(*) from {_quoted(mask.table)} where {mask.unmasked()}"  # noqa: S608 - quoted
            ((count,),) = connection.execute(query.encode()).fetchall()
            if count:
                return f"{mask.table}.{mask.column}", int(count)
        return None

    def expressions(self) -> dict[tuple[str, str], str]:
        return {place: mask.expression() for place, mask in self._made.items()}

    def of(self, table: str) -> dict[str, Mask]:
        """By column."""
        return {column: mask for (named, column), mask in self._made.items() if named == table}

    def asked(self) -> list[Mask]:
        """Those that were asked for. Raises UsageError for a column that nothing was found out about."""
        for table, column in sorted(self.wanted - self._made.keys()):
            raise cannot(table, column, "no rows came for such a table")
        return [self._made[place] for place in sorted(self.wanted)]

    def _mask(self, table: str, column: str, row: tuple[Any, ...] | None) -> Mask:
        if row is None:
            raise cannot(table, column, "there is no such column")
        _, type_, not_null, generated, referred, partitions = row
        if generated:
            raise cannot(table, column, "it is generated: mask the columns that it is made of")
        if referred:
            raise cannot(table, column, "a foreign key goes out from it or leads to it: a mask would point nowhere")
        if partitions:
            raise cannot(table, column, "it decides which partition a row is in")
        if type_ == "uuid" or type_ in _WHOLE or _TEXTS.fullmatch(type_):
            return Mask(table, column, type_, salt=self._salt)
        if not not_null:
            return Mask(table, column, type_, null=True)
        plain = "{}" if type_.endswith("[]") else _PLAIN.get(type_)
        if plain is None and _TIMES.fullmatch(type_):
            plain = "1970-01-01 00:00:00+00" if type_.startswith("timestamp") else "00:00:00+00"
        if plain is None and type_.startswith("numeric"):
            plain = "0"
        if plain is None:
            raise cannot(
                table, column, f"of its type, {type_}, no value is known that says nothing, and it is not null"
            )
        return Mask(table, column, type_, instead=plain)


def read_wanted(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The values of --mask: TABLE.COLUMN or SCHEMA.TABLE.COLUMN, separated by commas. Raises UsageError."""
    found = []
    for one in (part.strip() for text in given for part in text.split(",")):
        parts = one.split(".")
        if len(parts) not in (2, 3) or not all(parts):
            why = f"{one!r} is not TABLE.COLUMN or SCHEMA.TABLE.COLUMN"
            raise UsageError("--mask cannot be understood", why, "--mask customers.email,auth.users.email")
        schema, table, column = parts if len(parts) == 3 else ("public", *parts)
        found.append((f"{schema}.{table}", column))
    return tuple(found)


def cannot(table: str, column: str, why: str) -> UsageError:
    return UsageError(f"{table}.{column} cannot be masked", why, "correct --mask, or leave that column out of it")


def _quoted(table: str) -> str:
    schema, _, name = table.partition(".")
    return f"{identifier(schema)}.{identifier(name)}"
