"""What is left of a purged stack is told, whatever the daemon said when it was removed."""

from __future__ import annotations

from typing import Any

import pytest

from promthctl.engines.docker import containers
from promthctl.engines.docker.stopping import check_gone
from promthctl.errors import PromthctlError


class Daemon:
    """Answers as the SDK does. containers_, volumes_: their names; `stays`: what it does not remove, saying nothing."""

    def __init__(self, containers_: list[str], volumes_: list[str], stays: tuple[str, ...] = ()) -> None:
        self.names, self.made, self.stays = containers_, volumes_, stays

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        labels = {"com.supabase.cli.project": "app"}
        return [{"Id": name, "Names": [f"/{name}"], "Labels": labels, "State": "exited"} for name in self.names]

    def volumes(self, **_: Any) -> dict[str, Any]:
        return {"Volumes": [{"Name": name} for name in self.made]}

    def remove_volume(self, name: str, force: bool) -> None:
        self.made = [one for one in self.made if one != name or one in self.stays]


def test_nothing_is_said_where_all_is_gone() -> None:
    daemon: Any = Daemon([], ["supabase_db_app", "supabase_storage_app"])
    containers.remove_volumes(daemon, ["supabase_db_app", "supabase_storage_app"])
    check_gone(daemon, "app")


def test_a_volume_that_is_still_there_is_named_with_the_command_that_removes_it() -> None:
    daemon: Any = Daemon([], ["supabase_db_app", "supabase_storage_app"], stays=("supabase_db_app",))
    containers.remove_volumes(daemon, ["supabase_db_app", "supabase_storage_app"])
    with pytest.raises(PromthctlError) as raised:
        check_gone(daemon, "app")
    assert raised.value.why.endswith("still has the volume supabase_db_app")
    assert raised.value.hint == "docker volume rm supabase_db_app && promthctl local down --purge"


def test_a_container_that_is_still_there_is_removed_first() -> None:
    daemon: Any = Daemon(["supabase_kong_app"], [])
    with pytest.raises(PromthctlError) as raised:
        check_gone(daemon, "app")
    assert raised.value.hint == "docker rm -f supabase_kong_app && promthctl local down --purge"
