"""Hints of command lines that need neither a stack nor a database; see tests/hints.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hints import Instead, Leave, Option, Place, Put, Row, Say, follow
from tests.promthctl_runner import Project

NO_STACK = "There is no local stack"
NOWHERE = "--db-url postgresql://postgres@127.0.0.1:1/x"

CUT = "Cannot connect"  # it came as far as the database
AGENT = Instead("promthctl keys remove AGENT", (("AGENT", "1"),))
REASON = "cli/verify.py · _check_reason"
VERIFY = f"promthctl verify {NOWHERE}"
ROWS = (
    Row("cli/__init__.py · root", "promthctl local env -q -v", Leave("-v"), NO_STACK),
    Row("cli/groups.py · parse_args", "promthctl cache --json", Instead("promthctl cache --help")),
    Row("cli/mistakes.py · explained", "promthctl keys check --keys x", Instead("promthctl keys check --help")),
    Row("cli/mistakes.py · _wrong_value", "promthctl local up --api-port x", Instead("promthctl local up --help")),
    Row("cli/mistakes.py · unknown_command", "promthctl adopt --help", Instead("promthctl .*", adds="--help")),
    Row(
        "cli/init.py · init",
        "promthctl init --example x",
        Instead("promthctl init --keys"),
    ),
    Row(
        "migration_set/table_template.py · table_of_name",
        "promthctl migrations new 1st --template table",
        Instead("promthctl migrations new .*"),
        files=(("supabase/config.toml", ""),),
    ),
    Row(
        "cli/migrations.py · new",
        "promthctl migrations new a --from-schemas --template table",
        Leave("--template table"),
        "there are no schema files",
        files=(("supabase/config.toml", ""),),
    ),
    Row(
        "doctor/bundle.py · write_bundle",
        "promthctl doctor --bundle no/such/folder/x",
        Instead("promthctl doctor --bundle FILE", (("FILE", "report.json"),)),
        "Written: report.json",
    ),
    Row("cli/keys.py · remove", "promthctl keys remove", AGENT, NO_STACK),
    Row("cli/local.py · reset", "promthctl local reset --undo --dry-run", Instead("promthctl local .*"), NO_STACK),
    Row("cli/verify.py · _least", f"{VERIFY} --strict --fail-on leak", Leave("--strict"), CUT),
    Row("cli/verify.py · _least", f"{VERIFY} --fail-on x", Option("--fail-on .*"), CUT),
    Row(REASON, f"{VERIFY} --reason x", (Option("--reason.*"), Option("--accept")), CUT),
    Row(REASON, f"{VERIFY} --accept", Option("--reason.*"), CUT),
    Row(
        "pgtap/files.py · find_tests",
        f"promthctl test {NOWHERE}",
        Instead("promthctl test --new NAME", (("NAME", "first"),)),
    ),
    Row("pgtap/files.py · new_test", "promthctl test --new 'a b'", Instead("promthctl test --new another_name")),
    Row(
        "cli/watch.py · check_watch",
        f"promthctl test --watch --json --yes {NOWHERE}",
        Leave("--watch"),
        CUT,
        files=(("supabase/tests/a.sql", "select 1;"),),
    ),
    Row(
        "resolve/choice.py · check_no_target",
        "promthctl types --from-migrations --local",
        Leave("--from-migrations"),
        NO_STACK,
    ),
    Row(
        "cli/__init__.py · _unexpected_disk_error",
        "promthctl migrations list --local > /dev/full",
        Say("/dev/full", "/dev/null", "fix that"),
    ),
    Row(
        "declarations.py · _wrong",
        "promthctl migrations list --local",
        Put("pyproject.toml", "listings = 3", 'set (listings = "is_public"), or'),
        files=(("pyproject.toml", "[tool.promthctl.public]\nlistings = 3\n"),),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, tmp_path: Path) -> None:
    follow(row, Place(Project(tmp_path)))
