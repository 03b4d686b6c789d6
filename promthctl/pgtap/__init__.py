"""`promthctl test`: pgTAP files, run as psql would run them, each assertion with its file and line.

files.py        which files, in which order, and which of them leave something behind
psql.py         psql's variables and commands, as far as test files use them
script.py       a file run statement by statement
tap.py          what the statements print, read as TAP
places.py       the database: a copy of the local one, one made from the migrations, or a target
transactions.py a file's own BEGIN and ROLLBACK within a transaction that is always rolled back
running.py      all files, side by side where that is safe
junit.py        the result as JUnit XML
watching.py     what changed since the last look
"""
