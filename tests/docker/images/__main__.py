"""`python -m tests.docker.images`: build the stand-ins and put the official names on them, to try things by hand."""

from __future__ import annotations

from pathlib import Path

import docker

from promthctl import settings, toolchain
from promthctl.steps import Silent
from tests.docker import images


def main() -> None:
    client = docker.from_env()
    tools = toolchain.ensure(settings.load(Path()), Silent())
    image = images.build(client, tools)
    images.tag(client, image, tools)
    print("\n".join([image, *images.names(tools)]))


main()
