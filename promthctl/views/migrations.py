"""promthctl migrations …"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import all_of, count
from promthctl.views.common import BAD, OK, differing, flag, foreign, table, unread

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.adoption.adopting import Adoption
    from promthctl.migration_files.bundling import Bundle
    from promthctl.migration_files.converting import Conversion
    from promthctl.migration_files.down_scripts import DownScripts
    from promthctl.migration_files.fetching import Fetch
    from promthctl.migration_files.pulling import Pull
    from promthctl.migration_files.renumbering import Renumbering
    from promthctl.migration_set import MigrationRow, NewMigration, SyncPlan
    from promthctl.mr_promth.project import InitResult
    from promthctl.setting_up import Begun


def sync(plan: SyncPlan) -> Iterator[RenderableType]:
    for word, names in (
        ("added", [migration.filename for migration in plan.added]),
        ("overwritten", [difference.migration.filename for difference in plan.overwritten]),
        ("removed, its source is gone", plan.removed),
        ("renamed", [f"{rename.old} → {rename.migration.filename}" for rename in plan.renamed]),
        ("differs, and is applied", [difference.migration.filename for difference in plan.refused]),
        ("has the version of another file", [conflict.other for conflict in plan.conflicts]),
    ):
        yield from (f"{word}: {escape(name)}" for name in names)
    for difference in (*plan.overwritten, *plan.refused):
        yield escape(difference.diff)
    yield f"{len(plan.unchanged)} unchanged in {escape(str(plan.destination))}"
    yield from foreign(plan.foreign)


def migrations(rows: Sequence[MigrationRow]) -> Iterator[RenderableType]:
    shown = table("Version", "Name", "In source", "In supabase/", "Applied", "Edited since")
    for row in rows:
        shown.add_row(
            row.version,
            escape(row.name) + (f" [dim](now in {escape(row.squashed)})[/dim]" if row.squashed else ""),
            flag(row.in_source),
            flag(row.in_supabase),
            flag(row.applied),
            "[red]yes[/red]" if row.edited else "-" if row.edited is None else "no",
        )
    yield shown
    if any(row.applied is None for row in rows):
        yield "[dim]Applied is unknown: the local stack is not running (promthctl local up)[/dim]"


def new(made: NewMigration) -> Iterator[RenderableType]:
    for path in (made.up, made.down):
        if path is not None:
            yield f"[bold green]Created[/bold green] {escape(str(path))}"


def from_schemas(made: Pull) -> Iterator[RenderableType]:
    if made.refused:
        yield f"{BAD} No migration was made: what was drafted leaves {count(len(made.left), 'difference')}"
        for one in made.left:
            yield from differing(one)
        yield "Next: promthctl migrations new NAME, and write the migration by hand"
    elif not made.written:
        yield f"{OK} Nothing to write: the migrations make what the schema files declare"
    else:
        yield from (f"[bold green]Created[/bold green] {escape(path)}" for path in made.written)
        yield "Tried with the Supabase CLI: after it the schema is as declared, after the down script the one before."
    yield from unread(made.unread)
    if made.rows:
        yield f"Rows are not part of it; the schema files leave some in {escape(', '.join(made.rows))}:"
        yield "  write their inserts into a migration (promthctl migrations new NAME), or into supabase/seed.sql"
    if made.reordered:
        yield f"The columns come in another order in the schema files: {escape(', '.join(made.reordered))}"


def init(result: InitResult) -> Iterator[RenderableType]:
    yield from (f"[bold green]Written[/bold green] {escape(str(path))}" for path in result.written)
    yield "Next: promthctl local up" if result.written else "That is set up already; nothing was changed."


def begun(result: Begun) -> Iterator[RenderableType]:
    yield from (f"Found, and left as it is: {escape(each)}" for each in result.found)
    yield from (f"[bold green]Written[/bold green] {escape(str(path))}" for path in result.written)
    if not result.written:
        yield "Nothing had to be written."
    yield "Next: promthctl local up"


def adoption(found: Adoption) -> Iterator[RenderableType]:
    target, push = escape(found.target), f"promthctl push{escape(found.options)}"
    again = f"promthctl migrations adopt{escape(found.options)}"
    for gap in found.gaps:
        yield from differing(gap.difference, f" [dim]({escape(gap.migration)})[/dim]")
    if found.gaps:
        names = list(dict.fromkeys(escape(gap.migration) for gap in found.gaps))
        verb = "is" if len(names) == 1 else "are"
        yield f"[bold red]Refused:[/bold red] {', '.join(names)} {verb} there only in part; nothing was recorded"
        yield f"Run the SQL above on {target}, then {again} again"
        return
    if found.adopted:
        verb = "[bold green]Recorded[/bold green]" if found.done else "Would record"
        yield f"{verb} {count(len(found.adopted), 'migration')} as applied to {target}"
        yield from (f"  {escape(name)}" for name in found.adopted)
    elif len(found.recorded) == found.total and not found.replacing:
        yield f"Nothing to do: {all_of(found.total, 'migration', f'recorded on {target}')}"
    elif not found.replacing:
        yield f"Nothing to adopt on {target}"
    for name in found.replacing:
        verb = "[bold green]Recorded[/bold green]" if found.done else "Would record"
        yield f"{verb} {escape(name)} in place of what it stands for"
    if found.absent:
        yield f"Not there, so {push} applies it: {', '.join(map(escape, found.absent))}"
    for name in found.unproven:
        version = name.partition("_")[0]
        yield (
            f"{escape(name)} changes rows only, so nothing proves that it ran: {push} applies it;"
            f" if it has run already, {again} --assume {version}"
        )
    if found.beyond:
        yield f"[dim]Left alone, made by no migration: {', '.join(map(escape, found.beyond))}[/dim]"


def renumbering(made: Renumbering) -> Iterator[RenderableType]:
    if not made.renamed:
        yield f"Nothing to do: {count(made.total, 'migration')}, each with a version of its own"
        return
    verb = "[bold green]Renamed[/bold green]" if made.done else "Would rename"
    yield f"{verb} {count(len(made.renamed), 'migration')}, with their down scripts and copies"
    yield from (f"  {escape(old)} → {escape(new)}" for old, new in made.renamed)
    if made.order == "git":
        yield "Of files with one version, the one that git has had longest comes first."
    elif made.order == "name":
        names = "; ".join(", ".join(map(escape, group)) for group in made.undecided)
        yield f"Of files with one version, the first by name comes first where git knows none as the older: {names}."
    elif made.order == "history":
        yield "Of files with one version, the one that is applied there keeps it."
    elif made.order == "trial":
        yield "Of files with one version, the order by age or name fails on a fresh database; another was found."
    yield "In this order they were applied to a throw-away database, without an error."
    if made.asked is None:
        yield (
            "[yellow]No history was asked:[/yellow] if one of these is applied somewhere, name that target, e.g."
            " --project-ref REF, and its version stays."
        )


def conversion(made: Conversion) -> Iterator[RenderableType]:
    if not made.written:
        yield "Nothing to do: no file of another migration tool was found"
        return
    for verb, names in (("Written" if made.done else "Would write", made.written), ("removed", made.removed)):
        yield from (f"{verb}: {escape(name)}" for name in names)
    if made.proven:
        yield "The migrations were applied to a throw-away database, without an error."
    else:
        yield "Not tried yet, for several files share a version. Next: promthctl migrations renumber"
    yield "A database that got these migrations from the other tool has no history that the Supabase CLI reads. What is"
    yield "proven to be there is recorded by: promthctl migrations adopt --db-url URL (or --project-ref, --target)"


def fetch(made: Fetch) -> Iterator[RenderableType]:
    if not made.written and not made.not_written:
        what = count(made.there, "version")
        yield f"Nothing to do: {what} in the history of {escape(made.target)}, each with its file here"
    yield from (f"{'Written' if made.done else 'Would write'}: {escape(name)}" for name in made.written)
    for one in made.not_written:
        yield f"[yellow]Not written:[/yellow] {escape(one.version)}: {escape(one.why)}"


def down_scripts(made: DownScripts) -> Iterator[RenderableType]:
    if not made.written and not made.not_written:
        yield "Nothing to do: every migration has its down script"
    for name in made.written:
        yield f"{'[bold green]Written[/bold green]' if made.done else 'Would write'}: {escape(name)}"
    if made.written:
        each = "Tried" if len(made.written) == 1 else "Each was tried"
        yield f"{each} in a throw-away database: after up and down the schema is the one before."
    for one in made.not_written:
        yield f"{BAD} None for {escape(one.migration)}: {escape(one.why)}"
        for difference in one.left:
            yield from differing(difference)
        yield from unread(one.unread)
        yield f"  Next: write {escape(one.path)}"


def bundle(made: Bundle) -> Iterator[RenderableType]:
    size = f"{count(len(made.migrations), 'migration')}, {count(made.transactions, 'transaction')}"
    yield f"[bold green]Wrote[/bold green] {escape(str(made.file))}: {size}"
    if made.proven:
        yield "Tried on a throw-away database: it leaves the schema that the Supabase CLI makes of these files."
    else:
        yield "[yellow]It was not tried.[/yellow]"
    yield "Paste it into the SQL editor of the project's dashboard and run it, or: psql -f FILE"
