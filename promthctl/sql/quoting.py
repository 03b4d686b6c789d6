"""Writes texts into SQL so that they are read as what they are."""

from __future__ import annotations

from collections.abc import Iterable


def literal(text: str) -> str:
    """A text as a string of SQL, for standard_conforming_strings as it has been by default since PostgreSQL 9.1."""
    return "'" + text.replace("'", "''") + "'"


def identifier(*names: str) -> str:
    """A name, its parts joined with dots: ("public", "a") → "public"."a"."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def dollar_quoted(text: str) -> str:
    """A text as a string that keeps it readable: nothing in it has to be doubled."""
    tag = dollar_tag("sql", (text,))
    return f"{tag}{text}{tag}"


def dollar_tag(name: str, texts: Iterable[str]) -> str:
    """A dollar quote that none of these texts can end: $name$, or $name1$ and so on."""
    tag, number, inside = name, 0, tuple(texts)
    while any(f"${tag}" in text for text in inside):
        number += 1
        tag = f"{name}{number}"
    return f"${tag}$"
