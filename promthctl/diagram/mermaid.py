"""A Diagram in Mermaid's language, https://mermaid.js.org/syntax/entityRelationshipDiagram.html."""

from __future__ import annotations

import re

from promthctl.diagram.model import Diagram, Name, Reference, Table

_WORD = re.compile(r"[^\w]+")  # what the name of a type or a column may not have there


def to_mermaid(diagram: Diagram, mark: str, all_columns: bool) -> str:
    """mark: the first line, as a comment. all_columns: False for those of keys only."""
    numbers = {table.name: f"t{number}" for number, table in enumerate(diagram.tables)}
    lines = [f"%% {mark}", "erDiagram"]
    for group in diagram.groups:
        if len(diagram.groups) > 1:
            lines.append(f"  %% {_line(group)}")
        for table in diagram.tables:
            if table.group == group:
                lines += _entity(table, numbers[table.name], all_columns)
    lines += [f"  {_relation(one, numbers)}" for one in diagram.references]
    return "\n".join((*lines, ""))


def _entity(table: Table, number: str, all_columns: bool) -> list[str]:
    title = f"{table.title} ({'RLS' if table.rls else 'no RLS'})"
    lines = [f'  {number}["{_quoted(title)}"] {{']
    for column in table.columns:
        if not (all_columns or column.is_key):
            continue
        keys = ", ".join(
            key for key, on in (("PK", column.primary), ("FK", column.foreign), ("UK", column.unique)) if on
        )
        notes = [*(["may be null"] if column.nullable else []), *(f"→ {name}" for name in column.away)]
        note = f' "{_quoted(", ".join(notes))}"' if notes else ""
        lines.append(f"    {_word(column.type)} {_word(column.name)}{f' {keys}' if keys else ''}{note}")
    return [*lines, "  }"]


def _relation(one: Reference, numbers: dict[Name, str]) -> str:
    many = "o|" if one.unique else "o{"
    target = "|o" if one.optional else "||"
    label = _quoted(", ".join(one.columns))
    return f'{numbers[one.target]} {target}--{many} {numbers[one.table]} : "{label}"'


def _word(text: str) -> str:
    """A name as Mermaid takes it: letters, digits and underscores, not beginning with a digit."""
    word = _WORD.sub("_", text).strip("_")
    return word if word[:1].isalpha() else f"_{word}"


def _quoted(text: str) -> str:
    return _line(text).replace('"', "'")


def _line(text: str) -> str:
    return " ".join(text.split())
