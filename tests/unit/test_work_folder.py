"""The folder that the Supabase CLI works in: what is in it, who may read it, and that it goes."""

from __future__ import annotations

import stat
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from promthctl import supabase_cli
from promthctl.errors import PrerequisiteError
from promthctl.migration_set import Migration
from promthctl.settings import Settings
from promthctl.steps import Silent
from promthctl.supabase_cli.local_stack import LocalStackCli
from promthctl.supabase_cli.work_folder import work_folder
from promthctl.toolchain import Toolchain

OLD = 'project_id = "shop"\n[inbucket]\nenabled = true\n[inbucket.more]\nx = 1\n'


def test_it_holds_the_migrations_and_only_what_the_cli_needs(tmp_path: Path) -> None:
    config = {
        "inbucket": {"enabled": True},
        "db": {"port": 54322, "major_version": 17, "vault": {"a b": 'x"\\\n\x7fé'}},
    }
    file = Migration("001", "a", tmp_path / "001_a.sql", b"select 1;\r\n")
    with pytest.raises(KeyError), work_folder(Settings(tmp_path, {}, supabase=config), [file]) as folder:
        written = tomllib.loads((folder / "supabase" / "config.toml").read_text(encoding="utf-8"))
        vault = config["db"]["vault"]
        # At the port of a local stack the CLI would take the target for its own stack on Docker.
        assert written == {"project_id": "promthctl", "db": {"port": 1, "major_version": 17, "vault": vault}}
        assert (folder / "supabase" / "migrations" / "001_a.sql").read_bytes() == file.content
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "supabase" / "config.toml").stat().st_mode) == 0o600
        raise KeyError
    assert not folder.exists()


MAKES_ONE = """
import sys, time
from pathlib import Path
from promthctl.settings import Settings
from promthctl.supabase_cli.work_folder import work_folder
with work_folder(Settings(Path(sys.argv[1]), {}), []) as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def test_that_of_a_killed_promthctl_goes_with_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    others = tmp_path / "promthctl-of-somebody"
    others.mkdir()
    command = [sys.executable, "-c", MAKES_ONE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"TMPDIR": str(tmp_path)}) as other:
        try:
            assert other.stdout is not None
            left = Path(other.stdout.readline().strip())
            with work_folder(Settings(tmp_path, {}), []):
                assert left.is_dir()  # its owner lives
        finally:
            other.kill()
    assert left.is_dir()
    with work_folder(Settings(tmp_path, {}), []) as folder:
        assert sorted(tmp_path.iterdir()) == sorted([others, folder])
    assert list(tmp_path.iterdir()) == [others]


def test_the_docker_engine_names_the_line_that_its_cli_refuses(tmp_path: Path, tools: Toolchain) -> None:
    path = tmp_path / "supabase" / "config.toml"
    path.parent.mkdir()
    path.write_text(OLD)
    settings = Settings(tmp_path, {}, cache_dir=None)
    cli = LocalStackCli(supabase_cli.find_runner(settings, Silent()))
    for _ in range(2):  # also when an answer could have been kept
        with pytest.raises(PrerequisiteError) as caught:
            cli.services()
    assert "[inbucket]" in caught.value.why and "[local_smtp]" in caught.value.why
    subprocess.run(caught.value.hint.partition(";")[0], shell=True, check=True)
    assert path.read_text() == OLD.replace("[inbucket", "[local_smtp")
    assert cli.services()
