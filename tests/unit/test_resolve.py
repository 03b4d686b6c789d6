"""What the options name: one target, the same by its database and by its API, production or not, announced once."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl.errors import UsageError
from promthctl.hosted import project
from promthctl.hosted.project import HostedProject
from promthctl.resolve import api, database
from promthctl.resolve.choice import TargetChoice, named_target
from promthctl.settings import NamedTarget, Settings
from promthctl.steps import Silent

REF = "abcdefghijklmnopqrst"
POOLER = f"postgresql://postgres.{REF}@aws-0-x.pooler.supabase.com:5432/postgres"
DIRECT = f"postgresql://postgres@db.{REF}.supabase.co/postgres"
OTHER_REF = REF[::-1]


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that has every project."""
    for user in (project, database):  # api looks it up when it needs it
        monkeypatch.setattr(user, "find_project", lambda ref, _: HostedProject(ref, "Shop", "eu", POOLER))


def configured(**targets: NamedTarget) -> Settings:
    keys = {"SUPABASE_URL": "https://api.shop.example", "SUPABASE_SERVICE_ROLE_KEY": "fake-service-key"}
    env = {"SUPABASE_DB_PASSWORD": "fake-password", **keys}
    return Settings(Path("/nowhere"), env, targets=targets, project_variables=frozenset(env))


def is_production(choice: TargetChoice, settings: Settings) -> bool:
    """By the database and by the API; each is announced once, and says so."""
    lines: list[str] = []
    by_database = database.resolve_database(choice, settings, lines.append, lambda _: None)
    by_api = api.resolve_api(choice, settings, Silent(), lines.append)
    assert by_database.production == by_api.production
    mark = " · PRODUCTION" if by_api.production else ""
    assert lines == [f"Target: {by_database.label}{mark}", f"Target: {by_api.label}{mark}"]
    return by_api.production


LIVE = NamedTarget(project_ref=REF, production=True)
LIVE_BY_URL = NamedTarget(db_url="postgresql://me@h/d", production=True)
PRODUCTION = {
    "by its name": (LIVE, TargetChoice(name="live")),
    "by its reference": (LIVE, TargetChoice(project_ref=REF)),
    "by its database's URL": (LIVE, TargetChoice(db_url=DIRECT)),
    "by its pooler's URL": (LIVE, TargetChoice(db_url=POOLER)),
    "by another name of its reference": (LIVE, TargetChoice(name="same")),
    "a URL, by its name": (LIVE_BY_URL, TargetChoice(name="live")),
    "a URL, by the URL": (LIVE_BY_URL, TargetChoice(db_url="postgres://me:fake-secret-pw@h:5432/d")),
    "a project's URL, by its reference": (NamedTarget(db_url=DIRECT, production=True), TargetChoice(project_ref=REF)),
}


@pytest.mark.parametrize("case", PRODUCTION)
def test_production_is_known_by_whatever_name(case: str) -> None:
    live, choice = PRODUCTION[case]
    assert is_production(choice, configured(live=live, same=NamedTarget(project_ref=REF)))


@pytest.mark.parametrize(
    ("named", "choice"),
    [
        (LIVE, TargetChoice(project_ref=OTHER_REF)),
        (LIVE, TargetChoice(db_url=POOLER.replace(REF, OTHER_REF))),
        (LIVE, TargetChoice(name="other")),
        (LIVE_BY_URL, TargetChoice(db_url="postgresql://me@h/other")),
        (LIVE_BY_URL, TargetChoice(project_ref=REF)),
        (NamedTarget(project_ref=REF), TargetChoice(name="live")),
        (NamedTarget(project_ref=REF), TargetChoice(db_url=DIRECT)),
    ],
)
def test_what_is_not_marked_is_not_production(named: NamedTarget, choice: TargetChoice) -> None:
    assert not is_production(choice, configured(live=named, other=NamedTarget(project_ref=OTHER_REF)))


def test_without_an_option_it_is_the_local_stack() -> None:
    assert named_target(TargetChoice(), configured(live=LIVE)) is None
    assert named_target(TargetChoice(local=True), configured(live=LIVE)) is None


@pytest.mark.parametrize(
    "choice",
    [
        TargetChoice(local=True, name="live"),
        TargetChoice(project_ref=REF, db_url=POOLER),
        TargetChoice(db_url=POOLER, name="live"),
        TargetChoice(name="unknown"),
        TargetChoice(project_ref=REF, name=""),
    ],
)
def test_more_than_one_target_and_an_unknown_one_are_refused(choice: TargetChoice) -> None:
    with pytest.raises(UsageError):
        named_target(choice, configured(live=LIVE))


def test_the_password_of_a_url_is_not_shown() -> None:
    assert "fake-secret-pw" not in repr(TargetChoice(db_url="postgresql://me:fake-secret-pw@h/d"))


def test_the_password_of_the_key_comes_from_the_environment_too() -> None:
    settings = Settings(Path("/nowhere"), {"PGSSLPASSWORD": "fake-from-env"})
    for url, expected in (("h/d?sslkey=k", "fake-from-env"), ("h/d?sslpassword=fake-from-url", "fake-from-url")):
        found = database.find_target(NamedTarget(db_url=f"postgresql://me@{url}"), settings)
        assert found.environment()["PGSSLPASSWORD"] == expected
