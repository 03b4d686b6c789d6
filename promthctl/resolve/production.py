"""Whether a target is production, and the line that announces it: one answer for its database and for its API."""

from __future__ import annotations

from promthctl.settings import NamedTarget, Settings
from promthctl.targets import from_url


def is_production(chosen: NamedTarget, settings: Settings) -> bool:
    """True if pyproject.toml marks this target as production, by whichever of its names it was chosen."""
    return chosen.production or any(named.production and _is_same(named, chosen) for named in settings.targets.values())


def marked_label(label: str, production: bool) -> str:
    """The label as people see it: production is not to be overlooked."""
    return f"{label} · PRODUCTION" if production else label


def announcement(label: str, production: bool = False) -> str:
    """The line that is shown before anything happens to a target."""
    return f"Target: {marked_label(label, production)}"


def _is_same(one: NamedTarget, other: NamedTarget) -> bool:
    """A project's database URL holds its reference, in the host or in the pooler's user."""
    if one.project_ref and other.project_ref:
        return one.project_ref == other.project_ref
    if one.db_url and other.db_url:
        return from_url(one.db_url).url == from_url(other.db_url).url
    ref, url = one.project_ref or other.project_ref, one.db_url or other.db_url
    return bool(ref and url) and str(ref) in from_url(str(url)).url
