"""The drawing for light and dark screens, and a page to look around in: one file that loads nothing."""

from __future__ import annotations

import re
from html import escape
from importlib.resources import files

from promthctl.diagram import dot

_DARK = {
    dot.INK: "#e5e7eb",
    dot.FAINT: "#9ca3af",
    dot.LINE: "#64748b",
    dot.HEAD: "#334155",
    dot.BODY: "#1e293b",
    dot.CLUSTER: "#0f172a",
    dot.GOOD: "#4ade80",
    dot.BAD: "#f87171",
}
_NUMBERED = re.compile(r' id="(?:node|edge|clust|graph)\d+"')  # two drawings in one page would share them
_BEFORE = re.compile(r"\A.*?(?=<svg)", re.DOTALL)


def css_of_dark() -> str:
    """Rules that give each colour of the drawing its other one where the screen is dark."""
    rules = [f'svg [{part}="{light}"]{{{part}:{dark}}}' for light, dark in _DARK.items() for part in ("fill", "stroke")]
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"


def to_part(drawn: str) -> str:
    """drawn: what Graphviz made. The SVG as a part of a page."""
    return _NUMBERED.sub("", _BEFORE.sub("", drawn))


def to_svg(drawn: str, mark: str) -> str:
    """drawn: what Graphviz made. mark: a comment before it."""
    head, _, rest = to_part(drawn).partition(">")
    background = "@media (prefers-color-scheme:dark){svg{background:#0b1120}}"
    style = f"<style>{background}{css_of_dark()}</style>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {mark} -->\n{head}>{style}{rest}'


def to_page(keys_only: str, all_columns: str, title: str, mark: str, small: bool) -> str:
    """Two drawings by Graphviz, of which one is shown. small: begin with all columns."""
    page = (files(__package__) / "page.html").read_text(encoding="utf-8")
    drawings = {
        "{{keys}}": to_part(keys_only),
        "{{all}}": to_part(all_columns),
        "{{mark}}": mark,
        "{{title}}": escape(title),
        "{{dark}}": css_of_dark(),
        "{{first}}": "all" if small else "keys",
    }
    return re.sub(r"\{\{\w+\}\}", lambda found: drawings[found[0]], page)
