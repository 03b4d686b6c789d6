"""The catalog of a database: read (`snapshot`), and compared with another one (`compare`).

model.py       Catalog and Difference; the kinds there are
queries.py     the SQL that reads them, and what belongs to Supabase itself and is left out
reading.py     snapshot()
canonical.py   one spelling for what Postgres, its versions and people spell differently
comparing.py   compare(): missing, extra, different
making.py      the SQL that makes an object
mending.py     the SQL that takes a difference away
"""

from promthctl.schema.comparing import compare
from promthctl.schema.model import KINDS, Attributes, Catalog, Difference
from promthctl.schema.queries import FINGERPRINT, statement
from promthctl.schema.reading import SPELLING, snapshot

__all__ = [
    "FINGERPRINT",
    "KINDS",
    "SPELLING",
    "Attributes",
    "Catalog",
    "Difference",
    "compare",
    "snapshot",
    "statement",
]
