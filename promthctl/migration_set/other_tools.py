"""Migration files as other tools have them: what undoes a migration is told from what makes it.

The Supabase CLI knows no down part: of dbmate's `-- migrate:down` it sees a comment, and runs what follows; X.down.sql
beside X.up.sql is a second migration to it. So both are found here, by the rules of the tools that wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from promthctl.sql.tokens import line_at, scan_sql

# Comments that begin a part, by tool; each is a line of its own. Sources: the README of each tool; for node-pg-migrate
# its src/sqlMigration.ts, for Atlas its txtar format. Where a tool marks only the down part, so does the pattern.
_MARKS = {
    "dbmate": r"migrate:(up|down)\b.*",
    "goose": r"\+goose\s+(up|down)\b.*",
    "sql-migrate": r"\+migrate\s+(up|down)\b.*",
    "micrate": r"\+micrate\s+(up|down)\b.*",
    "rambler": r"rambler\s+(up|down)\b.*",
    "node-pg-migrate": r"[\s-]*(up|down)\s+migration\b.*",
    "tern": r"--\s*create\s+above\s*/\s*drop\s+(below)\s*-*",
    "MyBatis": r"//\s*@(undo)\b.*",
    "Atlas": r"(migration|down)\.sql\s+--",
    "Play": r"[#\s-]*!(ups|downs)\b.*",
}
_HEADINGS = "a heading"  # -- Up … -- Down, written by hand: only the two together
_MARKS[_HEADINGS] = r"[\s=*#@+:-]*(up|down)[\s=*#:.-]*"
_COMPILED = {tool: re.compile(rf"--\s*{pattern}\s*", re.IGNORECASE) for tool, pattern in _MARKS.items()}
_BACK = frozenset(("down", "below", "undo", "downs"))
_DOWN_WORDS = ("down", "below", "undo")  # looked for first: a pattern takes ten times as long
_WORTH_A_LOOK = re.compile(rf"^\s*--.*(?:{'|'.join(_DOWN_WORDS)})", re.IGNORECASE | re.MULTILINE)

_DOWN_NAME = re.compile(r"(?P<stem>.+)[._-](?:down|undo|rollback|revert)\.sql", re.IGNORECASE)
_UP_ENDINGS = ("", ".up", "_up", "-up", ".do", "_do")
_FLYWAY = re.compile(r"(?P<kind>[VU])(?P<version>[0-9]+(?:[._][0-9]+)*)__(?P<name>.+)\.sql", re.IGNORECASE)


@dataclass(frozen=True)
class Parts:
    """A file that both makes and undoes. tool: whose mark it is. line: of the first down part's mark, from 1."""

    tool: str
    line: int
    up: str
    down: str


@dataclass(frozen=True)
class FlywayName:
    """V1.2__name.sql, or U1.2__name.sql, which undoes it. numbers: (1, 2)."""

    undoes: bool
    numbers: tuple[int, ...]
    name: str


def split_parts(sql: str) -> Parts | None:
    """The parts of a migration; None for one without a down part, or with nothing but comments in it."""
    lower = sql.lower()
    if not any(word in lower for word in _DOWN_WORDS) or not _WORTH_A_LOOK.search(sql):
        return None
    tokens = scan_sql(sql)
    marks: list[tuple[str, bool, int]] = []  # tool, whether it undoes, where
    for token in tokens:
        line_start = sql.rfind("\n", 0, token.start) + 1
        if token.kind != "comment" or sql[line_start : token.start].strip(" \t\ufeff"):
            continue
        text = sql[token.start : token.end].rstrip()
        for tool, pattern in _COMPILED.items():
            if match := pattern.fullmatch(text):
                marks.append((tool, match[1].lower() in _BACK, token.start))
                break
    if all(undoes for tool, undoes, _ in marks if tool == _HEADINGS):
        marks = [mark for mark in marks if mark[0] != _HEADINGS]
    code = [token.start for token in tokens if token.kind != "comment"]
    ends = [start for _, _, start in marks[1:]] + [len(sql)]
    if not marks:
        return None
    first: tuple[str, int] | None = None
    ups, downs = [sql[: marks[0][2]]], list[str]()
    for (tool, undoes, start), end in zip(marks, ends, strict=True):
        (downs if undoes else ups).append(sql[start:end])
        if undoes and first is None and any(start < place < end for place in code):
            first = tool, line_at(sql, start)
    return Parts(*first, "".join(ups), "".join(downs)) if first else None


def paired_downs(names: Collection[str]) -> dict[str, str]:
    """The down scripts among these file names, each with the migration that it undoes.

    001_x.down.sql with 001_x.sql or 001_x.up.sql; also with undo, rollback or revert, after a dash or an underscore.
    """
    pairs = {}
    for name in names:
        if match := _DOWN_NAME.fullmatch(name):
            ups = [up for ending in _UP_ENDINGS if (up := f"{match['stem']}{ending}.sql") in names]
            if ups:
                pairs[name] = ups[0]
    return pairs


def is_down_script(name: str) -> bool:
    """True for what is a down script even where its migration is missing."""
    return name.lower().endswith(".down.sql")


def flyway_name(name: str) -> FlywayName | None:
    """What a name in Flyway's form says; None for any other, R__name.sql included."""
    match = _FLYWAY.fullmatch(name)
    if match is None:
        return None
    numbers = tuple(int(number) for number in re.split(r"[._]", match["version"]))
    return FlywayName(match["kind"].upper() == "U", numbers, match["name"])
