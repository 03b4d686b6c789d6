"""What the project has. Of variables and settings only the names are told, never the values."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator

from promthctl.doctor.finding import Finding, of_error
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.hosted.management import access_token
from promthctl.migration_set import supabase_folder
from promthctl.migration_set.source import find_source
from promthctl.project_files import read_dotenv
from promthctl.settings import Settings
from promthctl.state import StateDir

# Tables of supabase/config.toml (Supabase CLI 3.1.0, `supabase init`), and those that the embedded engine obeys.
_OBEYED = {"project_id", "api", "db", "auth", "storage"}
_KNOWN = _OBEYED | {
    "analytics", "edge_runtime", "experimental", "functions", "inbucket", "local_smtp", "realtime", "remotes", "studio",
}  # fmt: skip


def dotenv(settings: Settings) -> Iterator[Finding]:
    path = settings.project_dir / ".env"
    if not path.is_file():
        yield Finding(".env", "ok", "there is none")
        return
    values, _ = read_dotenv(path)
    filled = [name for name, value in values.items() if value.strip()]
    empty = [name for name in values if name not in filled]
    told = f"sets {', '.join(filled) or 'nothing'}" + (f"; empty: {', '.join(empty)}" if empty else "")
    yield Finding(".env", "ok", told)
    if settings.unreadable:
        lines = ", ".join(map(str, settings.unreadable))
        yield Finding(".env", "warning", f"line {lines}: not NAME=value, and left out", "correct these lines of .env")
    if settings.exposed is not None:
        fix = f"chmod 600 {shlex.quote(str(settings.exposed))}"
        yield Finding(".env", "warning", "other users of this machine can read its secrets", fix, by_itself=True)


def permissions(settings: Settings) -> Iterator[Finding]:
    state = StateDir(settings.state_dir)
    if not os.access(settings.project_dir, os.W_OK):
        yield Finding("Permissions", "failure", f"{settings.project_dir} cannot be written", "choose a folder with -C")
        return
    try:
        state.check()
    except PromthctlError as error:
        yield of_error("Permissions", error)
        return
    if state.path.exists() and stat.S_IMODE(state.path.stat().st_mode) & 0o077:
        fix = f"chmod -R go-rwx {shlex.quote(str(state.path))}"
        yield Finding("Permissions", "warning", "others can read .promthctl, which has keys", fix, by_itself=True)
    else:
        yield Finding("Permissions", "ok", "the project can be written, its state is for you alone")


def migrations(settings: Settings) -> Iterator[Finding]:
    source = find_source(settings)
    files = supabase_folder.source_migrations(settings) if source.folder.is_dir() else ()
    if source.kind == "in-place" or not settings.migrations_dir.exists():
        yield Finding("Migrations", "ok", f"{len(files)}, used where they are" if files else "none yet")
        return
    plan = supabase_folder.plan_project_sync(settings, ())
    if plan.refusal is not None:
        yield of_error("Migrations", plan.refusal)
    elif plan.changes:
        detail = "supabase/migrations is not what the source says"
        only_new = not (plan.overwritten or plan.renamed or plan.removed)  # which of them are applied is not asked
        yield Finding("Migrations", "warning", detail, "promthctl migrations sync", by_itself=only_new)
    else:
        yield Finding("Migrations", "ok", f"{len(files)}, in sync with supabase/migrations")


def config(settings: Settings) -> Iterator[Finding]:
    unknown = sorted(settings.supabase.keys() - _KNOWN)
    ignored = sorted((settings.supabase.keys() & _KNOWN) - _OBEYED)
    if unknown:
        where = "correct or remove it in supabase/config.toml"
        yield Finding("config.toml", "warning", f"no key of the Supabase CLI: {', '.join(unknown)}", where)
    if ignored:
        yield Finding("config.toml", "ok", f"ignored on the embedded engine: {', '.join(ignored)}")
    if not unknown and not ignored:
        there = (settings.supabase_dir / "config.toml").exists()
        yield Finding("config.toml", "ok", "every key in it is obeyed" if there else "there is none; defaults are used")


def login(settings: Settings) -> Iterator[Finding]:
    needed = any(target.project_ref for target in settings.targets.values())
    try:
        access_token(settings)
        yield Finding("Login", "ok", "there is a Supabase access token")
    except PrerequisiteError as error:
        if needed:
            yield of_error("Login", error, "warning")
        else:
            yield Finding("Login", "ok", "there is no Supabase access token; only hosted projects need one")
    except PromthctlError as error:
        yield of_error("Login", error, "warning")
