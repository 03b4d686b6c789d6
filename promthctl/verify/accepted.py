"""The findings that a team knows and accepts, each with its reason: promthctl.accepted.json, which is committed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from promthctl.errors import UsageError
from promthctl.isolation import SEVERITIES, Finding, Severity
from promthctl.process import read_regular, write_private
from promthctl.redact import redact

FILE = "promthctl.accepted.json"
NOT_TRIED = "isolation"  # the object of the finding that says so


@dataclass(frozen=True)
class Accepted:
    """A known finding. id: of the finding, which changes with it. object, what: for those who read the file."""

    id: str
    severity: Severity
    object: str
    what: str
    reason: str


def read_accepted(project_dir: Path) -> tuple[Accepted, ...]:
    """What the project's file accepts; nothing without one. Raises UsageError for a file that is damaged."""
    path = project_dir / FILE
    try:
        found = json.loads(read_regular(path))
        accepted = tuple(Accepted(**one) for one in found["accepted"])
        if not all(_whole(one) for one in accepted):
            raise ValueError("a finding has no id, no reason or an unknown severity")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = f"it is not what verify --accept writes: {error}"
        hint = f"git checkout -- {shlex.quote(str(path))}, or correct it"
        raise UsageError(f"{path} cannot be read", why, hint) from None
    return accepted


def write_accepted(project_dir: Path, accepted: Iterable[Accepted]) -> Path:
    """Replace the project's file. Raises UsageError where it cannot be written."""
    path = project_dir / FILE
    ordered = sorted(accepted, key=lambda one: (SEVERITIES.index(one.severity), one.object, one.id))
    text = json.dumps({"accepted": [asdict(one) for one in ordered]}, indent=2, ensure_ascii=False)
    try:
        write_private(path, f"{text}\n")
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path} cannot be written", why, f"chmod u+w {shlex.quote(str(project_dir))}") from None
    return path


def accept(finding: Finding, reason: str) -> Accepted:
    return Accepted(finding.id, finding.severity, finding.object, redact(finding.what), redact(reason))


def no_longer_found(accepted: Iterable[Accepted], findings: Sequence[Finding]) -> tuple[Accepted, ...]:
    """What is accepted and was not found, apart from what could not be tried this time."""
    unknown = {one.object for one in findings if one.severity == "not proven"}
    missing = [one for one in accepted if one.id not in {finding.id for finding in findings}]
    if any(one.object == NOT_TRIED for one in findings):
        return tuple(one for one in missing if one.severity == "difference")
    return tuple(one for one in missing if one.severity == "not proven" or one.object not in unknown)


def _whole(one: Accepted) -> bool:
    if one.severity not in SEVERITIES or not all(isinstance(text, str) for text in astuple(one)):
        return False
    return bool(one.id and one.reason.strip())
