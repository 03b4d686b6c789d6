"""What a push would do to a target, statement by statement. Nothing here changes anything.

rules.py            the risks by their ids; docs/risks.md explains each
model.py            what comes out: a statement and its risks
classify.py         statement → its risks for the target
alter.py            ALTER TABLE: what is rewritten, locked, lost or exposed
type_changes.py     ALTER COLUMN TYPE: whether the table is rewritten, and whether values are lost
drops.py            DROP, TRUNCATE, DELETE, UPDATE and MERGE
name_resolution.py  what a name refers to at this point of the plan
catalog.py          what is asked of the target, with the SQL of queries.py
nodes.py            reading pglast's nodes
"""

from promthctl.push.risks.model import PlannedStatement, Risk, Rows

__all__ = ["PlannedStatement", "Risk", "Rows"]
