"""The registry of risks: one rule for each kind of thing a plan warns about, under an id that never changes.

docs/risks.md has an entry for each id: what it is, why it matters, the safe way. To add a risk, add its rule here and
its entry there; the tests hold both to the same ids and run the examples of the entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from promthctl.push.risks.model import Risk, RiskKind, Rows


@dataclass(frozen=True)
class Rule:
    """id: as `push --dry-run` shows it, in --json too. meaning: the risk in one line."""

    id: str
    kind: RiskKind
    meaning: str

    def risk(
        self,
        name: str,
        what: str,
        rows: Rows | None = None,
        *,
        lock: str | None = None,
        brief: bool = False,
        cascades: tuple[str, ...] = (),
    ) -> Risk:
        """This risk for one object of the target; see Risk. name: the object's. what: what happens, as a phrase."""
        return Risk(self.id, self.kind, name, what, rows, lock, brief, cascades)


RULES: dict[str, Rule] = {}


def _rule(id: str, kind: RiskKind, meaning: str) -> Rule:
    assert id not in RULES
    return RULES.setdefault(id, Rule(id, kind, meaning))


# Data is lost.
DROPS_TABLE = _rule("drops-table", "destroys", "A table is dropped with all its rows.")
DROPS_COLUMN = _rule("drops-column", "destroys", "A column is dropped with all its values.")
DROPS_ATTRIBUTE = _rule("drops-attribute", "destroys", "An attribute leaves every column of a composite type.")
DROPS_SCHEMA = _rule("drops-schema", "destroys", "A schema is dropped with everything in it.")
DROPS_DATABASE = _rule("drops-database", "destroys", "A whole database is dropped.")
DROPS_OWNED = _rule("drops-owned", "destroys", "Everything that a role owns in the database is dropped.")
DROPS_DEPENDENT_DATA = _rule(
    "drops-dependent-data", "destroys", "Tables or columns go together with a type, extension or other object."
)
TRUNCATES_TABLE = _rule("truncates-table", "destroys", "A table is emptied by TRUNCATE.")
DELETES_ALL_ROWS = _rule("deletes-all-rows", "destroys", "A DELETE without a condition empties a table.")
OVERWRITES_ALL_ROWS = _rule("overwrites-all-rows", "destroys", "An UPDATE without a condition replaces old values.")
MERGES_ROWS = _rule("merges-rows", "destroys", "A MERGE deletes or overwrites the rows that it matches.")
LOSES_VALUES = _rule("loses-values", "destroys", "A column's new type cannot hold all of its old values.")

# Nobody can tell what is lost.
UNREADABLE_SQL = _rule("unreadable-sql", "unparsed", "PostgreSQL's parser cannot read the statement.")
DELETES_ROWS = _rule("deletes-rows", "not_analysed", "A DELETE removes the rows that meet its condition.")
OVERWRITES_ROWS = _rule("overwrites-rows", "not_analysed", "An UPDATE changes the rows that meet its condition.")
RUNS_DYNAMIC_SQL = _rule("runs-dynamic-sql", "not_analysed", "A DO block runs SQL that it puts together itself.")
CALLS_FUNCTION = _rule("calls-function", "not_analysed", "A function is called that may change anything.")

# A protection is removed.
DROPS_POLICY = _rule("drops-policy", "security", "A row-level security policy is dropped.")
DISABLES_RLS = _rule("disables-rls", "security", "Row-level security of a table is disabled.")
UNFORCES_RLS = _rule("unforces-rls", "security", "Row-level security no longer applies to a table's owner.")
BYPASSES_RLS = _rule("bypasses-rls", "security", "A role is exempted from row-level security everywhere.")
MAKES_SUPERUSER = _rule("makes-superuser", "security", "A role becomes a superuser.")

# A table is rewritten, and nobody reads or writes it meanwhile.
CHANGES_COLUMN_TYPE = _rule("changes-column-type", "rewrites", "A column's new type is stored differently.")
ADDS_FILLED_COLUMN = _rule("adds-filled-column", "rewrites", "A new column has a value of its own in every row.")
FILLS_COLUMN = _rule("fills-column", "rewrites", "An UPDATE fills a new column in every row.")
COMPACTS_TABLE = _rule("compacts-table", "rewrites", "VACUUM FULL or CLUSTER writes the table again.")
REWRITES_TABLE = _rule("rewrites-table", "rewrites", "A change of how a table is stored writes it again.")

# A lock stops others, as long as a scan takes.
BUILDS_INDEX = _rule("builds-index", "locks", "CREATE INDEX blocks writes while it builds.")
REBUILDS_INDEX = _rule("rebuilds-index", "locks", "REINDEX blocks writes, and most reads, while it rebuilds.")
ADDS_UNIQUE_CONSTRAINT = _rule("adds-unique-constraint", "locks", "A constraint builds its index under a lock.")
ADDS_FOREIGN_KEY = _rule("adds-foreign-key", "locks", "A foreign key checks every row under locks on both tables.")
ADDS_CHECK = _rule("adds-check", "locks", "A constraint checks every row under a lock.")
SETS_NOT_NULL = _rule("sets-not-null", "locks", "SET NOT NULL checks every row under a lock.")
ATTACHES_PARTITION = _rule("attaches-partition", "locks", "A new partition's rows are checked under a lock.")
REFRESHES_VIEW = _rule("refreshes-view", "locks", "A materialized view is computed again under a lock.")
LOCKS_TABLE = _rule("locks-table", "locks", "LOCK TABLE keeps others out until the migration ends.")
LOCKS_BRIEFLY = _rule("locks-briefly", "locks", "A lock is needed for an instant, once everybody else is done.")
