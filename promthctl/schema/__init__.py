"""A database's catalog as data: read (`snapshot`), compared with another one (`compare`), and the SQL that fixes it.

model.py       Catalog and Difference, and the kinds of objects
queries.py     the SQL that reads the catalog, and what belongs to Supabase itself and is left out
reading.py     snapshot(): a connection → Catalog
canonical.py   one spelling for what Postgres, its versions and people spell differently
comparing.py   compare(): two catalogs → what is missing, extra or different
making.py      the SQL that makes an object
fixing.py      the SQL that removes a difference
converting.py  the SQL that gives a column another type without changing a value
"""

from promthctl.schema.comparing import compare
from promthctl.schema.model import KINDS, Attributes, Catalog, Difference, selected_kinds
from promthctl.schema.queries import CATALOG_FINGERPRINT, MANAGED_SCHEMAS, catalog_query, traced_query
from promthctl.schema.reading import SPELLING, snapshot

__all__ = [
    "CATALOG_FINGERPRINT",
    "KINDS",
    "MANAGED_SCHEMAS",
    "SPELLING",
    "Attributes",
    "Catalog",
    "Difference",
    "catalog_query",
    "compare",
    "selected_kinds",
    "snapshot",
    "traced_query",
]
