"""A push tried in a throw-away Postgres before it touches anything, with its effects on rows, values and rights.

From the entry down to what each part needs:

rehearsing.py   rehearse(): a target and its pending migrations → Rehearsal
as_it_is.py     what has to be known of the target first
with_data.py    the pending files run on a copy of the target's own rows
model.py        Rehearsal, Finding, Drift, DataRehearsal
verdict.py      what was lost, in which statement, and what could not be decided
losses.py       two states of a table → the rows and values that are gone, changed or moved
asking.py       how many rows of the target a finding is about
demands.py      what a statement demands of the rows that exist
constraint_demands.py  the same of exclusion constraints, partitions and domains
openings.py     who can read or write more afterwards
rights.py       who may read and write what
static.py       what the text of a statement shows of what runs inside it
replay.py       the pending files run in the twin, looked at after each statement
observer.py     what is put into the twin to look from within the migration's own transaction
witnesses.py    rows for every table of the twin
values.py       values that use the range of their type
twin.py         the throw-away Postgres with the target's schema
"""

# rehearsing is imported by who calls it: with nothing pending a push does without.
from promthctl.rehearsal.model import DataRehearsal, Drift, Finding, Rehearsal, RowsAtRisk, TriedFile

__all__ = ["DataRehearsal", "Drift", "Finding", "Rehearsal", "RowsAtRisk", "TriedFile"]
