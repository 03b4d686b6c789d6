"""`promthctl migrations lint`: what is wrong or risky in migration files, found without a target.

rules.py        the rules by their ids; docs/lint.md and docs/risks.md explain each
files.py        which files: all, those named, those that git says were changed
replaying.py    the files run in a throw-away database: the risks of each, and what its schema is in the end
schema_rules.py what is wrong with that schema, and which statement made it so
squawk.py       the rules of squawk that none of ours covers
allows.py       `-- promthctl: allow RULE reason` in the files
linting.py      all of that → the findings
reporting.py    the findings as GitHub's annotations and as SARIF
"""
