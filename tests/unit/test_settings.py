"""What the user configured: where it may stand, what goes first, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promthctl import settings
from promthctl.errors import PrerequisiteError, UsageError
from promthctl.redact import redact
from promthctl.resolve.database import find_target

LONG = "ก" * 60


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "PGPASSWORD",
        "SUPABASE_DB_PASSWORD",
        "PROMTHCTL_CACHE_DIR",
        "PROMTHCTL_SUPABASE_CLI",
        "ENCRYPTION_SECRET",
    ):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def test_an_empty_folder_is_a_project(tmp_path: Path) -> None:
    found = settings.load(tmp_path)
    assert (found.migrations, found.api_port, found.db_port, found.postgres) == (None, None, None, None)
    assert (found.cache_dir, found.database_password) == (None, None)
    assert found.state_dir == tmp_path / ".promthctl" and found.migrations_dir == tmp_path / "supabase" / "migrations"
    assert list(tmp_path.iterdir()) == []


def test_everything_that_can_be_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": '[tool.promthctl]\nmigrations = "database/migrations"\npostgres = 18\n[tool.b]\nx = 1\n',
            "supabase/config.toml": 'project_id = "x"\n[api]\nport = 1\n[db]\nport = 65535\n[auth]\nenabled = true\n',
            ".env": "SUPABASE_DB_PASSWORD=fake-from-file\nENCRYPTION_SECRET='a # b'\nexport OTHER=$HOME\n",
        },
    )
    monkeypatch.setenv("PROMTHCTL_CACHE_DIR", "~/somewhere")
    found = settings.load(tmp_path)
    assert (found.migrations, found.postgres) == (tmp_path / "database" / "migrations", 18)
    assert (found.api_port, found.db_port) == (1, 65535)
    assert found.cache_dir == Path.home() / "somewhere"
    assert (found.database_password, found.get("ENCRYPTION_SECRET")) == ("fake-from-file", "a # b")
    assert found.get("OTHER") == "$HOME"  # taken as it is written
    monkeypatch.setenv("SUPABASE_DB_PASSWORD", "fake-from-shell")
    assert settings.load(tmp_path).database_password == "fake-from-shell"
    monkeypatch.setenv("PGPASSWORD", "fake-from-pg")
    assert settings.load(tmp_path).database_password == "fake-from-pg"


def test_a_half_filled_env_file(tmp_path: Path) -> None:
    write(tmp_path, {".env": "\n# later\nENCRYPTION_SECRET=\nSUPABASE_DB_PASSWORD=  \nPGPASSWORD\n=x\nnot a line\n"})
    found = settings.load(tmp_path)
    assert found.get("ENCRYPTION_SECRET") is None and found.database_password is None
    assert found.unreadable == (6, 7)


@pytest.mark.parametrize("kind", ["relative", "home"])
def test_the_migrations_folder_may_be_anywhere(tmp_path: Path, kind: str) -> None:
    given = {"relative": "../elsewhere", "home": "~/elsewhere"}[kind]
    write(tmp_path, {"pyproject.toml": f'[tool.promthctl]\nmigrations = "{given}"\n'})
    want = {"relative": tmp_path / "../elsewhere", "home": Path.home() / "elsewhere"}[kind]
    assert settings.load(tmp_path).migrations == want


WRONG: dict[str, tuple[str, str | bytes, str]] = {
    "broken TOML": ("pyproject.toml", "[tool.promthctl\n", "line 1"),
    "TOML that is not UTF-8": ("pyproject.toml", b"# \xff\n", "utf-8"),
    "an unknown setting": ("pyproject.toml", "[tool.promthctl]\nmigration = 'x'\n", "migrations, open_functions"),
    "a setting that is no table": ("pyproject.toml", "tool.promthctl = 1\n", "must be a table"),
    "tool that is no table": ("pyproject.toml", "tool = 1\n", "must be a table"),
    "migrations that are a number": ("pyproject.toml", "[tool.promthctl]\nmigrations = 1\n", "as text"),
    "no migrations": ("pyproject.toml", "[tool.promthctl]\nmigrations = ''\n", "as text"),
    "another postgres": ("pyproject.toml", "[tool.promthctl]\npostgres = 16\n", "17 or 18"),
    "postgres as text": ("pyproject.toml", "[tool.promthctl]\npostgres = '17'\n", "17 or 18"),
    "postgres as a list": ("pyproject.toml", "[tool.promthctl]\npostgres = [17]\n", "17 or 18"),
    "a CLI that is a number": ("pyproject.toml", "[tool.promthctl]\nsupabase_cli = 3\n", "pinned, system"),
    "no CLI": ("pyproject.toml", "[tool.promthctl]\nsupabase_cli = ''\n", "pinned, system"),
    "a target that is text": ("pyproject.toml", "[tool.promthctl]\ntargets.a = 'x'\n", "targets.a"),
    "a target that names nothing": ("pyproject.toml", "[tool.promthctl.targets.a]\nproduction = true\n", "targets.a"),
    "a target that names two": (
        "pyproject.toml",
        "[tool.promthctl.targets.a]\nproject_ref = 'x'\ndb_url = 'postgresql://h/d'\n",
        "targets.a",
    ),
    "a target with more": (
        "pyproject.toml",
        "[tool.promthctl.targets.a]\nproject_ref = 'x'\npassword = 'x'\n",
        "password is unknown",
    ),
    "a target whose password is any variable": (
        "pyproject.toml",
        "[tool.promthctl.targets.a]\nproject_ref = 'x'\npassword_env = 'AWS_SECRET_ACCESS_KEY'\n",
        "targets.a",
    ),
    "groups that are no lists": ("pyproject.toml", "[tool.promthctl.diagram]\ngroups = { a = 'x' }\n", "diagram"),
    "another key of diagram": ("pyproject.toml", "[tool.promthctl.diagram]\ngroup = { a = ['x'] }\n", "diagram"),
    "a target that is no URL": ("pyproject.toml", "[tool.promthctl.targets.a]\ndb_url = 'h/d'\n", "targets.a.db_url"),
    "a broken config": ("supabase/config.toml", "[api]\nport = \n", "line 2"),
    "a port as text": ("supabase/config.toml", "[api]\nport = 'x'\n", "not a port"),
    "a port too high": ("supabase/config.toml", "[db]\nport = 65536\n", "not a port"),
    "a port that is true": ("supabase/config.toml", "[db]\nport = true\n", "not a port"),
    "a section that is a value": ("supabase/config.toml", "api = 1\n", "must be a table"),
    "an env file that is not UTF-8": (".env", b"A=\xff\n", "utf-8"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, kind: str) -> None:
    name, content, word = WRONG[kind]
    write(tmp_path, {name: content})
    with pytest.raises(UsageError) as caught:
        settings.load(tmp_path)
    error = caught.value
    told = f"{error.what}\n{error.why}\n{error.hint}"
    assert (name in told or "[tool.promthctl]" in told) and word in told and error.exit_code == 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:fake-secret-pw@h/d",
        "postgresql://h/d?password=fake-secret-pw",
        "postgresql://h/d?ssl%70assword=fake-secret-pw",
    ],
)
def test_a_password_in_a_committed_file_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    write(tmp_path, {"pyproject.toml": f"[tool.promthctl.targets.live]\ndb_url = '{url}'\n"})
    with pytest.raises(UsageError) as caught:
        settings.load(tmp_path)
    error = caught.value
    assert "a password in targets.live.db_url" in error.what
    assert ("PGSSLPASSWORD" if "ssl" in url else "PGPASSWORD") in error.hint
    assert "fake-secret-pw" not in error.what + error.why + error.hint


def test_a_target_has_a_name(tmp_path: Path) -> None:
    lines = "[tool.promthctl.targets.live]\nproject_ref = 'r'\nproduction = true\n"
    write(tmp_path, {"pyproject.toml": f"{lines}[tool.promthctl.targets.other]\ndb_url = 'postgresql://me@h/d'\n"})
    found = settings.load(tmp_path)
    assert found.target("live") == settings.NamedTarget(project_ref="r", production=True)
    assert found.target("other") == settings.NamedTarget(db_url="postgresql://me@h/d")
    with pytest.raises(UsageError, match="live, other"):
        found.target("prod")


def test_targets_have_passwords_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which no child gets by itself, and no line shows."""
    one, two = "postgresql://me@127.0.0.1/one", "postgresql://me@127.0.0.1/two"
    text = f"[tool.promthctl.targets.one]\ndb_url = '{one}'\npassword_env = 'ONE_PASSWORD'\n"
    write(tmp_path, {"pyproject.toml": f"{text}[tool.promthctl.targets.two]\ndb_url = '{two}'\n"})
    monkeypatch.setenv("ONE_PASSWORD", "fake-password-of-one")
    monkeypatch.setenv("PGPASSWORD", "fake-password-of-all")
    found = settings.load(tmp_path)
    passwords = [find_target(found.target(name), found).password for name in ("one", "two")]
    assert passwords == ["fake-password-of-one", "fake-password-of-all"]
    assert "ONE_PASSWORD" not in found.child_env()
    assert redact("it is fake-password-of-one") == "it is ********"
    monkeypatch.delenv("ONE_PASSWORD")
    with pytest.raises(PrerequisiteError, match="There is no password"):
        find_target(settings.load(tmp_path).target("one"), settings.load(tmp_path))


def test_groups_of_tables_are_by_schema_and_name(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "[tool.promthctl.diagram]\ngroups = { A = ['x', 'shop.y'], B = [] }\n"})
    assert settings.load(tmp_path).diagram_groups == {"A": (("public", "x"), ("shop", "y")), "B": ()}


def test_which_supabase_cli_is_said_in_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert settings.load(tmp_path).supabase_cli == "pinned"
    write(tmp_path, {"pyproject.toml": "[tool.promthctl]\nsupabase_cli = 'bin/supabase'\n"})
    assert settings.load(tmp_path).supabase_cli == str(tmp_path / "bin" / "supabase")
    write(tmp_path, {".env": "PROMTHCTL_SUPABASE_CLI=system\n"})
    assert settings.load(tmp_path).supabase_cli == "system"
    monkeypatch.setenv("PROMTHCTL_SUPABASE_CLI", "")
    assert settings.load(tmp_path).supabase_cli == str(tmp_path / "bin" / "supabase")
    assert settings.load(tmp_path, "bin/supabase").supabase_cli == str(elsewhere / "bin" / "supabase")
    assert settings.load(tmp_path, "~/supabase").supabase_cli == str(Path.home() / "supabase")


@pytest.mark.parametrize("name", ["pyproject.toml", "supabase/config.toml"])
def test_a_folder_in_a_files_place_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        settings.load(tmp_path)
    assert name in caught.value.what


def test_a_project_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    for name, why in (("no where", "does not exist"), ("a file", "is not a folder")):
        with pytest.raises(UsageError, match=why) as caught:
            settings.load(tmp_path / name)
    assert "mkdir" not in caught.value.hint


def test_children_get_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret: dict[str, Any] = {
        name: f"fake-{name.lower()}"
        for name in ("ENCRYPTION_SECRET", "SUPABASE_SERVICE_ROLE_KEY", "PGPASSWORD", "VANCHIN_API_KEY_14")
    } | {"SUPABASE_DB_URL": "postgresql://u:fake-url-pw@h/d"}
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HARMLESS", "yes")
    child = settings.load(tmp_path).child_env(PGPASSWORD="fake-for-the-child")
    assert child["HARMLESS"] == "yes" and child["PGPASSWORD"] == "fake-for-the-child"
    assert not set(secret) - {"PGPASSWORD"} & set(child)
    assert redact(" ".join([*list(secret.values())[:4], "fake-url-pw"])) == " ".join(["********"] * 5)
    assert "fake" not in repr(settings.load(tmp_path))


@pytest.mark.parametrize("name", ["my app", "ünï", LONG, "a.b/c"])
def test_a_project_id_is_safe_in_paths_and_its_own(tmp_path: Path, name: str) -> None:
    one, other = (settings.Settings(tmp_path / str(n) / name, {}).project_id for n in (1, 2))
    assert one != other and one == settings.Settings(tmp_path / "1" / name, {}).project_id
    assert one.isascii() and all(letter.isalnum() or letter == "-" for letter in one) and len(one) < 40


def test_a_config_with_variables_and_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = (
        '[api]\nport = "env(API_PORT_HERE)"\n[db]\nport = "env(NOT_SET_HERE)"\n[db.migrations]\nenabled = "env(ON)"\n'
    )
    write(
        tmp_path,
        {
            "supabase/config.toml": "\ufeff" + config.replace("NOT_SET_HERE", "DB_PORT_HERE"),
            "pyproject.toml": "\ufeff[tool.promthctl]\npostgres = 18\n",
            ".env": "API_PORT_HERE=5001\n",
            "supabase/.env": "DB_PORT_HERE=5002\nON=false\n",
        },
    )
    found = settings.load(tmp_path)
    assert (found.api_port, found.db_port, found.postgres) == (5001, 5002, 18)
    assert found.supabase["db"]["migrations"] == {"enabled": False}
    monkeypatch.setenv("API_PORT_HERE", "5003")
    assert settings.load(tmp_path).api_port == 5003
    write(tmp_path, {"supabase/config.toml": config})
    found = settings.load(tmp_path)  # an unset one matters to those who need the port only
    assert (found.api_port, found.db_port) == (5003, None)
    assert settings.unset_variable(found.supabase["db"]["port"]) == "NOT_SET_HERE"
