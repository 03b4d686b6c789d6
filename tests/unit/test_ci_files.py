"""`promthctl ci`: each kind is printed byte for byte, parses, and the action does what the workflow does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promthctl.cli.ci import Kind
from promthctl.setting_up.ci_files import CI_FILES, ci_file
from tests.promthctl_runner import REPOSITORY, Project

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the site builder: ./scripts/test installs it")


@pytest.mark.parametrize("kind", CI_FILES)
def test_a_kind_is_printed_and_its_place_is_said(kind: str, tmp_path: Path) -> None:
    done = Project(tmp_path).run("ci", kind)
    assert done.stdout == ci_file(kind)
    assert f"belongs in {CI_FILES[kind][1]}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_every_kind_can_be_typed() -> None:
    assert [kind.value for kind in Kind] == list(CI_FILES)


def test_the_files_parse() -> None:
    for kind in ("github", "gitlab", "pre-commit"):
        assert isinstance(yaml.safe_load(ci_file(kind)), dict)
    assert json.loads(ci_file("devcontainer"))["forwardPorts"] == [54321, 54322]


def test_no_step_of_github_has_an_expression_in_its_script() -> None:
    """What a pull request is called, or has as a branch, must not become part of a script."""
    jobs = yaml.safe_load(ci_file("github"))["jobs"]
    assert not [step["run"] for job in jobs.values() for step in job["steps"] if "${{" in step.get("run", "")]


def test_only_the_push_sees_secrets() -> None:
    jobs = yaml.safe_load(ci_file("github"))["jobs"]
    assert [name for name, job in jobs.items() if "secrets." in json.dumps(job)] == ["push"]


def test_the_action_runs_what_the_workflow_checks() -> None:
    def scripts(steps: list[dict[str, str]]) -> list[str]:
        return [step["run"] for step in steps if "run" in step]

    action = yaml.safe_load((REPOSITORY / "action.yml").read_text())
    assert scripts(action["runs"]["steps"]) == scripts(yaml.safe_load(ci_file("github"))["jobs"]["check"]["steps"])


def test_the_hook_for_pre_commit_is_the_same_in_both_files() -> None:
    (own,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    ((local,),) = (repo["hooks"] for repo in yaml.safe_load(ci_file("pre-commit"))["repos"])
    assert {**local, "language": "python"} == own
