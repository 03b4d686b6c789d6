"""What is correct and still slow or open: read from the catalog, with SQL that improves it.

The performance rules follow Supabase's own advisors (github.com/supabase/splinter) where those have one. That the form
of a policy decides whether an index is used was measured: tests/perf/rls.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from promthctl.schema.queries import SCOPE, filled_query
from promthctl.schema.reading import spelled_in_full
from promthctl.sql import expressions
from promthctl.verify import advice_queries as queries

if TYPE_CHECKING:
    import psycopg

QueryRow = Mapping[str, Any]
_COMMANDS = ("select", "insert", "update", "delete")


@dataclass(frozen=True)
class Advice:
    """One piece of advice.

    level: "error" where rows are open to somebody, "warning" where it is slow or careless, "info" for a small risk.
    kind: the rule's name, e.g. "unindexed_foreign_key". object: the identity as in a Catalog. text: one sentence for
    people. fix: SQL, empty where somebody has to decide.
    """

    level: Literal["error", "warning", "info"]
    kind: str
    object: str
    text: str
    fix: str


def advise(connection: psycopg.Connection[Any]) -> tuple[Advice, ...]:
    """Everything that could be better in the project's objects, errors first; nothing is changed.

    connection: in any state. Raises psycopg.Error when it is lost.
    """
    major = connection.info.server_version // 10000
    findings: list[Advice] = []
    with spelled_in_full(connection) as cursor:
        for query, rule in _RULES:
            cursor.execute(filled_query(SCOPE + query, major).encode(), prepare=False)
            names = [column.name for column in cursor.description or ()]
            findings += rule([dict(zip(names, row, strict=True)) for row in cursor], major)
    order = ("error", "warning", "info")
    return tuple(sorted(findings, key=lambda one: (order.index(one.level), one.kind, one.object)))


# tables and their indexes --------------------------------------------------------------------------------------------


def _tables(rows: Sequence[QueryRow], major: int) -> Iterator[Advice]:
    for row in rows:
        name = row["name"]
        if not row["has_key"]:
            text = f"{name} has no primary key: its rows cannot be told apart, nor replicated when they change"
            yield Advice("warning", "no_primary_key", name, text, "")
        if not row["rls"] and row["reached_by"]:
            idle = f"; its {row['policies']} policies do nothing" if row["policies"] else ""
            text = f"{name} has no row level security and {_and(row['reached_by'])} can reach every row{idle}"
            yield Advice("error", "no_rls", name, text, f"alter table {name} enable row level security;")


def _foreign_keys(rows: Sequence[QueryRow], major: int) -> Iterator[Advice]:
    for row in rows:
        columns = ", ".join(row["columns"])
        text = (
            f"{row['name']} has no index that begins with {columns}: a delete in {row['target']} reads the whole table"
        )
        fix = f"create index on {row['table']} ({columns});"
        yield Advice("warning", "unindexed_foreign_key", row["name"], text, fix)


def _duplicates(rows: Sequence[QueryRow], major: int) -> Iterator[Advice]:
    for row in rows:
        text = f"{row['name']} is the same index as {row['twin']}: every write updates both"
        yield Advice("warning", "duplicate_index", row["name"], text, f"drop index {row['name']};")


# policies ------------------------------------------------------------------------------------------------------------


def _policies(rows: Sequence[QueryRow], major: int) -> Iterator[Advice]:
    for row in rows:
        yield from _policy(row)
    for table in sorted({row["table"] for row in rows}):
        yield from _several([row for row in rows if row["table"] == table and row["permissive"]])


def _policy(row: QueryRow) -> Iterator[Advice]:
    name, table, using, check = row["name"], row["table"], row["using"], row["check"]
    alter = f"alter policy {row['short']} on {table}"
    better = [expressions.called_once(text) if text else text for text in (using, check)]
    if better != [using, check]:
        text = f"{name} looks up the caller for every row; in `(select …)` it does so once"
        yield Advice("warning", "auth_called_per_row", name, text, alter + _clauses(better[0], better[1]))
    arrayed = expressions.arrayed(using) if using else using
    if arrayed != using:
        text = f"{name} uses `in (select …)`, for which all of {table} is read; `= any (array(…))` can use an index"
        both = expressions.called_once(arrayed or "")
        yield Advice("warning", "policy_scans", name, text, alter + _clauses(both, better[1]))
    elif using and expressions.correlated(using, row["plain_table"]):
        text = f"{name} reads another table for every row of {table}; `= any (array(select …))` reads it once"
        yield Advice("warning", "policy_scans", name, text, "")
    for other, columns in sorted(row["compared"].items()):
        own = other == table
        words = f"{using or ''} {'' if own else check or ''}"
        asked = [column for column in columns if expressions.compares(words, column["name"], column["table"])]
        if asked and not any(column["indexed"] for column in asked):
            names = [column["name"] for column in asked]
            text = f"{name} compares {_and(names)} of {other}, with which no index begins: the whole table is read"
            fix = f"create index on {other} ({names[0]});"
            yield Advice("warning", "unindexed_policy_column", name, text, fix)


def _clauses(using: str | None, check: str | None) -> str:
    return f"{f' using ({using})' if using else ''}{f' with check ({check})' if check else ''};"


def _several(rows: Sequence[QueryRow]) -> Iterator[Advice]:
    """Policies of one table that are all executed for one role and command."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for command in _COMMANDS:
        for role in sorted({role for row in rows for role in row["roles"]}):
            same = [
                row for row in rows if row["command"] in (command, "all") and ({role, "public"} & set(row["roles"]))
            ]
            if len(same) > 1:
                groups.setdefault(tuple(row["name"] for row in same), []).append(f"{command} by {role}")
    for names, when in groups.items():
        same = [row for row in rows if row["name"] in names]
        table = same[0]["table"]
        text = f"{_and([row['short'] for row in same])} of {table} are all executed for {_and(when)}"
        yield Advice("warning", "multiple_permissive_policies", table, text, _joined(same))


def _joined(rows: Sequence[QueryRow]) -> str:
    """SQL that joins policies of the same command and roles into one; empty where those differ."""
    first, *others = rows
    if any((row["command"], row["roles"]) != (first["command"], first["roles"]) for row in others):
        return ""
    using = " or ".join(f"({row['using']})" for row in rows) if first["using"] else None
    # For update and all, a policy without a check of its own uses its using expression.
    checks = [row["check"] or row["using"] for row in rows if row["command"] not in ("select", "delete")]
    check = " or ".join(f"({text})" for text in checks) if checks and any(row["check"] for row in rows) else None
    drops = [f"drop policy {row['short']} on {row['table']};" for row in others]
    return "\n".join([f"alter policy {first['short']} on {first['table']}{_clauses(using, check)}", *drops])


# functions and views -------------------------------------------------------------------------------------------------


def _functions(rows: Sequence[QueryRow], major: int) -> Iterator[Advice]:
    for row in rows:
        name, writable = row["name"], row["writable"]
        if row["path"] is not None and '"$user"' not in row["path"] and not writable:
            continue
        why = f"its search_path leads through {_and(writable)}" if writable else "its search_path is the caller's"
        danger = "runs with its owner's rights and " if row["definer"] else ""
        text = f"{name} {danger}looks up what it calls where {why}: somebody can put another object there"
        fix = f"alter {row['kind']} {name} set search_path = '';  -- and put the schema before every name in it"
        level: Literal["error", "info"] = "error" if row["definer"] else "info"
        yield Advice(level, "loose_search_path", name, text, fix)


def _views(rows: Sequence[QueryRow], major: int) -> Iterator[Advice]:
    for row in rows:
        name, who = row["name"], _and(row["reached_by"])
        revoke = f"revoke all on {name} from public, anon, authenticated;"
        if row["materialized"]:
            text = f"{name} holds copies of rows, which no policy protects, and {who} can read it"
            yield Advice("error", "view_bypasses_rls", name, text, revoke)
        else:
            text = f"{name} reads its tables with its owner's rights, bypassing their policies, and {who} can use it"
            fix = f"alter view {name} set (security_invoker = true);" if major >= 15 else revoke
            yield Advice("error", "view_bypasses_rls", name, text, fix)


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


_Rule = Callable[[Sequence[QueryRow], int], Iterator[Advice]]
_RULES: tuple[tuple[str, _Rule], ...] = (
    (queries.TABLES, _tables),
    (queries.FOREIGN_KEYS, _foreign_keys),
    (queries.DUPLICATES, _duplicates),
    (queries.POLICIES, _policies),
    (queries.FUNCTIONS, _functions),
    (queries.VIEWS, _views),
)
