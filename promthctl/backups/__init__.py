"""Backups of the tables that a rollback takes data from, in .promthctl/backups of the project.

One module for each part; none of them asks, prints or knows of down scripts.

    manifest.py   what a backup is: its manifest and checksums
    writing.py    tables → compressed files, complete and on disk or not there at all
    folder.py     the backups there are; one of them, checked
    present.py    its tables as they are now on the target
    restoring.py  a backup → its tables, in one transaction
    loading.py    one table of it: what is in the way, what is put back
"""
