"""What the embedded engine's API is told, and what a project asks for that is not there."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.engines.embedded import absent, api
from promthctl.engines.embedded.program import server_program
from promthctl.errors import UsageError
from promthctl.state import StateDir


def configured(folder: Path, text: str) -> settings.Settings:
    (folder / "supabase").mkdir(exist_ok=True)
    (folder / "supabase" / "config.toml").write_text(text)
    return settings.load(folder)


def test_the_api_gets_what_config_toml_says_and_the_clis_defaults(tmp_path: Path) -> None:
    assert api.rest_settings(configured(tmp_path, "")) == {
        "enabled": True,
        "schemas": ["public", "graphql_public"],
        "extraSearchPath": ["public", "extensions"],
        "maxRows": 1000,
    }
    text = '[api]\nenabled = false\nschemas = ["a", "b", "a"]\nextra_search_path = []\nmax_rows = 5\n'
    given = api.rest_settings(configured(tmp_path, text))
    assert given == {"enabled": False, "schemas": ["a", "b"], "extraSearchPath": [], "maxRows": 5}


@pytest.mark.parametrize(
    "line", ["enabled = 1", 'schemas = "public"', "schemas = [1]", "max_rows = true", "max_rows = -1", 'max_rows = "1"']
)
def test_a_wrong_value_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        api.rest_settings(configured(tmp_path, f"[api]\n{line}\n"))
    assert f"[api] {line.split(' = ')[0]}" in str(caught.value)


def test_the_program_is_one_text_without_imports_of_files() -> None:
    program = server_program()
    assert re.search(r"(?m)^(import|export) ", program) is None
    assert not re.search(r'import\("\.', program)
    for module in ("rest/rest.mjs", "rest/sql.mjs", "server.mjs"):
        assert program.count(f'modules["{module}"] = await') == 1


def test_a_file_that_is_no_module_is_its_text() -> None:
    page = files(api.__package__).joinpath("studio", "browser", "index.html").read_text(encoding="utf-8")
    assert f'modules["studio/browser/index.html"] = {{ default: {json.dumps(page)} }};' in server_program()


def test_a_missing_service_is_named_once_where_the_project_asks_for_it(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ".promthctl")
    state.make()
    plain = configured(tmp_path, "[realtime]\nenabled = true\n[edge_runtime]\nenabled = true\n")
    assert absent.warning(plain, state) is None
    (tmp_path / "supabase" / "functions" / "hello").mkdir(parents=True)
    (tmp_path / "supabase" / "functions" / "hello" / "index.ts").write_text("")
    (tmp_path / "supabase" / "functions" / "_shared").mkdir()
    (tmp_path / "supabase" / "migrations").mkdir()
    (tmp_path / "supabase" / "migrations" / "1_a.sql").write_text("alter publication supabase_realtime add table a;\n")
    (tmp_path / "package.json").write_text('{"dependencies": {"@supabase/realtime-js": "2"}}')
    told = absent.warning(plain, state)
    assert told is not None
    for part in ("Edge Functions (hello)", "1_a.sql", "@supabase/realtime-js", "501", "--engine docker"):
        assert part in told
    assert absent.warning(plain, state) is None
    (tmp_path / "package.json").write_text("[not json")
    again = absent.warning(plain, state)
    assert again is not None and "package.json" not in again
