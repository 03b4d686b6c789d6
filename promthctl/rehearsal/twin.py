"""The twin: a throw-away Postgres with the target's schema, kept as a data directory by content so that it starts warm.

The applied migrations are applied to a fresh Supabase by the Supabase CLI; what the target's catalog has otherwise is
put there from the schema comparison, kind by kind, and what cannot be is told. Then witness rows are made.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl.engines.embedded.templates import bootstrap_scripts
from promthctl.migration_set import Migration
from promthctl.rehearsal import observer, values, witnesses
from promthctl.schema import Catalog, Difference, compare, snapshot
from promthctl.settings import Settings
from promthctl.shadow import kept_database
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_ROUNDS = 4  # a fix may need another one first


@dataclass(frozen=True)
class TwinFacts:
    """How the twin came out. drift: what the target has otherwise than its migrations make, as (kind, name, state).

    unlike: what of that could not be put into the twin. users: the made users. without: table → why it has no rows.
    major: of the twin's PostgreSQL.
    """

    major: int
    drift: tuple[tuple[str, str, str], ...] = ()
    unlike: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    without: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_json(cls, text: str) -> TwinFacts:
        """Raises ValueError, KeyError or TypeError for what was not written by `asdict`."""
        data = json.loads(text)
        pairs = {name: tuple(tuple(one) for one in data[name]) for name in ("drift", "without")}
        return cls(int(data["major"]), pairs["drift"], tuple(data["unlike"]), tuple(data["users"]), pairs["without"])


@dataclass(frozen=True)
class Twin:
    """A running twin. target: as the role postgres. superuser: as supabase_admin."""

    target: Target
    superuser: Target
    facts: TwinFacts


@contextlib.contextmanager
def running_twin(
    settings: Settings,
    applied: Sequence[Migration],
    actual: Catalog,
    privileges: Sequence[str],
    steps: Steps,
    watched: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[Twin]:
    """A twin of the database with this catalog, which is removed afterwards.

    applied: the migrations that its history has. privileges: its default privileges. watched: with witness rows and
    what looks at them; otherwise it is for rows of the target, and gone when this returns. meanwhile: as of
    kept_database.
    Raises PromthctlError for migrations that fail there, and what the shadow raises.
    """

    def build(superuser: psycopg.Connection[Any], own: psycopg.Connection[Any]) -> str:
        expected = snapshot(own)
        drift = compare(actual, expected)
        unlike = tuple(equalise(own, superuser, actual, drift))
        made = witnesses.Witnesses((), {})
        if watched:
            made = witnesses.make_witnesses(own)  # a migration's functions run in it: not as a superuser
            observer.install(superuser)
        facts = TwinFacts(
            superuser.info.server_version // 10000,
            tuple((one.kind, one.name, _seen_from_target(one)) for one in drift),
            unlike,
            made.users,
            tuple(made.without.items()),
        )
        return json.dumps(asdict(facts))

    key = (_FINGERPRINT, actual.to_json(), *(() if watched else ("without rows",)))
    with kept_database(
        settings, applied, actual.major, privileges, key, build, steps, gone_at_once=not watched, meanwhile=meanwhile
    ) as made:
        yield Twin(made.target, made.superuser, TwinFacts.from_json(made.notes))


def _seen_from_target(one: Difference) -> str:
    """The comparison is made towards the target: what the twin lacks, the target has beyond its migrations."""
    return {"missing": "extra", "extra": "missing"}.get(one.state, one.state)


def equalise(
    own: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
    actual: Catalog,
    differences: Sequence[Difference],
) -> Iterator[str]:
    """Run what removes the differences, as often as it gets further; yields what stays."""
    import psycopg

    waiting = list(differences)
    for _ in range(_ROUNDS):
        if not waiting:
            return
        for one in waiting:
            for connection in (own, superuser) if one.kind in ("roles", "extensions", "grants") else (own,):
                with contextlib.suppress(psycopg.Error):
                    with connection.transaction():
                        connection.execute(one.fix.encode(), prepare=False)
                    break
        left = list(compare(actual, snapshot(own)))
        if [(one.kind, one.name) for one in left] == [(one.kind, one.name) for one in waiting]:
            break
        waiting = left
    for one in waiting:
        if one.kind != "extensions" or one.state != "extra":
            yield f"{one.kind} {one.name} ({_seen_from_target(one)})"


def _fingerprint() -> str:
    """A twin is used again only if this code made it."""
    digest = hashlib.sha256()
    for module in (observer, values, witnesses):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    for script in bootstrap_scripts():
        digest.update(script.encode())
    return digest.hexdigest()[:16]


_FINGERPRINT = _fingerprint()
