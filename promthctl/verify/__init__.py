"""Whether a database is what its migrations make, whether everyone's data is their own, and what could be better.

checks.py           verify(): all of it → VerifyResult; side_effects(): what it would set off that no rollback undoes
judging.py          what was found as one list, which of it fails a run, what may be said of the whole
accepted.py         the findings that a team knows and accepts: promthctl.accepted.json
advice.py           what is correct and still slow or open: indexes, policies, functions, views
advice_queries.py   the SQL behind the advice
report.py           a VerifyResult as one HTML page
diagram.py          the tables and their foreign keys as an SVG, for that page
"""

from promthctl.verify.advice import Advice
from promthctl.verify.checks import VerifyResult, side_effects, verify

__all__ = ["Advice", "VerifyResult", "side_effects", "verify"]
