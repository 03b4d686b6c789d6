"""The tables and their foreign keys as one SVG: parents to the left of their children."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from html import escape

from promthctl.schema import Catalog

_ROW, _HEAD, _GAP_X, _GAP_Y, _PAD = 18, 26, 80, 26, 20  # pixels
_LETTER = 6.7  # the width of a letter at 11 px in a monospaced font
_REFERENCE = re.compile(r"FOREIGN KEY \(([^)]*)\) REFERENCES ([^\s(]+)")


@dataclass(frozen=True)
class _Box:
    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def width(self) -> float:
        letters = max([len(self.name) + 2, *(len(name) + len(kind) + 3 for name, kind in self.columns)])
        return letters * _LETTER + 16

    @property
    def height(self) -> float:
        return _HEAD + len(self.columns) * _ROW + 6


def draw_diagram(catalog: Catalog) -> str:
    """An SVG document with every table of the catalog; tables of other schemas that they refer to have only a name."""
    references = [
        (str(given["table"]), match[1].split(", ")[0].strip('"'), match[2])
        for given in catalog.of("constraints").values()
        if (match := _REFERENCE.search(str(given.get("definition", ""))))
    ]
    boxes = {name: _Box(_short(name), _columns(catalog, name)) for name in catalog.of("tables")}
    for _, _, parent in references:
        boxes.setdefault(parent, _Box(parent, ()))
    places, width, height = _layout(boxes, references)
    lines = [_line(boxes, places, *reference) for reference in sorted(references)]
    tables = [_table(boxes[name], *places[name]) for name in sorted(boxes)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img"'
        f' aria-label="Tables and their foreign keys" font-family="ui-monospace, Menlo, Consolas, monospace"'
        f' font-size="11">{"".join(lines)}{"".join(tables)}</svg>'
    )


def _columns(catalog: Catalog, table: str) -> tuple[tuple[str, str], ...]:
    found = [
        (int(given["place"]), name.rpartition(".")[2].strip('"'), str(given["type"]))
        for name, given in catalog.of("columns").items()
        if given["table"] == table
    ]
    return tuple((name, _brief(kind)) for _, name, kind in sorted(found))


def _brief(kind: str) -> str:
    return kind.replace("timestamp with time zone", "timestamptz").replace("character varying", "varchar")


def _short(name: str) -> str:
    return name.removeprefix("public.")


def _layout(
    boxes: dict[str, _Box], references: list[tuple[str, str, str]]
) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Each box's place, by its distance from tables that refer to nothing; the drawing's width and height."""
    depth = dict.fromkeys(boxes, 0)
    for _ in range(len(boxes)):  # a cycle of references stops growing at its length
        for child, _, parent in references:
            if child != parent:
                depth[child] = min(max(depth[child], depth[parent] + 1), len(boxes))
    ranks: dict[int, list[str]] = defaultdict(list)
    for name in sorted(boxes):
        ranks[depth[name]].append(name)
    places: dict[str, tuple[float, float]] = {}
    x = lowest = float(_PAD)
    for rank in sorted(ranks):
        y = float(_PAD)
        for name in ranks[rank]:
            places[name] = (x, y)
            y += boxes[name].height + _GAP_Y
        lowest = max(lowest, y)
        x += max(boxes[name].width for name in ranks[rank]) + _GAP_X
    return places, x - _GAP_X + _PAD, lowest - _GAP_Y + _PAD


def _table(box: _Box, x: float, y: float) -> str:
    rows = [
        f'<text x="{x + 8:.0f}" y="{y + _HEAD + index * _ROW + 13:.0f}" fill="#1f2933">{escape(name)}</text>'
        f'<text x="{x + box.width - 8:.0f}" y="{y + _HEAD + index * _ROW + 13:.0f}" fill="#7b8794"'
        f' text-anchor="end">{escape(kind)}</text>'
        for index, (name, kind) in enumerate(box.columns)
    ]
    return (
        f'<g><rect x="{x:.0f}" y="{y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="6" fill="#ffffff"'
        f' stroke="#9aa5b1"/><path d="M{x:.0f} {y + _HEAD - 4:.0f}h{box.width:.0f}" stroke="#cbd2d9"/>'
        f'<text x="{x + 8:.0f}" y="{y + 15:.0f}" font-weight="700" fill="#0b6e4f">{escape(box.name)}</text>'
        f"{''.join(rows)}</g>"
    )


def _line(boxes: dict[str, _Box], places: dict[str, tuple[float, float]], child: str, column: str, parent: str) -> str:
    (x1, y1), (x2, y2) = places[child], places[parent]
    names = [name for name, _ in boxes[child].columns]
    row = names.index(column) if column in names else 0
    start, end = y1 + _HEAD + row * _ROW + 9, y2 + _HEAD / 2
    right = x2 + boxes[parent].width
    middle = (x1 + right) / 2 if right < x1 else x1 - _GAP_X / 3
    return (
        f'<path d="M{x1:.0f} {start:.0f}C{middle:.0f} {start:.0f} {middle:.0f} {end:.0f} {right:.0f} {end:.0f}"'
        f' fill="none" stroke="#3ecf8e" stroke-width="1.5"/><circle cx="{right:.0f}" cy="{end:.0f}" r="3"'
        f' fill="#3ecf8e"/>'
    )
