"""What several views share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from promthctl.views.fitting import FittingTable

if TYPE_CHECKING:
    from promthctl.schema import Difference

COPIED = "copied from a database kept earlier"  # migrations of a new database that were not run for it
OK, BAD = "[green]✔[/green]", "[red]✘[/red]"
_YES, _NO, _UNKNOWN = "[green]yes[/green]", "no", "[dim]?[/dim]"


def table(*columns: str) -> Table:
    """A table without lines, whose words are not broken where the terminal is narrow, see FittingTable."""
    made = FittingTable(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name, overflow="fold")
    return made


def foreign(names: Iterable[str]) -> Iterator[str]:
    if listed := [escape(name) for name in names]:
        yield f"Left alone, not from the source: {', '.join(listed)}"


def removed(names: Iterable[str]) -> Iterator[str]:
    if listed := [escape(name) for name in names]:
        yield f"Removed from supabase/migrations, copies whose source is gone: {', '.join(listed)}"


def skipped(names: Iterable[str]) -> Iterator[str]:
    if listed := [escape(name) for name in names]:
        yield f"Not applied, for the Supabase CLI takes only names like 001_name.sql: {', '.join(listed)}"


def differing(one: Difference, remark: str = "") -> Iterator[str]:
    """A difference between two catalogs, with the SQL that fixes it. remark: markup."""
    yield f"{BAD} {one.state} {one.kind}: {escape(one.name)}{remark}"
    yield from (f"      [dim]fix:[/dim] {escape(line)}" for line in one.fix.splitlines())


def unread(names: Iterable[str]) -> Iterator[str]:
    """Objects that are compared by their names alone, for which there is no SQL."""
    yield from (f"{BAD} different, and no SQL is known for it: {escape(name)}" for name in names)


def flag(value: bool | None) -> str:
    return _UNKNOWN if value is None else _YES if value else _NO
