"""The options that name a target, as advice repeats them."""

from __future__ import annotations

import pytest
from rich.console import RenderableType

from promthctl.keys.checking import CheckedKey
from promthctl.keys.rotation import RotationResult
from promthctl.resolve.choice import TargetChoice, options_of
from promthctl.views.keys import rotated

URL = "postgresql://app@db.example.com:5432/postgres"


@pytest.mark.parametrize(
    ("choice", "options"),
    [
        (TargetChoice(), ""),
        (TargetChoice(local=True), ""),
        (TargetChoice(name="live"), " --target live"),
        (TargetChoice(name="two words"), " --target 'two words'"),
        (TargetChoice(project_ref="abcdefghijklmnopqrst"), " --project-ref abcdefghijklmnopqrst"),
        (TargetChoice(db_url=URL.replace("app@", "app:fake-secret@")), f" --db-url {URL}"),
    ],
)
def test_options_are_those_that_were_given_without_a_password(choice: TargetChoice, options: str) -> None:
    assert options_of(choice) == options


def lines(left: int, user: str | None, faulty: tuple[CheckedKey, ...] = (), free: bool = False) -> str:
    result = RotationResult("a test", "NEW", user, 3, 1, 0, left, faulty, free)
    shown: list[RenderableType] = list(rotated(result, " --target live"))
    return "\n".join(map(str, shown))


def test_what_comes_after_a_rotation_is_for_the_same_target() -> None:
    assert "promthctl keys rotate --new-secret-env NEW --target live" in lines(2, "a-user")
    assert "promthctl keys rotate --new-secret-env NEW --target live" in lines(2, None)
    assert "promthctl keys check --target live passes" in lines(0, None, free=True)
