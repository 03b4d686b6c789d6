"""A `next:` that needs no database is followed as it stands, and then the same command gets further.

To add a case, say what is there, the command, a part of its error, and what to do: a command of the hint in a shell's
words, or an edit of pyproject.toml that the hint names. Hints that need a stack are in tests/embedded/test_hints.py.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import fork_server
from tests.promthctl_runner import Project

SQL = "create table public.a (id int primary key);\n"
SETTINGS = '[tool.promthctl]\nmigrations = "db"\n'
NOWHERE = "--db-url postgresql://postgres@127.0.0.1:1/x"
REF = "abcdefghijklmnopqrst"


@dataclass(frozen=True)
class Case:
    """files: by path, beside db/001_a.sql and pyproject.toml. words: the command. why: what its error has.

    follow: the part of the hint, a pattern, that is run in a shell or, with `promthctl`, instead of the command; or an
    edit of a file: its name, and its whole text after the edit.
    """

    words: str
    why: str
    follow: str | tuple[str, str]
    files: tuple[tuple[str, str], ...] = ()


def settings(*lines: str) -> tuple[str, str]:
    return "pyproject.toml", "\n".join(["[tool.promthctl]", *lines, ""])


LIST, BUNDLE = "migrations list --local", "migrations bundle {}"
FILE = ("plain", "text")
MAKE = r"mkdir -p [^\s,]+"
MOVE = r"mv \S+ \S+ && mkdir -p [^\s,]+"
GOOD = settings('migrations = "db"')
CASES = {
    "no project folder": Case("-C nothere/deep migrations new x", "does not exist", MAKE),
    "a file above the project folder": Case("-C plain/deep migrations new x", "does not exist", MOVE, (FILE,)),
    "no migrations folder": Case(LIST, "there is no folder", MAKE, (settings('migrations = "none"'),)),
    "a file for a migrations folder": Case(LIST, "is a file", MOVE, (FILE, settings('migrations = "plain"'))),
    "a file above the migrations": Case(LIST, "is a file", MOVE, (FILE, settings('migrations = "plain/db"'))),
    "no folder for a bundle": Case(BUNDLE.format("no/such/x.sql"), "there is no folder", MAKE),
    "a file above a bundle": Case(BUNDLE.format("plain/x.sql"), "is a file", MOVE, (FILE,)),
    "a bundle that is a folder": Case(
        BUNDLE.format("sub"), "it is not a file", r"promthctl migrations bundle \S+", (("sub/.keep", ""),)
    ),
    "a bundle among the migrations": Case(BUNDLE.format("db/x.sql"), "take it for", r"promthctl migrations bundle \S+"),
    "a bundle over a file": Case(BUNDLE.format("plain"), "not a bundle", "--force", (FILE,)),
    "no folder for a report": Case(f"verify {NOWHERE} --report no/x.html", "there is no folder", MAKE),
    "a file above a report": Case(f"verify {NOWHERE} --report plain/x.html", "is a file", MOVE, (FILE,)),
    "a report that is a folder": Case(f"verify {NOWHERE} --report db", "it is a folder", r"--report \S+"),
    "migrations that is no text": Case(LIST, "wrong setting: migrations", GOOD, (settings("migrations = 3"),)),
    "an unknown setting": Case(LIST, "unknown setting", GOOD, (settings('migration = "db"'),)),
    "migrations and an example": Case(
        LIST, "It is not clear", GOOD, (settings('migrations = "db"', 'example = "mr-promth"'),)
    ),
    "another example": Case(
        LIST, "there is one example", settings('example = "mr-promth"'), (settings('example = "x"'),)
    ),
    "a wrong CLI": Case(
        LIST, "supabase_cli", settings('migrations = "db"', 'supabase_cli = "system"'), (settings("supabase_cli = 1"),)
    ),
    "a wrong condition": Case(
        LIST,
        "public.news",
        settings('migrations = "db"', "[tool.promthctl.public]", 'news = "true"'),
        (settings("[tool.promthctl.public]", "news = 1"),),
    ),
    "no such target": Case(
        "push --target x",
        "There is no target",
        settings('migrations = "db"', "[tool.promthctl.targets.x]", f'project_ref = "{REF}"'),
    ),
    "another target": Case("push --target y", "There is no target", r"--target \w+", (
        settings('migrations = "db"', "[tool.promthctl.targets.x]", f'project_ref = "{REF}"'),)),
    "a target that is no table": Case(
        "push --target x",
        "targets.x",
        settings('migrations = "db"', "[tool.promthctl.targets.x]", f'project_ref = "{REF}"'),
        (settings('migrations = "db"', "[tool.promthctl.targets]", "x = 3"),),
    ),
    "a reference of a target that is too short": Case(
        "push --target x",
        "not a project reference",
        settings('migrations = "db"', "[tool.promthctl.targets.x]", f'project_ref = "{REF}"'),
        (settings('migrations = "db"', "[tool.promthctl.targets.x]", 'project_ref = "short"'),),
    ),
    "a seed setting that is no list": Case(
        f"seed sql {NOWHERE} --yes",
        "wrong [db.seed] sql_paths",
        ("supabase/config.toml", '[db.seed]\nsql_paths = ["./seed.sql"]\n'),
        (("supabase/config.toml", "[db.seed]\nsql_paths = 3\n"), ("supabase/seed.sql", "select 1;\n")),
    ),
    "no seed": Case(f"seed sql {NOWHERE}", "There is no seed", ("supabase/seed.sql", "select 1;\n")),
    "seeds switched off": Case(
        f"seed sql {NOWHERE}",
        "enabled = false",
        ("supabase/config.toml", "[db.seed]\nenabled = true\n"),
        (("supabase/config.toml", "[db.seed]\nenabled = false\n"), ("supabase/seed.sql", "select 1;\n")),
    ),
    "a port that is none": Case(
        "local status",
        "wrong [api] port",
        ("supabase/config.toml", "[api]\nport = 54321\n"),
        (("supabase/config.toml", '[api]\nport = "x"\n'),),
    ),
    "a lock timeout that is no time": Case(f"push {NOWHERE} --lock-timeout x", "is not a time", r"--lock-timeout \w+"),
    "no migration yet": Case(LIST, "", "put the first", (("e/.keep", ""), settings('migrations = "e"'))),
    "a time that is none": Case("local logs --since x", "neither a duration nor a time", r"--since \w+"),
    "an engine that is none": Case(
        "local status", "There is no engine", settings('engine = "auto"'), (settings('engine = "x"'),)
    ),
    "migrations switched off": Case(
        f"push {NOWHERE}",
        "enabled = false",
        ("supabase/config.toml", "[db.migrations]\nenabled = true\n"),
        (("supabase/config.toml", "[db.migrations]\nenabled = false\n"),),
    ),
    "nothing to roll back to": Case("rollback", "It is not clear what", "promthctl rollback --to VERSION --dry-run"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_comes_next_gets_further(name: str, make_project: Callable[..., Project]) -> None:
    case = CASES[name]
    project = make_project()
    for path, text in (("db/001_a.sql", SQL), ("pyproject.toml", SETTINGS), *case.files):
        write(project.path, path, text)
    project.extra["PROMTHCTL_ENGINE"] = "" if "engine = " in str(case.files) else project.engine  # the file decides
    before = run(project, case.words)
    (error,) = re.findall(r"^error: (.*)$", before, re.MULTILINE)
    hints = re.findall(r"^ next: (.*)", before, re.MULTILINE | re.DOTALL)
    assert hints and case.why in before, before
    words = case.words
    if isinstance(case.follow, tuple):
        write(project.path, *case.follow)
    else:
        found = re.search(case.follow, hints[0])
        assert found, hints[0]
        if found[0].startswith("promthctl "):
            words = found[0].removeprefix("promthctl ")
        elif found[0].startswith("--"):
            option, _, value = found[0].partition(" ")
            words = re.sub(rf"{option} \S+", found[0], words) if option in words else f"{words} {option} {value}"
        elif found[0].startswith(("mkdir", "mv")):
            subprocess.run(["/bin/sh", "-c", found[0]], cwd=project.path, check=True, capture_output=True)
        else:
            write(project.path, "e/001_a.sql", SQL)
    assert f"error: {error}" not in run(project, words)


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def run(project: Project, words: str) -> str:
    """What is said on standard error; the project's folder is the working directory's, too."""
    done = fork_server.run(shlex.split(words), project.environment(), project.path)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr
