"""promthctl dump, promthctl local clone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.copies.dumping import Dump
    from promthctl.local_stack.clone import Clone

_LISTED = 12


def dumped(result: Dump) -> Iterator[RenderableType]:
    unpacked = f", {size(result.unpacked)} of SQL" if result.unpacked != result.bytes else ""
    yield f"[bold green]Dumped[/bold green] {escape(result.target)} with pg_dump {result.pg_dump}"
    yield f"  {escape(result.path)}: {size(result.bytes)}{unpacked}, {count(result.tables, 'table')}"


def cloned(result: Clone) -> Iterator[RenderableType]:
    users = f", {count(result.users, 'user')}" if result.users else ""
    yield (
        f"[bold green]Cloned[/bold green] {escape(result.source)} to {escape(result.target)}: "
        f"{count(len(result.applied), 'migration')} applied, {count(result.tables, 'table')} with "
        f"{count(result.rows, 'row')}{users}"
    )
    if result.checked:
        yield f"  Compared: {count(result.checked, 'table')}, rows and checksums as in the source"
    if result.unlike == ():
        yield "  Compared: the schema, as in the source"
    if result.masked:
        yield f"  Masked: {escape(', '.join(result.masked))}"
    yield from _listed("Otherwise than in the source", result.unlike or ())
    yield from _listed("Extensions that cannot be had here", result.extensions)
    yield from _listed("Roles, made without login", result.roles)
    yield from _listed("Left out", result.left_out)
    if result.kept:
        yield f"The database that was in use is kept ({size(result.kept.bytes)}); to bring it back:"
        yield "  promthctl local reset --undo"


def _listed(title: str, names: tuple[str, ...]) -> Iterator[RenderableType]:
    if names:
        yield f"  {title}:"
        yield from (f"    {escape(name)}" for name in names[:_LISTED])
        if len(names) > _LISTED:
            yield f"    … and {len(names) - _LISTED:,} more (--json lists all)"
