"""What a push would do to a target, statement by statement. Nothing here changes anything.

rules.py            the risks by their ids; docs/risks.md explains each
model.py            what comes out: a statement and its risks
classify.py         statement → its risks for the target
alter_table.py      ALTER TABLE: what is rewritten, locked, lost or exposed
type_changes.py     ALTER COLUMN TYPE: whether the table is rewritten, and whether values are lost
data_loss.py        DROP, TRUNCATE, DELETE, UPDATE and MERGE
locks.py            the lock modes, and the risks that are locks and rewrites
name_resolution.py  what a name refers to at this point of the plan
catalog.py          what is asked of the target
queries.py          the SQL of that
nodes.py            reading pglast's nodes
"""

from promthctl.push.risks.model import PlannedStatement, Risk, Rows

__all__ = ["PlannedStatement", "Risk", "Rows"]
