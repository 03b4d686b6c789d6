"""What is quoted is read back as it was."""

from __future__ import annotations

import pytest
from pglast.parser import parse_sql

from promthctl.sql.quoting import dollar_quoted, dollar_tag, identifier, literal

TEXTS = ["", "a", "it's; ''", 'say "x"', "$$ $sql$ $sql1", "$", "back\\slash", "ไทย 👋\r\n-- x"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back(text: str) -> None:
    (statement,) = parse_sql(f"select {literal(text)}, {dollar_quoted(text)}")
    assert [target.val.val.sval for target in statement.stmt.targetList] == [text, text]


@pytest.mark.parametrize("names", [("a",), ("public", "Ta ble"), ('q"uote', "; drop", "ไทย")])
def test_a_name_comes_back(names: tuple[str, ...]) -> None:
    (statement,) = parse_sql(f"select {identifier(*names)}")
    assert tuple(field.sval for field in statement.stmt.targetList[0].val.fields) == names


def test_a_tag_is_one_that_no_text_has() -> None:
    assert dollar_tag("sql", ("a", "$sql$ $sql1$")) == "$sql2$"
    assert dollar_tag("sql", iter(("$sql", "b"))) == "$sql1$"
