"""Which PostgreSQL serves this project: what its settings say, what its database was made with, what its files need."""

from __future__ import annotations

import re
from importlib.util import find_spec

from promthctl import toolchain
from promthctl.engines.embedded import ownership, system_user
from promthctl.engines.embedded.records import EmbeddedRecords
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.migration_set.supabase_folder import source_migrations
from promthctl.settings import POSTGRES_MAJORS, SYSTEM_POSTGRES, Settings
from promthctl.toolchain import ServerChoice
from promthctl.toolchain.servers import server_name

_PGVECTOR = re.compile(rb"^[ \t]*create\s+extension\s+(if\s+not\s+exists\s+)?\"?vector\b", re.IGNORECASE | re.MULTILINE)


def postgres_of(settings: Settings) -> ServerChoice:
    """The server of the project; its shadow databases use the same.

    Where nothing is set, it stays with the one that the project's database was made with; a new one is the newest that
    promthctl brings along if a migration creates pgvector, which only that one has. "system" stays with the major
    version that the database was made with. Raises PrerequisiteError when the
    PostgreSQL that is asked for is not on this machine, which names the data that is waiting for it.
    """
    stack = EmbeddedRecords(settings.state_dir).load_stack()
    if settings.postgres is None:
        if stack and not stack.installed and stack.postgres in POSTGRES_MAJORS:
            return ServerChoice(stack.postgres)
        return _for_pgvector(settings) or toolchain.choose_server(settings)
    if isinstance(settings.postgres, int):
        return toolchain.choose_server(settings)
    kept = [stack.postgres] if stack and stack.installed else []
    places = [system_user.data_home(settings, stack.project) if stack else settings.state_dir]
    places = [*places, *(data.parent for data in ownership.in_project(settings))]
    names = {major: f"postgres-{server_name(major, installed=True)}" for major in kept}
    kept = [major for major in kept if any((place / names[major]).exists() for place in places)]
    try:
        return toolchain.choose_server(settings, kept[0] if kept else None)
    except PrerequisiteError as error:
        if not kept:
            raise
        data = next(place / names[kept[0]] for place in places if (place / names[kept[0]]).exists())
        again = ", or start without these rows: promthctl local down --purge"
        raise PrerequisiteError(
            error.what,
            f"{error.why}\nthe rows of this project are kept in {data}, which PostgreSQL {kept[0]} made",
            f"{error.hint}{again if settings.postgres == SYSTEM_POSTGRES else ''}",
        ) from None


def _for_pgvector(settings: Settings) -> ServerChoice | None:
    """The PostgreSQL that has it, where a migration creates it and this machine can have it."""
    if find_spec("pg0") is None:
        return None
    try:
        migrations = source_migrations(settings)
    except PromthctlError:
        return None  # whoever needs them says so
    for each in migrations:
        if _PGVECTOR.search(each.content):
            major = POSTGRES_MAJORS[-1]
            return ServerChoice(
                major, why=f"PostgreSQL {major} is used: it has pgvector, which {each.filename} creates"
            )
    return None
