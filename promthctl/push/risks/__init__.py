"""What a push would do to a target, statement by statement, before it does it. Nothing here changes anything.

disagreements.py  the target's history beside the files: what is missing, too early, edited
statements.py     a migration → parsed statements with their lines; DO blocks are looked into
classify.py       statement → its risks for the target; alter.py and drops.py have the larger families
type_changes.py   ALTER COLUMN TYPE: rewritten or not, lost or not
scene.py          what a name stands for at this point of the plan
catalog.py        what the target is asked, with the SQL of queries.py
nodes.py, model.py  reading pglast's nodes; what comes out of it
"""

from promthctl.push.disagreements import Disagreement
from promthctl.push.risks.model import Risk, Rows, Statement

__all__ = ["Disagreement", "Risk", "Rows", "Statement"]
