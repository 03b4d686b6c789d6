"""Which PostgreSQL serves this project: what its settings say, and what its database was made with."""

from __future__ import annotations

from promthctl import toolchain
from promthctl.engines.embedded import ownership, system_user
from promthctl.engines.embedded.records import EmbeddedRecords
from promthctl.errors import PrerequisiteError
from promthctl.settings import SYSTEM_POSTGRES, Settings
from promthctl.toolchain import ServerChoice
from promthctl.toolchain.servers import server_name


def postgres_of(settings: Settings) -> ServerChoice:
    """The server of the project; its shadow databases use the same.

    "system" stays with the major version that the project's database was made with. Raises PrerequisiteError when the
    PostgreSQL that is asked for is not on this machine, which names the data that is waiting for it.
    """
    if isinstance(settings.postgres, int):
        return toolchain.choose_server(settings)
    stack = EmbeddedRecords(settings.state_dir).load_stack()
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
