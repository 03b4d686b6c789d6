"""promthctl keys …"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import BAD, OK, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.keys.changing import RemoveResult, ReplaceResult
    from promthctl.keys.checking import CheckedKey, KeyCheckResult
    from promthctl.keys.listing import ListedKey
    from promthctl.keys.rotation import RotationResult


def listed(page: Sequence[ListedKey]) -> Iterator[RenderableType]:
    if not page:
        yield "No keys are stored."
        return
    users = {key.user_id for key in page}
    if len(users) == 1:
        yield f"{count(len(page), 'key')} of user {escape(page[0].user_id)}"
    shown = table(
        "Agent", "Endpoint", "Key", "Provider", *(["User"] if len(users) > 1 else []), "Created", "Updated", "Last used"
    )
    for key in page:
        user = [escape(key.user_id)] if len(users) > 1 else []
        times = (_moment(key.created_at), _moment(key.updated_at), _moment(key.last_used))
        cells = (key.agent, key.endpoint_id, key.masked_key, key.provider)
        shown.add_row(*map(escape, cells), *user, *times)
    yield shown


def checked(result: KeyCheckResult) -> Iterator[RenderableType]:
    if result.rows:
        shown = table("", "Agent", "Endpoint", "Key", "Result")
        for key in result.rows:
            cells = (key.agent, key.endpoint_id, key.masked_key, _result_text(key))
            shown.add_row(OK if key.ok else BAD, *map(escape, cells))
        yield shown
    if result.unknown:
        yield "Not in your key source, which may be right:"
        for key in result.unknown:
            yield f"  {escape(key.agent)} {escape(key.endpoint_id)} {escape(key.masked_key)}, row {key.id}"
    if not result.checked:
        yield "No keys are stored."
    elif result.ok:
        yield f"{OK} {count(result.checked, 'key')} checked, all {'sound and answered' if result.live else 'sound'}"
    else:
        yield f"{BAD} {result.failed} of {count(result.checked, 'key')} failed"


def rotated(result: RotationResult, options: str = "") -> Iterator[RenderableType]:
    """options: those that name the target, see ApiAccess."""
    options = escape(options)
    were = "was" if result.already == 1 else "were"
    yield f"{count(result.rotated, 'key')} re-encrypted; {result.already} of {result.rows} already {were}"
    for key in result.faulty:
        yield f"{BAD} {escape(f'{key.label} {key.masked_key}')}, row {key.id}: {'; '.join(key.problems)}"
    name = escape(result.variable)
    if result.old_is_free:
        yield f"{OK} A full check has passed: the new secret decrypts every key. The old one may be discarded once"
        yield f"  1. ENCRYPTION_SECRET in .env has the value of {name}, and {name} is removed"
        yield "  2. the app's deployment has it too, and was restarted"
        yield f"  3. promthctl keys check{options} passes"
    elif result.ok:
        yield f"Keep the old secret: {count(result.left, 'key')} of other users still need it."
        yield f"  promthctl keys rotate --new-secret-env {name}{options}"
    elif result.left:
        yield f"{BAD} Keep the old secret: the app stored {count(result.left, 'key')} under it meanwhile. Stop it, then"
        yield f"  promthctl keys rotate --new-secret-env {name}{options}"
    else:
        fixes = f"promthctl keys replace ROW{options}"
        yield f"{BAD} Keep the old secret until these are fixed: {fixes}, then rotate again."


def replaced(result: ReplaceResult) -> Iterator[RenderableType]:
    done = "has the new key" if result.changed else "had that key already:"
    yield f"{escape(result.agent)} {done} {escape(result.masked_key)}"


def removed(result: RemoveResult) -> Iterator[RenderableType]:
    yield f"{count(result.removed, 'key')} removed"


def _result_text(key: CheckedKey) -> str:
    """Everything that is wrong with it; otherwise how quickly its API answered."""
    parts = [f"{problem} (row {key.id})" for problem in key.problems]
    if key.answer is not None:
        parts.append(key.answer.fault or f"answered in {key.answer.milliseconds} ms")
    return "; ".join(parts)


def _moment(time: str | None) -> str:
    """To the minute, in the time zone it was written in (UTC)."""
    return time[:16].replace("T", " ") if time else "never"
