"""Backups of the tables that a rollback takes data from, in .promthctl/backups of the project.

One module for each part; none of them asks, prints or knows about down scripts.

    manifest.py        what a backup is: its manifest and checksums
    writing.py         tables → compressed files, either complete and on disk or not there at all
    folder.py          the backups of a project; one of them, checked
    present_tables.py  its tables as they are now on the target
    restoring.py       a backup → its tables, in one transaction
    loading.py         one table of it: what conflicts, what is put back
"""

from typing import Literal

Conflicts = Literal["stop", "keep", "replace"]
