"""One round of `local up --watch`: the database made what the files make, and what that changed."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from promthctl import database, local_stack, schema, seeds
from promthctl.developing import rows
from promthctl.developing.situation import Situation, read_situation
from promthctl.engines import Engine
from promthctl.engines.access import local_target, running_access
from promthctl.errors import PromthctlError
from promthctl.local_stack.reset import reset
from promthctl.migration_set import supabase_folder
from promthctl.schema import Catalog
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.typegen import generating, remembered

_SHOWN_AS = {"missing": "removed", "extra": "added", "different": "changed"}


@dataclass(frozen=True)
class Change:
    """A difference between the catalogs before and after. what: added, changed or removed. kind, name: as in
    schema.Difference. parts: of a table that was added or removed, its columns.
    """

    what: str
    kind: str
    name: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """saved: the files, relative to the project. did: nothing, applied, replayed, or waits where the engine would lose
    the rows. why: of a replay. applied: names of the files that were run. copied: how many came with a kept state.
    seeds: names of those that were run. changes: in the catalog. lost: how many rows a replay took away; kept: the
    snapshot that has those of them that no seed makes, None where there are none. types: files that were written.
    types_failed: why some could not be.
    """

    saved: tuple[str, ...]
    did: str
    why: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    copied: int = 0
    seeds: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    lost: int = 0
    kept: str | None = None
    types: tuple[str, ...] = ()
    types_failed: str | None = None


class Developing:
    """A running stack and what is known of it from one round to the next."""

    def __init__(self, settings: Settings, engine: Engine, steps: Steps, *, seeding: bool) -> None:
        """Raises TargetError where the stack does not run."""
        self._settings, self._engine, self._steps, self._seeding = settings, engine, steps, seeding
        self._unsettled: set[Path] = set()
        self._trace: rows.Trace | None = None

    def files(self) -> Iterator[Path]:
        """What a round depends on."""
        yield from supabase_folder.watched_files(self._settings)
        yield from seeds.watched_files(self._settings)

    def round(self, saved: Collection[Path]) -> Round:
        """Make the database what the files make.

        Raises PromthctlError, naming file and line, for a file that cannot be applied or run. A replay has then changed
        nothing; of new migrations those before the one that failed are applied. The next round tries again.
        """
        self._unsettled |= set(saved)
        target = local_target(running_access(self._engine))
        situation = read_situation(self._settings, target, self._unsettled, self._seeding)
        names = tuple(sorted(map(self._name, saved)))
        if situation.asked == "nothing":
            self._unsettled.clear()
            return Round(names, "nothing")
        if situation.asked == "replay" and not self._engine.keeps_copies:
            return Round(names, "waits", situation.why)
        before = self._catalog()
        done = self._replayed(situation, names) if situation.asked == "replay" else self._applied(names)
        self._unsettled.clear()
        return self._with_changes(done, before)

    def _applied(self, names: tuple[str, ...]) -> Round:
        result = local_stack.up(self._settings, self._engine, "", self._steps, seeding=self._seeding)
        ran = tuple(one.name for one in result.seeds.files) if result.seeds else ()
        return Round(names, "applied", applied=result.applied, seeds=ran)

    def _replayed(self, situation: Situation, names: tuple[str, ...]) -> Round:
        target = local_target(running_access(self._engine))
        kept = rows.keep_rows(self._settings, self._engine, target, self._trace, self._steps)
        result = reset(self._settings, self._engine, self._steps, seeding=self._seeding)
        self._trace = rows.read_trace(local_target(running_access(self._engine)))  # its port may be another now
        return Round(
            names,
            "replayed",
            situation.why,
            result.applied[result.copied :],
            result.copied,
            tuple(one.name for one in result.seeds.files) if result.seeds else (),
            lost=result.gone.rows,
            kept=kept.name if kept else None,
        )

    def _with_changes(self, done: Round, before: Catalog) -> Round:
        after = self._catalog()
        changes = tuple(_changes(before, after))
        written: list[str] = []
        failed = None
        try:
            written += self._write_types() if changes else ()
        except PromthctlError as error:
            failed = f"{error.what}: {error.why}"
        except OSError as error:
            failed = f"{error.filename}: {error.strerror or error}"
        return replace(done, changes=changes, types=tuple(written), types_failed=failed)

    def _write_types(self) -> Iterable[str]:
        target = local_target(running_access(self._engine))
        for one in remembered.remembered(self._settings):
            file = self._settings.project_dir / one.file
            text = generating.types_of(self._settings, target, one.language, one.schemas, self._steps)
            if not generating.is_current(file, text, one.language):
                file.write_text(text, encoding="utf-8")
                yield one.file

    def _catalog(self) -> Catalog:
        with database.connect(local_target(running_access(self._engine))) as connection:
            return schema.snapshot(connection)

    def _name(self, path: Path) -> str:
        with contextlib.suppress(ValueError):
            return str(path.relative_to(self._settings.project_dir))
        return str(path)


def _changes(before: Catalog, after: Catalog) -> Iterator[Change]:
    """Told from the catalogs; a table that came or went stands for all that belongs to it."""
    for one in schema.compare(before, after):
        columns = after if one.state == "extra" else before
        parts = [name for name in columns.of("columns") if one.kind == "tables" and name.startswith(f"{one.name}.")]
        shown = tuple(name.removeprefix(f"{one.name}.") for name in parts) if one.state != "different" else ()
        yield Change(_SHOWN_AS[one.state], one.kind, one.name, shown)
