"""Every risk has one id: in the registry, in the code that reports it, and in docs/risks.md, whose examples are run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import Migration
from promthctl.push.risks import rules
from promthctl.push.risks.classify import analyse_migrations
from promthctl.push.risks.rules import RULES, Rule
from tests.servers import Server, fresh_database

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "risks.md").read_text(encoding="utf-8")
_SQL = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STILL = "plan still reports it"  # of a safe way that promthctl cannot tell from the other


@dataclass(frozen=True)
class Entry:
    """An entry of the page. risky: the example that is reported. safe: the SQL of the safe way, if there is any."""

    meaning: str
    risky: str
    safe: str
    still_reported: bool


def entries() -> dict[str, Entry]:
    found = {}
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        name, _, text = section.partition("\n")
        text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
        why, _, safe = text.partition("\nSafe way: ")
        assert safe and "\nWhy it matters: " in why, name
        (risky,) = _SQL.findall(why)
        assert name not in found, name
        found[name] = Entry(why.strip().partition("\n")[0], risky, "".join(_SQL.findall(safe)), _STILL in safe)
    return found


ENTRIES = entries()


@pytest.fixture(scope="module")
def target(server: Server) -> Iterator[psycopg.Connection[Any]]:
    (schema,) = _SQL.findall(PAGE.partition("\n## ")[0])
    with fresh_database(server) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema)
        yield connection


def reported(target: psycopg.Connection[Any], sql: str) -> set[str]:
    statements = analyse_migrations([Migration("001", "x", Path("001_x.sql"), sql.encode())], target)
    target.read_only = False
    return {risk.id for statement in statements for risk in statement.risks}


def test_the_page_has_an_entry_for_each_rule_with_the_same_meaning() -> None:
    assert {name: entry.meaning for name, entry in ENTRIES.items()} == {
        rule.id: rule.meaning for rule in RULES.values()
    }


def test_every_rule_is_used_and_risks_are_made_by_rules_alone() -> None:
    used, made = set(), set()
    for path in (ROOT / "promthctl").rglob("*.py"):
        if path.name == "rules.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name | ast.Attribute):
                used.add(node.id if isinstance(node, ast.Name) else node.attr)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Risk":
                made.add(path)
    assert {name for name, value in vars(rules).items() if isinstance(value, Rule)} <= used
    assert made == set()


@pytest.mark.parametrize("name", ENTRIES)
def test_the_example_is_reported_under_its_id(target: psycopg.Connection[Any], name: str) -> None:
    assert name in reported(target, ENTRIES[name].risky)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.safe])
def test_the_safe_way_works_and_is_not_reported(target: psycopg.Connection[Any], name: str) -> None:
    entry = ENTRIES[name]
    assert (name in reported(target, entry.safe)) == entry.still_reported
    with target.transaction(force_rollback=True):
        target.execute(entry.safe.replace("concurrently ", "").encode())
