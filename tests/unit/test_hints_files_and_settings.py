"""Hints about files, settings and URLs that need neither a stack nor a database; see tests/hints.py."""

from __future__ import annotations

import pytest

from tests.hints import ByHand, Edit, Instead, Leave, Option, Place, Row, Run, Say, Set, follow
from tests.promthctl_runner import Project

AT = "--db-url postgresql://postgres@127.0.0.1:1/x"
CUT = "Cannot connect"  # it came as far as the database
NO_API = "cannot be reached"  # it came as far as the API
LIST = "promthctl migrations list --local"
SQL = "create table public.a (id int primary key);\n"
SETTINGS = "[tool.promthctl]\n"
OWN = (("db/001_a.sql", SQL), ("pyproject.toml", f'{SETTINGS}migrations = "db"\n'))
REF = "abcdefghijklmnopqrst"
API = (("SUPABASE_URL", "http://127.0.0.1:1"), ("SUPABASE_SERVICE_ROLE_KEY", "sb_secret_FAKE"))


def setting(key: str, line: str, good: str, says: str, words: str = LIST) -> Row:
    """A line of pyproject.toml that is wrong, and what it is after the edit that the hint names."""
    files = (*OWN, ("pyproject.toml", SETTINGS + line))
    return Row(key, words, Edit("pyproject.toml", SETTINGS + good, says), files=files, name=line.split("\n")[0])


def url(text: str) -> Row:
    """--db-url with something that is no URL."""
    says = "--db-url postgresql://USER@HOST:5432/DATABASE"
    words = f"promthctl push --db-url '{text}'"
    return Row("targets.py · _not_a_url", words, Option(says, AT.split()[1]), CUT, OWN, name=text)


TARGETS = "push/batch.py · _read_targets_file"
FILE = "promthctl push --targets-file t.txt --dry-run"
GOOD_TARGETS = Edit("t.txt", "postgresql://postgres@127.0.0.1:1/x\n", "on each line|correct the line")
TARGET = "[tool.promthctl.targets.x]\ndb_url = "
SETTINGS_ROWS = (
    setting("settings.py · _replay", 'replay = "x"\n', "replay = true\n", "replay = true"),
    setting(
        "settings.py · _without_password",
        f'{TARGET}"postgresql://u:p@h/d"\n',
        f'{TARGET}"postgresql://u@h/d"\n',
        "remove the password",
    ),
    setting(
        "settings.py · _diagram_groups",
        "diagram = { groups = { A = 3 } }\n",
        'diagram = { groups = { A = ["orders"] } }\n',
        r"groups = \{ .*\}",
    ),
    Row(
        "resolve/database.py · find_target",
        "promthctl push --dry-run --target x",
        Set("X_PASSWORD", "fake", "export X_PASSWORD"),
        CUT,
        (*OWN, ("pyproject.toml", f'{TARGET}"{AT.split()[1]}"\npassword_env = "X_PASSWORD"\n')),
    ),
    setting("settings.py · _postgres", "postgres = 16\n", "postgres = 17\n", "postgres = 17", "promthctl trust"),
    setting("project_files.py · read_toml", "migrations = \n", "", "correct"),
    Row(
        "project_files.py · table_of",
        LIST,
        Edit("pyproject.toml", OWN[1][1], "correct"),
        files=(*OWN, ("pyproject.toml", "[tool]\npromthctl = 3\n")),
    ),
    Row(
        "project_files.py · read_dotenv",
        LIST,
        Edit(".env", "A=b\n", "NAME=value"),
        files=OWN,
        before=r"printf 'A=\377' > .env",
    ),
    url("http://h/d"),
    url("postgresql://u:p#w@h/d"),
    Row(
        "targets.py · from_url",
        "promthctl push --db-url 'postgresql:///d?host=/run'",
        Option("--db-url postgresql://USER@127.0.0.1:5432/DATABASE", AT.split()[1]),
        CUT,
        OWN,
    ),
    Row("resolve/choice.py · named_target", f"promthctl verify --local {AT}", Leave("--local", "give one"), CUT, OWN),
    Row(
        "resolve/api.py · _of_database",
        f"promthctl keys list {AT}",
        tuple(Set(name, value, f"{name}=") for name, value in API),
        NO_API,
    ),
    Row(
        "resolve/api.py · _of_database",
        "promthctl keys list --db-url postgresql://postgres@db.example.invalid/x",
        Set("SUPABASE_URL", "https://db.example.invalid", "SUPABASE_URL="),
        NO_API,
        env=API,
        name="of another machine",
    ),
    Row(
        "resolve/api.py · _variables",
        f"promthctl keys list {AT}",
        Set("SUPABASE_URL", API[0][1], "SUPABASE_URL"),
        NO_API,
        env=(("SUPABASE_URL", "nonsense"), API[1]),
    ),
    Row(TARGETS, FILE, GOOD_TARGETS, CUT, OWN, name="that is missing"),
    Row(TARGETS, FILE, GOOD_TARGETS, CUT, (*OWN, ("t.txt", "# none\n")), name="that is empty"),
    Row(TARGETS, FILE, GOOD_TARGETS, CUT, (*OWN, ("t.txt", "what?\n")), name="with a wrong line"),
    Row("schema/model.py · selected_kinds", f"promthctl verify {AT} --only x", Option("--only .*"), CUT, OWN),
    Row(
        "schema/model.py · selected_kinds",
        f"promthctl verify {AT} --only ,",
        Option("--only .*"),
        CUT,
        OWN,
        name="none",
    ),
    Row(
        "verify/accepted.py · read_accepted",
        f"promthctl verify --only tables {AT}",
        Run(r"git checkout -- [^\s,]+"),
        CUT,
        (*OWN, ("good", '{"accepted": []}')),
        "git init -q && cp good promthctl.accepted.json && git add -A && echo x > promthctl.accepted.json",
    ),
    Row(
        "mr_promth/project.py · choose_example",
        "promthctl init --example mr-promth",
        Edit("pyproject.toml", SETTINGS, "remove that line"),
        files=OWN,
    ),
    Row(
        "mr_promth/project.py · _write",
        "promthctl -C /proc init --example mr-promth",
        Say("/proc", "own", "-C DIR"),
        before="mkdir own",
    ),
    Row(
        "trust.py · _check",
        f"promthctl keys list {AT}",
        ByHand("promthctl trust --yes", "promthctl trust"),
        NO_API,
        ((".env", "SUPABASE_URL=https://db.example.invalid\n"),),
        env=(("SUPABASE_SERVICE_ROLE_KEY", "x"), ("XDG_CONFIG_HOME", "{tmp}/config")),
    ),
    Row(
        "trust.py · _check",
        f"promthctl keys list {AT}",
        Set("SUPABASE_URL", "https://db.example.invalid", "export SUPABASE_URL="),
        NO_API,
        ((".env", "SUPABASE_URL=https://db.example.invalid\n"),),
        env=(("SUPABASE_SERVICE_ROLE_KEY", "x"),),
        name="set by oneself",
    ),
    Row(
        "trust.py · agree",
        "promthctl trust --yes",
        (
            Set("SUPABASE_URL", "https://db.example.invalid", "set the variables"),
            Say("trust --yes", f"keys list {AT}", "needs no agreement"),
        ),
        NO_API,
        ((".env", "SUPABASE_URL=https://db.example.invalid\n"),),
        env=(("SUPABASE_SERVICE_ROLE_KEY", "x"), ("XDG_CONFIG_HOME", "/proc/nowhere")),
    ),
)

BOTH = (("db/001_a.sql", SQL), ("supabase/migrations/001_b.sql", SQL.replace(".a", ".b")), OWN[1])
DB = Edit(
    "pyproject.toml", f'{SETTINGS}migrations = "database/migrations"\n', r"set migrations = \"database/migrations\""
)
FILES_ROWS = (
    Row("project_files.py · check_link", LIST, Run(r"(rm [^;]+);"), files=OWN, before="ln -s /etc/passwd db/002_x.sql"),
    Row(
        "project_files.py · check_link",
        LIST,
        Run(r"rm \S+ && cp .*"),
        files=OWN,
        before="mkdir {tmp}/o && echo 'select 1;' > {tmp}/o/x && ln -s {tmp}/o/x db/002_x.sql && git init -q",
        name="copied",
    ),
    Row(
        "migration_set/source.py · find_source",
        LIST,
        Edit("pyproject.toml", f'{SETTINGS}migrations = "supabase/migrations"\n', 'migrations = "supabase/migrations"'),
        files=(("database/migrations/001_a.sql", SQL), ("supabase/migrations/001_b.sql", SQL)),
    ),
    Row(
        "migration_set/problems.py · unusable_folder",
        LIST,
        Run(r"in \S+: (mv \S+ [^\s,]+)"),
        files=(("pyproject.toml", f'{SETTINGS}migrations = "."\n'), ("02-b.sql", SQL)),
    ),
    Row(
        "migration_set/problems.py · unusable_folder",
        LIST,
        Run(r"or (mv \S+ \S+)"),
        files=(("pyproject.toml", f'{SETTINGS}migrations = "."\n'), ("001_a.sql", SQL), ("02-b.sql", SQL)),
        name="taken out",
    ),
    Row(
        "migration_set/problems.py · unusable_folder",
        LIST,
        Run(r"or (mv \S+ \S+)"),
        files=(("pyproject.toml", f'{SETTINGS}migrations = "."\n'), ("001_a.sql", SQL), ("002_b.down.sql", SQL)),
        name="with a down script alone",
    ),
    Row(
        "migration_set/supabase_folder.py · check_unfinished",
        LIST,
        Run(r"rm \S+"),
        files=(*OWN, (".promthctl/unfinished.json", "{}")),
    ),
    Row("migration_set/sync.py · refusal", "promthctl migrations sync", Run(r"(rm \S+) if"), files=BOTH),
    Row(
        "migration_set/sync.py · refusal",
        "promthctl migrations sync",
        Run(r"(mkdir .*?):"),
        files=(*OWN, ("supabase/migrations/001_a.down.sql", "drop table public.a;")),
        name="of a down script",
    ),
    Row(
        "migration_set/sync.py · _entries",
        "promthctl migrations sync",
        (Edit("pyproject.toml", f'{SETTINGS}migrations = "other"\n', "where it leads"), Run(r"rm \S+")),
        files=(*OWN, ("other/001_a.sql", SQL), ("supabase/.keep", "")),
        before="ln -s ../other supabase/migrations",
    ),
    Row(
        "migration_set/sync.py · _refuse_special",
        "promthctl migrations sync",
        Run(r"rm -r \S+"),
        files=(*OWN, ("supabase/migrations/001_a.sql/x", "")),
    ),
    Row(
        "migration_set/sync.py · _failed",
        "promthctl migrations sync",
        Run(r"mv \S+ \S+ && mkdir .*"),
        files=(*OWN, ("supabase/migrations", "x")),
    ),
    Row(
        "migration_set/sync.py · _failed",
        "promthctl migrations sync",
        Run(r"mv \S+ \S+ && mkdir .*"),
        files=(*OWN, ("supabase", "x")),
        name="above",
    ),
    Row(
        "migration_files/bundling.py · bundle",
        "promthctl migrations bundle --unproven /proc/x.sql",
        Say("/proc/x.sql", "x.sql", "choose one"),
        files=OWN,
    ),
    Row(
        "migration_files/converting.py · plan_conversion",
        "promthctl migrations convert",
        (DB, ByHand("promthctl migrations new x && echo 'select 1;' > database/migrations/001_x.sql", "then")),
        files=(),
    ),
)
EXAMPLE = ("pyproject.toml", f'{SETTINGS}example = "mr-promth"\n')
OTHER = (("DIR", "own"), ("NAME", "x"))
OWN_ROWS = (
    Row(
        "migration_files/pulling.py · own_settings",
        f"promthctl pull x {AT}",
        Instead("promthctl -C DIR pull NAME", OTHER, AT),
        CUT,
        (EXAMPLE,),
        "mkdir own",
    ),
    Row(
        "migration_files/pulling.py · own_settings",
        f"promthctl migrations fetch {AT}",
        Instead("promthctl -C DIR migrations fetch", OTHER[:1], AT),
        CUT,
        (EXAMPLE,),
        "mkdir own",
        name="fetch",
    ),
    Row(
        "migration_files/down_scripts.py · _chosen",
        "promthctl migrations down 9",
        (Run("promthctl migrations list(?= shows)"), Say("9", "001", "shows the versions")),
        "has a down script",
        (*OWN, ("db/001_a.down.sql", "drop table public.a;\n")),
    ),
    Row(
        "migration_files/changes.py · check_not_overwritten",
        "promthctl migrations renumber --dry-run",
        Run(r"mv \S+ \S+"),
        files=(
            *OWN,
            ("db/001_b.sql", SQL.replace(".a", ".b")),
            ("db/001_b.down.sql", "drop table public.b;\n"),
            ("db/002_b.down.sql", "drop table public.c;\n"),
        ),
    ),
    Row(
        "migration_files/renumbering.py · _with_own_versions",
        "promthctl migrations renumber --dry-run",
        ByHand("mv db/999_b.sql db/1000_b.sql && mv db/999_a.sql db/0999_a.sql", "longer numbers, all of one width"),
        files=(("db/999_a.sql", "select 1;\n"), ("db/999_b.sql", "select 2;\n"), OWN[1]),
    ),
)
CONVERT = "promthctl migrations convert --dry-run"
GOOSE = "-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;\n"
CHANGED_ROWS = (
    Row(
        "migration_set/supabase_folder.py · _unwritable",
        "promthctl -C /proc migrations sync",
        Say("/proc", "own", "-C DIR"),
        before="mkdir own",
    ),
    Row(
        "migration_files/converting.py · put",
        CONVERT,
        Run(r"mv \S+ \S+"),
        files=(*OWN, ("db/V1__a.sql", "select 1;\n")),
    ),
    Row(
        "migration_files/converting.py · _take",
        CONVERT,
        Edit("db/001_a.sql", GOOSE, "remove that line"),
        files=(("db/001_a.sql", GOOSE.replace("Up\n", "Up\n-- +goose ENVSUB ON\n")), OWN[1]),
    ),
    Row(
        "migration_files/converting.py · _writes",
        CONVERT,
        Run(r"mv \S+ \S+"),
        files=(("db/001_a.sql", GOOSE), ("db/001_a.down.sql", "select 3;\n"), OWN[1]),
    ),
    Row(
        "migration_files/renumbering.py · plan_renumbering",
        "promthctl migrations renumber --dry-run",
        ByHand("mv db/999_b.sql db/1000_b.sql && mv db/999_a.sql db/0999_a.sql", "longer numbers, all of one width"),
        files=(("db/999_a.sql", "select 1;\n"), ("db/999_b.sql", "select 2;\n"), OWN[1]),
    ),
    Row(
        "migration_set/creating.py · file_slug",
        "promthctl migrations new '...'",
        Instead("promthctl migrations new add_tags_to_prompts"),
        files=OWN,
    ),
    Row(
        "migration_set/creating.py · next_version",
        "promthctl migrations new x",
        ByHand("mv db/999_a.sql db/0999_a.sql", "longer numbers"),
        files=(("db/999_a.sql", "select 1;\n"), OWN[1]),
    ),
    Row(
        "cli/migrations.py · down",
        "promthctl migrations down",
        Instead("promthctl migrations down --missing"),
        files=(*OWN, ("db/001_a.down.sql", "drop table public.a;\n")),
    ),
)
ROWS = (*SETTINGS_ROWS, *FILES_ROWS, *OWN_ROWS, *CHANGED_ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, project: Project) -> None:
    follow(row, Place(project, {"tmp": str(project.path.parent)}))
