"""The registry of what lint finds: one rule for each, under an id that never changes.

docs/lint.md has an entry for each id but those of a plan's risks, which docs/risks.md explains; a test holds them
together. What only a target can tell (who holds a lock now, which rows a condition meets) is not linted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from promthctl.push.risks.rules import LOCKS_BRIEFLY, RULES

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the worst first
Source = Literal["schema", "file", "plan", "squawk"]


@dataclass(frozen=True)
class LintRule:
    """severity: error where data or protection is lost or the file cannot be applied; warning where a push can hold up
    or break those who use the database, or work is done in vain; advice where nothing breaks. meaning: in one line.

    source: what finds it: the schema in the end, the file's text, the rules of a plan, or squawk.
    """

    id: str
    severity: Severity
    source: Source
    meaning: str


LINT_RULES: dict[str, LintRule] = {}


def _rule(id: str, severity: Severity, source: Source, meaning: str) -> LintRule:
    assert id not in LINT_RULES
    return LINT_RULES.setdefault(id, LintRule(id, severity, source, meaning))


# The schema that all files make together.
MISSING_RLS = _rule("missing-rls", "error", "schema", "A table that the API can show has no row-level security.")
MISSING_GRANTS = _rule("missing-grants", "warning", "schema", "No role of the API may use a table or view.")
POLICY_WITHOUT_ROLE = _rule("policy-without-role", "warning", "schema", "A policy is for every role, anon included.")
AUTH_CALLED_PER_ROW = _rule("auth-called-per-row", "warning", "schema", "A policy calls an auth function per row.")
UNINDEXED_FOREIGN_KEY = _rule("unindexed-foreign-key", "advice", "schema", "No index begins with a foreign key.")
LOOSE_SEARCH_PATH = _rule("loose-search-path", "error", "schema", "A function's search_path is not pinned.")
VIEW_BYPASSES_RLS = _rule("view-bypasses-rls", "error", "schema", "A view shows rows past the policies.")
NO_PRIMARY_KEY = _rule("no-primary-key", "advice", "schema", "A table has no primary key.")
DUPLICATE_INDEX = _rule("duplicate-index", "advice", "schema", "Two indexes are the same.")
MULTIPLE_PERMISSIVE_POLICIES = _rule(
    "multiple-permissive-policies", "advice", "schema", "Several policies are executed where one would do."
)
POLICY_SCANS = _rule("policy-scans", "warning", "schema", "A policy is written so that no index helps it.")
UNINDEXED_POLICY_COLUMN = _rule(
    "unindexed-policy-column", "warning", "schema", "A policy compares a column with which no index begins."
)

# The files themselves.
DOES_NOT_APPLY = _rule("does-not-apply", "error", "file", "A statement fails on a fresh Supabase.")
UNFINISHED_TRANSACTION = _rule(
    "unfinished-transaction", "error", "file", "A transaction is left open, or work is thrown away."
)
NO_DOWN_SCRIPT = _rule("no-down-script", "advice", "file", "Nothing undoes the migration.")
ALLOW_WITHOUT_REASON = _rule("allow-without-reason", "error", "file", "An allow says nothing of why.")
UNNEEDED_ALLOW = _rule("unneeded-allow", "warning", "file", "An allow allows nothing that is found.")

# squawk's, under the ids it gives them. Its others are covered by the rules above, or by how a push is done:
# a file is one transaction, and --lock-timeout is set.
_SQUAWKS: tuple[tuple[str, Severity, str], ...] = (
    ("adding-required-field", "error", "A new column needs a value that no row has."),
    ("ban-alter-domain-with-add-constraint", "warning", "A domain gets a constraint."),
    ("ban-char-field", "advice", "A column has the type character."),
    ("ban-create-domain-with-constraint", "advice", "A domain has a constraint."),
    ("ban-drop-not-null", "warning", "A column may be null from now on."),
    ("identifier-too-long", "warning", "PostgreSQL cuts a name after 63 bytes."),
    ("prefer-bigint-over-int", "advice", "A column holds numbers up to 2,147,483,647 only."),
    ("prefer-bigint-over-smallint", "advice", "A column holds numbers up to 32,767 only."),
    ("prefer-identity", "advice", "A column is serial, not an identity."),
    ("prefer-text-field", "advice", "A text's length is part of its type."),
    ("prefer-timestamp-tz", "advice", "A time has no zone."),
    ("renaming-column", "warning", "A column gets another name."),
    ("renaming-object", "warning", "A view, type or function gets another name."),
    ("renaming-table", "warning", "A table gets another name."),
    ("require-concurrent-index-deletion", "warning", "DROP INDEX locks its table."),
    ("require-concurrent-partition-detach", "warning", "A partition is detached under a lock."),
    ("require-enum-value-ordering", "advice", "A new value of an enum has no place of its own."),
)
for _id, _severity, _meaning in _SQUAWKS:
    _rule(_id, _severity, "squawk", _meaning)

_LINTED = ("destroys", "unparsed", "security", "rewrites", "locks")
_GRAVE = ("destroys", "unparsed", "security")
for _risk in RULES.values():
    if _risk.kind in _LINTED and _risk is not LOCKS_BRIEFLY:
        _rule(_risk.id, "error" if _risk.kind in _GRAVE else "warning", "plan", _risk.meaning)
