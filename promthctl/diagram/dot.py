"""A Diagram in Graphviz's language, https://graphviz.org/doc/info/lang.html; tables are its HTML-like labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from promthctl.diagram.model import Column, Diagram, Name, Reference, Table

LEGEND = "PK primary key · FK foreign key · U unique · ? may be null"
# Colours on white; page.css_of_dark() has the others.
INK, FAINT, LINE, HEAD, BODY, CLUSTER = "#1f2937", "#6b7280", "#94a3b8", "#e2e8f0", "#ffffff", "#f8fafc"
GOOD, BAD = "#15803d", "#b91c1c"
_SPACE = "&#160;" * 3  # the screen's font may be wider than the one that was measured
_FLAT = 2  # how many more tables in a row than in a column


def to_dot(diagram: Diagram, mark: str, all_columns: bool) -> str:
    """mark: the first line, as a comment. all_columns: False for those of keys only."""
    lines = [f"// {mark}", "digraph tables {"]
    lines += [
        '  graph [rankdir=LR, bgcolor="transparent", nodesep=0.3, ranksep=0.9];',
        f'  graph [label="{LEGEND}", labelloc=b, labeljust=l, fontname="Helvetica", fontcolor="{FAINT}", fontsize=10];',
        f'  node [shape=plain, fontname="Helvetica", fontsize=11, fontcolor="{INK}"];',
        f'  edge [color="{LINE}", arrowsize=0.7];',
    ]
    size = 36 if diagram.is_large else 14
    numbers = {table.name: f"t{number}" for number, table in enumerate(diagram.tables)}
    tables = {table.name: table for table in diagram.tables}
    for place, group in enumerate(diagram.groups):
        inside = [table for table in diagram.tables if table.group == group]
        indent = "  "
        if len(diagram.groups) > 1:
            indent = "    "
            lines.append(f"  subgraph cluster_{place} {{")
            lines.append(
                f'    label={_quoted(group)}; labelloc=t; labeljust=l; fontsize={size}; style="filled,rounded"; '
                f'fontcolor="{INK}"; color="{HEAD}"; fillcolor="{CLUSTER}";'
            )
        for table in inside:
            label = _label(table, all_columns)
            lines.append(f"{indent}{numbers[table.name]} [label=<{label}>];")
        lines += [f"{indent}{line}" for line in _in_rows(diagram, inside, numbers)]
        if len(diagram.groups) > 1:
            lines.append("  }")
    free = ", constraint=false" if diagram.is_large else ""
    for reference in diagram.references:
        tail = f"{numbers[reference.table]}{_port(tables[reference.table], reference.columns, 'b:e')}"
        port = _port(tables[reference.target], reference.target_columns, "a:w", all_columns)
        head = f"{numbers[reference.target]}{port}"
        lines.append(f"  {tail} -> {head} [{_look(reference)}{free}];")
    return "\n".join((*lines, "}", ""))


def _label(table: Table, all_columns: bool) -> str:
    told = f"RLS, {table.policies} {'policy' if table.policies == 1 else 'policies'}" if table.rls else "no RLS"
    rls = _small(told, GOOD if table.rls else BAD)
    shown = [column for column in table.columns if all_columns or column.is_key]
    title = f'<td colspan="2" align="left" bgcolor="{HEAD}"><b>{_text(table.title)}</b></td>'
    rows = [f'<tr>{title}<td align="right" bgcolor="{HEAD}">{rls}</td></tr>']
    rows += [_row(column, f"c{place}") for place, column in enumerate(table.columns) if column in shown]
    hidden = len(table.columns) - len(shown)
    notes = [f"{hidden} more columns" if hidden > 1 else "1 more column"] if hidden else []
    notes += [f"{table.partitions} partitions" if table.partitions > 1 else "1 partition"] if table.partitions else []
    if notes:
        rows.append(f'<tr><td colspan="3" align="left">{_small(", ".join(notes))}</td></tr>')
    return (
        f'<table border="1" cellborder="0" cellspacing="0" cellpadding="4" color="{LINE}" bgcolor="{BODY}">'
        f"{''.join(rows)}</table>"
    )


def _row(column: Column, port: str) -> str:
    marks = " ".join(mark for mark, on in (("PK", column.primary), ("FK", column.foreign), ("U", column.unique)) if on)
    away = f" → {', '.join(column.away)}" if column.away else ""
    type_ = f"{column.type}{' ?' if column.nullable else ''}{away}"
    return (
        f'<tr><td align="left" port="{port}a">{_text(column.name)}{_SPACE}</td>'
        f'<td align="left"><font color="{FAINT}">{_text(type_)}{_SPACE}</font></td>'
        f'<td align="right" port="{port}b">{_small(marks)}</td></tr>'
    )


def _port(table: Table, columns: tuple[str, ...], side: str, all_columns: bool = True) -> str:
    """Where an edge of one column meets its row; nothing for several columns, and for a row that is not shown."""
    for place, column in enumerate(table.columns):
        if columns == (column.name,) and (all_columns or column.is_key):
            return f":c{place}{side}"
    return ""


def _look(reference: Reference) -> str:
    """Crow's feet: how many rows there may be at either end."""
    tail, head = "teeodot" if reference.unique else "crowodot", "teeodot" if reference.optional else "tee"
    return f"dir=both, arrowtail={tail}, arrowhead={head}, tooltip={_quoted(_told(reference))}"


def _told(reference: Reference) -> str:
    columns, targets = ", ".join(reference.columns), ", ".join(reference.target_columns)
    return f"{'.'.join(reference.table)} ({columns}) → {'.'.join(reference.target)} ({targets})"


def _in_rows(diagram: Diagram, tables: list[Table], numbers: dict[Name, str]) -> Iterator[str]:
    """Invisible edges that put tables into rows: those without a foreign key, and all where there are many."""
    bound = {name for one in diagram.references for name in (one.table, one.target)}
    alone = [numbers[table.name] for table in tables if diagram.is_large or table.name not in bound]
    width = math.ceil(math.sqrt(len(alone) * (_FLAT if diagram.is_large else 1)))
    for start in range(0, len(alone), width or 1):
        row = alone[start : start + width]
        if len(row) > 1:
            yield f"{' -> '.join(row)} [style=invis];"


def _small(text: str, color: str = FAINT) -> str:
    return f'<font color="{color}" point-size="9">{_text(text)}{_SPACE}</font>' if text else ""


def _text(text: str) -> str:
    return escape(text) or " "


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
