"""The reference pages are what the app and the settings are, and every variable that is read is on them."""

from __future__ import annotations

import re

import pytest

from promthctl.configuration import VARIABLES
from tests import reference
from tests.promthctl_runner import REPOSITORY

READ = re.compile(r"""(?:\.get\(|env\[|environ\[|in_shell\()\s*"([A-Z][A-Z_]+)\"""")
# Of the machine, of what the Supabase CLI prints, and of PL/pgSQL; the registry is the Supabase CLI's.
OTHERS = re.compile(
    r"HOME|PATH|DOCKER_CONFIG|XDG_RUNTIME_DIR|(STUDIO|API)_URL|(SERVICE_ROLE|ANON)_KEY|IP|CONSTR_\w+"
    r"|SUPABASE_INTERNAL_IMAGE_REGISTRY"
)


def documented() -> set[str]:
    return {name.removesuffix(" *") for names in VARIABLES for name in names.split(", ")}


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_what_the_app_says(name: str) -> None:
    now = reference.PAGES[name]()
    assert (reference.FOLDER / name).read_text() == now, "stale: .venv/bin/python -m tests.reference"


def test_every_variable_that_is_read_is_documented() -> None:
    read = {
        found
        for path in (REPOSITORY / "promthctl").rglob("*.py")
        for found in READ.findall(path.read_text())
        if not OTHERS.fullmatch(found)
    }
    assert len(read) > 10
    assert read <= documented()


def test_every_variable_that_is_documented_is_in_the_source() -> None:
    source = "".join(
        path.read_text() for path in (REPOSITORY / "promthctl").rglob("*.py") if path.name != "configuration.py"
    )
    unknown = {name for name in documented() if name.removesuffix("n") not in source}
    assert not unknown
