"""Migration files changed or put together: renumbered, converted, bundled, pulled.

What comes out is applied to a throw-away database first; only then is a file written.

changes.py       writes and removals of several files, all of them or none, also when it is killed in between
git.py           what git knows of the files: which came first, and its index
renumbering.py   a version of its own for each migration, in the order in which they apply
converting.py    files of other tools → NNN_name.sql and a down script
down_scripts.py  promthctl migrations down: what undoes a migration, drafted and tried
pulling.py       promthctl pull: what was changed in a target by hand, as files, tried and recorded
fetching.py      promthctl migrations fetch: files for what a target's history has and this folder lacks
squashing.py     promthctl migrations squash: one file in place of the first ones, seen to make the same
joining.py       several files, or their down scripts, as the text of one
table_contents.py the rows that migrations leave, compared between two databases
from_schemas.py  promthctl migrations new --from-schemas: what leads to the declared schemas, tried
bundling.py      the bundle for the dashboard's SQL editor, proven and written
"""
