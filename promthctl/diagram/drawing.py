"""`promthctl diagram`: the tables that the migrations make, or those of a target, drawn into a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promthctl import database, schema, shadow
from promthctl.diagram import graphviz, page
from promthctl.diagram.dot import to_dot
from promthctl.diagram.grouping import all_groups
from promthctl.diagram.mermaid import to_mermaid
from promthctl.diagram.model import Diagram, diagram_of
from promthctl.errors import PromthctlError, RefusedError, UsageError
from promthctl.migration_set import supabase_folder
from promthctl.migration_set.problems import os_reason, shell_quote
from promthctl.migration_set.sync import replace_file
from promthctl.project_files import missing_folder
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

FORMATS = (".svg", ".html", ".mmd", ".dot")
COLUMNS = ("all", "keys")
_MARK = "Made by promthctl diagram"
_MARKED_WITHIN = 200  # characters; the mark stands in the first lines of each format


@dataclass(frozen=True)
class Drawing:
    """source: what it was read from. references: how many foreign keys are lines. groups: their names. columns: "all"
    or "keys", what is shown first. without_rls: tables as they are titled. written: False where the file was so before.
    """

    file: Path
    source: str
    tables: int
    references: int
    groups: tuple[str, ...]
    columns: str
    without_rls: tuple[str, ...]
    written: bool


def draw(
    settings: Settings,
    file: Path,
    target: Target | None,
    schemas: Sequence[str],
    columns: str | None,
    force: bool,
    steps: Steps,
) -> Drawing:
    """Draw the tables of a target, or without one those that the migrations make.

    file: absolute; its ending is one of FORMATS. schemas: only those; none for all. columns: one of COLUMNS; None
    leaves it to the number of tables. force: overwrite any file.
    Raises UsageError for an unknown ending or schema, RefusedError for a file that should not be overwritten,
    PromthctlError where there is nothing to draw or it cannot be written, and what shadow and target raise.
    """
    _check(file, columns, force)
    plan = supabase_folder.plan_project_sync(settings, (), force=True, history=())
    if refusal := plan.refusal:
        raise refusal
    migrations = supabase_folder.expected_migrations(settings, plan)
    if target is None:
        catalog = shadow.catalog_after_all(settings, migrations, steps)
        source = "the migrations"
    else:
        with database.connect(target) as connection:
            catalog = schema.snapshot(connection)
        source = target.label
    groups = all_groups(settings, migrations)
    found = diagram_of(catalog, groups, schemas)
    there = {table.name for table in diagram_of(catalog, {}).tables}
    if unknown := [
        f"{schema}.{name}"
        for names in settings.diagram_groups.values()
        for schema, name in names
        if (schema, name) not in there
    ]:
        steps.note(f"note: groups in pyproject.toml names no table of {source}: {', '.join(unknown)}")
    if not found.tables:
        raise _nothing(source, schemas, catalog)
    shown = columns or ("keys" if found.is_large else "all")
    text = _text(settings, file, found, shown, steps)
    return Drawing(
        file,
        source,
        len(found.tables),
        len(found.references),
        found.groups,
        shown,
        tuple(table.title for table in found.tables if not table.rls),
        _write(file, text),
    )


def picture_of(settings: Settings, catalog: schema.Catalog, steps: Steps) -> str:
    """The tables of a catalog by schema and the groups of pyproject.toml, as SVG for a page; empty without tables.

    Raises what Graphviz raises.
    """
    found = diagram_of(catalog, all_groups(settings, ()))
    if not found.tables:
        return ""
    [drawn] = graphviz.draw(settings, [to_dot(found, _MARK, not found.is_large)], steps)
    return page.to_part(drawn)


def _check(file: Path, columns: str | None, force: bool) -> None:
    what = f"{file} was not written"
    if file.suffix.lower() not in FORMATS:
        why = f"{file.name} does not end in one of {', '.join(FORMATS)}"
        raise UsageError(what, why, f"promthctl diagram {shell_quote(f'{file.name}.svg')}")
    if columns is not None and columns not in COLUMNS:
        raise UsageError(what, f"--columns is {' or '.join(COLUMNS)}", "promthctl diagram schema.svg --columns keys")
    if not file.parent.is_dir():
        raise RefusedError(what, *missing_folder(file.parent))
    if force or not file.exists():
        return
    if not file.is_file() or _MARK not in file.read_bytes()[:_MARKED_WITHIN].decode("utf-8", "replace"):
        raise RefusedError(
            what, "it exists already and is not a diagram of ours", "choose another name, or overwrite it with --force"
        )


def _nothing(source: str, schemas: Sequence[str], catalog: schema.Catalog) -> PromthctlError:
    names = {diagram_name for diagram_name, _ in (table.name for table in diagram_of(catalog, {}).tables)}
    if schemas and names:
        why = f"{source} has tables in: {', '.join(sorted(names))}"
        return UsageError("There is nothing to draw", why, f"promthctl diagram schema.svg --schema {sorted(names)[0]}")
    hint = "promthctl migrations new NAME, and write its tables"
    return PromthctlError("There is nothing to draw", f"no table was found in {source}", hint)


def _text(settings: Settings, file: Path, found: Diagram, shown: str, steps: Steps) -> str:
    mark, everything = f"{_MARK}. Changes are lost when it runs again.", shown == "all"
    kind = file.suffix.lower()
    if kind == ".mmd":
        return to_mermaid(found, mark, everything)
    if kind == ".dot":
        return to_dot(found, mark, everything)
    if kind == ".svg":
        [drawn] = graphviz.draw(settings, [to_dot(found, mark, everything)], steps)
        return page.to_svg(drawn, mark)
    keys, full = graphviz.draw(settings, [to_dot(found, mark, False), to_dot(found, mark, True)], steps)
    return page.to_page(keys, full, settings.project_dir.name or "Tables", mark, everything)


def _write(file: Path, text: str) -> bool:
    """Whether the file had to be written."""
    try:
        if file.is_file() and file.read_bytes() == text.encode():
            return False
        replace_file(file.resolve(), text.encode())
        return True
    except OSError as error:
        hint = f"ls -ld {shell_quote(str(file.parent))} shows who owns the folder; choose one you may write to"
        raise PromthctlError(f"{file} cannot be written", os_reason(error), hint) from None
