"""How the blocks of a page are read and compared (tests/tutorial.py); tests/embedded/test_tutorial.py runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tutorial import Shell, Step, matches, steps


def test_a_block_of_text_is_what_the_commands_before_it_print() -> None:
    page = "# A\n\n```sh\nls\n```\n\n```text\na\nb\n```\n\n<!-- exit 1 -->\n```sh\nfalse\n```\n"
    assert steps(page) == [Step(3, "ls\n", "a\nb\n"), Step(13, "false\n", None, 1)]


@pytest.mark.parametrize(
    "page", ["```text\na\n```\n", "```bash\nls\n```\n", "```\nls\n```\n", "```sql\nselect 1\n```\n"]
)
def test_a_block_that_nothing_runs_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="nothing runs"):
        steps(page)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\n", "a\n", True),
        ("a\n", "a  \n", True),
        ("a\n", "b\n", False),
        ("a\n", "a\nb\n", False),
        ("a\nb\n", "a\n", False),
        ("port …\n", "port 54321\n", True),
        ("port …, on\n", "port 54321\n", False),
        ("a…\n", "a\nb\n", False),
        ("a\n…\nz\n", "a\nz\n", True),
        ("a\n…\nz\n", "a\nb\nc\nz\n", True),
        ("a\n…\nz\n", "a\nb\n", False),
        ("1.5\n", "1x5\n", False),
    ],
)
def test_what_is_shown_is_compared_with_what_was_printed(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) is same


def test_folder_and_variables_stay_and_a_failing_command_ends_its_step(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"PATH": "/usr/bin:/bin"})
    assert shell.run(Step(1, "mkdir 'a b'\ncd 'a b'\nexport WORD='x y'\n")).returncode == 0
    after = shell.run(Step(2, 'pwd; echo "$WORD"\n'))
    assert (after.returncode, after.stdout) == (0, f"{tmp_path}/a b\nx y\n")
    failed = shell.run(Step(3, "false\necho not reached\n"))
    assert (failed.returncode, failed.stdout) == (1, "")
