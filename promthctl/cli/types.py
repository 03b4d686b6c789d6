"""promthctl types: the schema as types of a programming language."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli.files import writable
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import FromMigrations, with_target
from promthctl.cli.sources import target_or_migrations
from promthctl.errors import UsageError
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(add_completion=False)


class Language(StrEnum):
    typescript = "typescript"
    python = "python"
    go = "go"
    swift = "swift"
    dart = "dart"


@app.command("types")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    language: Annotated[Language, typer.Argument(help="The language.")] = Language.typescript,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write them there, where they changed.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if FILE is not what they are now.")
    ] = False,
    schema: Annotated[
        list[str] | None,
        typer.Option(
            "--schema",
            metavar="NAME",
            help="Only this schema. May be repeated. [default: those of the API]",
        ),
    ] = None,
    from_migrations: FromMigrations = False,
) -> None:
    """Print the schema as types of a programming language, or write them to a file.

    The Supabase CLI makes them, without Docker, of the target, of the local stack, or where none runs of a throw-away
    database with the migrations. A file of TypeScript that a formatter has been at is current, too. For Swift the CLI
    needs supabase-typegen on PATH, for Dart the Dart SDK.

    `promthctl local up --watch` writes FILE again when the schema of the local stack changes.
    """
    from promthctl.typegen import generating, remembered
    from promthctl.views import types as views

    run: Invocation = context.obj
    if check and output is None:
        raise UsageError("--check needs a file", "it compares the types with those in one", "add --output FILE")
    file = writable(run.settings.project_dir / run.typed_path(output), "--output", "types.ts") if output else None
    target = target_or_migrations(run, choice, from_migrations)
    text = generating.types_of(run.settings, target, language, schema or (), run.output)
    label = target.label if target else "a database made from the migrations"
    if file is None:
        run.output.verbatim(text)
        return
    changed = not generating.is_current(file, text, language)
    if changed and not check:
        file.write_text(text, encoding="utf-8")
    if not check and (target is None or target.local):
        remembered.remember(run.settings, file, language, schema or ())
    result = generating.TypesResult(label, language, str(file), changed, changed and not check)
    run.output.show(result, views.types)
    if changed and check:
        raise typer.Exit(1)
