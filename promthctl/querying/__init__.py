"""`promthctl sql`: SQL that somebody types, run on a target and shown.

script    what was typed, as statements; what would end the transaction is refused
callers   as whom it runs: a role of the API, or a user
running   the run, reading only unless it may write
"""

from promthctl.querying.running import QueryResult, SqlResult, read, write
from promthctl.querying.script import Script, read_script

__all__ = ["QueryResult", "Script", "SqlResult", "read", "read_script", "write"]
