"""The proof that no user reaches another user's rows. docs/isolation.md explains how it works and what it leaves open.

From the entry down to what each part needs:

proof.py           prove_isolation(): a connection → IsolationReport
proof_run.py       the run over all tables: who owns what, which rows are there when what is tried
waves.py           in which order tables are tried, and which of them together
owner_rows.py      the rows that one table is tried with, and how they come and go
attempts.py        what is tried on one row of a table, as whom, and what should become of it
scene_writer.py    the SQL of attempts, and what is made of each result
scenes.py          attempts on many tables in one round trip
outcomes.py        Attempt, and what became of it
openings.py        what is tried on rows with other values and with other rows around them, and what it amounts to
verdicts.py        what all of it amounts to: proven, leak, failed, not proven
variations.py      which values to try, for every alternative of every policy
surroundings.py    the rows that policies look up: memberships, roles, settings, shares
callers.py         who tries those rows, with what claims and with which statements
trial_matrix.py    many rows of many tables tried by many callers in one round trip
conditions.py      a policy's expression as alternatives: bonds to the caller, and openings
policy_reading.py  what policies, functions and views ask about
syntax_trees.py    PostgreSQL's syntax trees
interesting_values.py  values that a condition could tell apart
findings.py        Finding: what is wrong or unclear, in one shape for tables, functions and views
declared.py        what pyproject.toml declares, held against the database
doors.py           the run over functions and views of the API that have their owner's rights
door_trials.py     the SQL that calls a function and looks into a view
door_arguments.py  what a function is called with
door_texts.py      what a function or view runs, and what its text says of the caller and of rows
door_verdicts.py   what its trials amount to
function_reading.py  the functions and views of the API, from the system catalogs
witnesses.py       rows of the owner whose values are found again wherever they turn up
batch.py           many things tried in one message
outside.py         what API roles reach in Supabase's own schemas
side_effects.py    what trying rows sets off that no rollback undoes
call_graph.py      what a write to a table runs, to any depth, from the system catalogs
ownership.py       whose a row is, from the foreign keys
row_maker.py       rows that a table accepts, with the rows they refer to
rows_ahead.py      those that are accepted at once, for many tables in one round trip
drafts.py          a row that is not accepted yet
sign_ups.py        made users, and what the triggers of auth.users may ask of them
sample_row.py      SampleRow, and the SQL that inserts, changes and finds one
column_values.py   values to try in a column, from its type and its checks
patterns.py        a text that a check's regular expression or LIKE pattern matches
sandbox.py         the transaction: savepoints, the role and the claims of whoever tries
table_reading.py   read_tables(): the tables, from the system catalogs
tables.py          what a table is here: ProbedTable, ProbedColumn and what belongs to them
"""

from promthctl.isolation.door_verdicts import DoorProof
from promthctl.isolation.findings import SEVERITIES, Finding, Severity
from promthctl.isolation.outcomes import Attempt
from promthctl.isolation.proof import IsolationReport, find_side_effects, prove_isolation
from promthctl.isolation.side_effects import SideEffect
from promthctl.isolation.verdicts import TableProof

__all__ = [
    "SEVERITIES",
    "Attempt",
    "DoorProof",
    "Finding",
    "IsolationReport",
    "Severity",
    "SideEffect",
    "TableProof",
    "find_side_effects",
    "prove_isolation",
]
