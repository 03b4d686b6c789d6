"""`promthctl ci`: each kind is printed byte for byte, parses, and the action does what the workflow does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from promthctl.cli.ci import Kind
from promthctl.setting_up.ci_files import CI_FILES, ci_file
from tests.hints import Instead, Option, Place, Row, follow
from tests.promthctl_runner import REPOSITORY, Project

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the site builder: ./scripts/test installs it")


@pytest.mark.parametrize("kind", CI_FILES)
def test_a_kind_is_printed_and_its_place_is_said(kind: str, tmp_path: Path) -> None:
    done = Project(tmp_path).run("ci", kind)
    assert done.stdout == ci_file(kind)
    assert f"belongs in {CI_FILES[kind][1]}: promthctl ci {kind} --write" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", CI_FILES)
def test_a_kind_is_written_where_it_belongs_once(kind: str, tmp_path: Path) -> None:
    file = tmp_path / CI_FILES[kind][1]
    for state in ("written", "unchanged"):
        done = json.loads(Project(tmp_path).run("ci", kind, "--write", "--json").stdout)["data"]
        assert (done["state"], done["file"]) == (state, str(file))
        assert file.read_text() == ci_file(kind)
    assert done["next"]


def test_another_file_is_left_and_its_difference_shown(tmp_path: Path) -> None:
    project, file = Project(tmp_path), tmp_path / ".gitlab-ci.yml"
    file.write_text("own: job\n")
    place = Place(project)
    row = Row("setting_up/ci_files.py · _other", "promthctl ci gitlab --write", Option("--force"), name="force")
    refused = project.run("ci", "gitlab", "--write", code=5)
    assert "-own: job" in refused.stderr and "+variables:" in refused.stderr
    assert file.read_text() == "own: job\n"
    follow(row, place)
    assert file.read_text() == ci_file("gitlab")


def test_force_alone_says_what_it_needs(tmp_path: Path) -> None:
    row = Row("cli/ci.py · ci", "promthctl ci --force", Instead("promthctl ci github --write --force"))
    follow(row, Place(Project(tmp_path)))
    assert (tmp_path / CI_FILES["github"][1]).exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ".github").write_text("a file\n")
    row = Row(
        "setting_up/ci_files.py · write_ci_file",
        "promthctl ci --write",
        Instead("promthctl ci github"),
    )
    follow(row, Place(Project(tmp_path)))


def test_in_a_repository_the_file_is_at_its_top_and_runs_in_the_projects_folder(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "app").mkdir()
    project = Project(tmp_path / "app")
    project.run("ci", "--write")
    workflow = yaml.safe_load((tmp_path / CI_FILES["github"][1]).read_text())
    assert workflow["defaults"]["run"] == {"shell": "bash", "working-directory": "app"}
    (upload,) = [step for step in workflow["jobs"]["check"]["steps"] if "upload-artifact" in step.get("uses", "")]
    assert upload["with"]["path"].split() == ["app/verify.html", "app/tests.xml"]
    assert "let its commands run in app" in project.run("ci", "gitlab", "--write").stdout


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


def test_the_check_sees_no_secrets_and_the_plan_one_that_only_reads() -> None:
    jobs = yaml.safe_load(ci_file("github"))["jobs"]
    found = {name: sorted(set(re.findall(r"secrets\.(\w+)", json.dumps(job)))) for name, job in jobs.items()}
    assert found == {
        "check": [],
        "plan": ["PROMTHCTL_PLAN_PASSWORD"],
        "push": ["SUPABASE_ACCESS_TOKEN", "SUPABASE_DB_PASSWORD"],
    }


def test_what_is_kept_between_runs_is_that_of_one_promthctl() -> None:
    action = yaml.safe_load((REPOSITORY / "action.yml").read_text())["runs"]["steps"]
    jobs = yaml.safe_load(ci_file("github"))["jobs"]
    for steps in (action, jobs["check"]["steps"], jobs["plan"]["steps"]):
        (cache,) = [place for place, step in enumerate(steps) if "actions/cache@" in step.get("uses", "")]
        assert "${{ steps.install.outputs.version }}" in steps[cache]["with"]["key"]
        (install,) = [place for place, step in enumerate(steps) if step.get("id") == "install"]
        assert install < cache < min(n for n, step in enumerate(steps) if "promthctl local up" in step.get("run", ""))


def test_the_action_runs_what_the_workflow_checks() -> None:
    def scripts(steps: list[dict[str, str]]) -> list[str]:
        return [step["run"] for step in steps if "run" in step]

    action = yaml.safe_load((REPOSITORY / "action.yml").read_text())
    assert scripts(action["runs"]["steps"]) == scripts(yaml.safe_load(ci_file("github"))["jobs"]["check"]["steps"])


def test_the_hook_for_pre_commit_is_the_same_in_both_files() -> None:
    (own,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    ((local,),) = (repo["hooks"] for repo in yaml.safe_load(ci_file("pre-commit"))["repos"])
    assert {**local, "language": "python"} == own
