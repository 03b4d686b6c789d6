"""Starting the stack: what would stop it first, then the images, the network, `supabase start`, and a roll-back."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from promthctl.engines.choosing import record_engine
from promthctl.engines.docker import containers, diagnosis, images, network, ownership, preflight, services
from promthctl.engines.docker.containers import Container
from promthctl.engines.docker.daemon import answering, gone, is_alive
from promthctl.engines.docker.images import Images
from promthctl.engines.docker.planning import plan_stack, why_it_starts_again
from promthctl.engines.docker.project import DockerProject
from promthctl.engines.docker.records import DockerStack
from promthctl.engines.docker.stopping import stop_containers, stop_former_stack
from promthctl.engines.docker.watching import Watch
from promthctl.engines.engine import Access
from promthctl.errors import PromthctlError
from promthctl.migration_set import supabase_folder
from promthctl.steps import Steps
from promthctl.supabase_cli.local_stack import LocalStackError, setup_mark


@dataclasses.dataclass(frozen=True)
class Started:
    """access: how to reach the stack. changed: something had to be started. fresh: its database is new."""

    access: Access
    changed: bool
    fresh: bool


class Start:
    """One start of a project's stack: looked into first, then perhaps carried out."""

    def __init__(self, project: DockerProject) -> None:
        self.project = project
        self._images: Images | None = None  # what the preflight found

    def check(self, steps: Steps, pull_seconds: float) -> None:
        """Raise what would stop the start; nothing is changed.

        pull_seconds: how long a registry may take until it begins to send a missing image.
        """
        known, found = self._look()
        needed = self._preflight(plan_stack(self.project, known, found), known, steps)
        if needed.missing:
            with steps.step("Checking that Docker can pull images"):
                images.check_pullable(self.project.client, self.project.daemon, needed.missing, pull_seconds)

    def carry_out(self, steps: Steps) -> Started:
        """Start what does not run yet. Called with the project's lock held."""
        project = self.project
        known, found = self._look()
        plan = plan_stack(project, known, found)
        if known and known.starts_like(plan) and (access := known.access()) and project.is_complete(known, found):
            return Started(access, changed=False, fresh=False)
        needed = self._preflight(plan, known, steps)
        with answering(project.daemon):
            plan = dataclasses.replace(plan, data_id=ownership.identity(project))
            if needed.missing:
                pulled = images.pull(project.client, project.daemon, needed.missing, steps)
                self._check_volume(plan, known, pulled)
            stop_former_stack(project, steps)
            if found:
                steps.note(why_it_starts_again(plan, known, found))
                stop_containers(project, project.name, found, steps)
            fresh = self._make_room(plan, known, steps)
        return Started(self._start(dataclasses.replace(plan, unfinished=fresh), steps), changed=True, fresh=fresh)

    def _look(self) -> tuple[DockerStack | None, tuple[Container, ...]]:
        """The record and the containers. Raises RefusedError when the name is another folder's."""
        project = self.project
        known, found = project.records.load_stack(project.name), project.containers(project.name)
        ownership.check_name(project, project.name, found)
        return known, found

    def _preflight(self, plan: DockerStack, known: DockerStack | None, steps: Steps) -> Images:
        """The images a start needs, once nothing would stop it."""
        if self._images is not None:
            return self._images
        project = self.project
        cli = project.cli(plan, steps)
        with answering(project.daemon), steps.step("Checking Docker"), ThreadPoolExecutor(1) as pool:
            listed = pool.submit(cli.services)  # takes half a second, in which the daemon can be asked
            preflight.check_memory(project.client, project.daemon, plan.services)
            own = {one.id for one in project.own_containers()}
            preflight.check_ports(plan.ports, plan.bind, own, containers.everyone(project.client))
            needed = images.needed(project.client, self._with_images(plan), listed.result(), project.settings)
            preflight.check_space(project.client, project.daemon, needed.missing)
            if needed.missing and project.options.offline:
                raise images.offline(needed.missing)
            self._check_volume(plan, known, needed.here)
        self._images = needed
        return needed

    def _with_images(self, plan: DockerStack) -> tuple[str, ...]:
        """The services whose images a start needs: on an empty volume also those that only make their schemas."""
        if containers.has_volume(self.project.client, self.project.name):
            return plan.services
        return tuple(dict.fromkeys((*plan.services, *services.setting_up(self.project.settings.supabase))))

    def _check_volume(self, plan: DockerStack, known: DockerStack | None, here: Mapping[str, str]) -> None:
        """Raise when the volume is of another PostgreSQL version; with the database's image among those `here`.

        A volume that a recorded start used with this version is not looked into again.
        """
        client, name = self.project.client, self.project.name
        looked_at = known is not None and known.started and known.major == plan.major
        if "db" in here and not looked_at and containers.has_volume(client, name):
            preflight.check_volume(client, name, here["db"], plan.major)

    def _make_room(self, plan: DockerStack, known: DockerStack | None, steps: Steps) -> bool:
        """Make the network, remove a database that was never finished. True when there is no database yet."""
        client, name = self.project.client, self.project.name
        ownership.claim(self.project, name, plan.data_id)
        network.ensure(client, name, plan.bind)
        mark, volume = setup_mark(self.project.settings), services.volume_name(name)
        there = containers.has_volume(client, name)
        if there and known and known.unfinished and not mark.exists():
            steps.note("Making the database was interrupted: it is made again.")
            containers.remove_volumes(client, [volume])
            there = False
        elif there and known is None:
            steps.note(f"The volume {volume} was there before: its database is used as it is.")
        if not there:
            mark.unlink(missing_ok=True)
        return not there

    def _start(self, plan: DockerStack, steps: Steps) -> Access:
        project = self.project
        supabase_folder.ensure_config(project.settings)  # the CLI needs a config.toml
        record_engine(project.settings, "docker")
        project.records.save_stack(plan)
        try:
            with steps.step("Starting the stack") as update:
                watch = Watch(project.client, project.daemon, project.name, project.records.logs, update)
                values = project.cli(plan, steps).start(
                    services.exclusions(plan.services), network.name(project.name), watch
                )
            found = project.containers(project.name)
        except BaseException as error:
            self._roll_back(plan, steps)
            if isinstance(error, LocalStackError):
                raise self._explained(error) from None
            raise
        stack = plan.completed(values, [one.service for one in found if one.service])
        project.records.save_stack(stack)
        for text in preflight.exposure(project.daemon, plan.bind, found):
            steps.note(text)
        access = stack.access()
        assert access is not None
        return access

    def _explained(self, error: LocalStackError) -> PromthctlError:
        if not is_alive(self.project.daemon):
            return gone(self.project.daemon)
        failure = diagnosis.of_output(error.stderr, self.project.name)
        return failure.error() if failure else error

    def _roll_back(self, plan: DockerStack, steps: Steps) -> None:
        """Stop what was started, and remove a database that was only begun. With the daemon gone, all has stopped."""
        project = self.project
        with contextlib.suppress(PromthctlError), answering(project.daemon), steps.step("Stopping what was started"):
            containers.remove(project.client, project.own_containers())
            if plan.unfinished and not setup_mark(project.settings).exists():
                containers.remove_volumes(project.client, [services.volume_name(project.name)])
