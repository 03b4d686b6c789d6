"""Lines for psql in a script: what can be left out, and what to write instead of the others.

Source: https://www.postgresql.org/docs/17/app-psql.html, meta-commands; \\restrict is in every dump since August 2025.
"""

from __future__ import annotations

import re

# They change what psql shows, or keep a dump from starting programs: nothing of that happens here.
_LEFT_OUT = re.compile(
    r"\\(?:restrict|unrestrict|echo|qecho|warn|timing|pset|x|a|t|f|H|C|encoding\s+['\"]?(?i:utf-?8)['\"]?)(?=\s|$)"
    r"|\\set\s+(?:ON_ERROR_STOP(?:\s+(?i:on|true|yes|1))?\s*$|(?:ECHO\w*|QUIET|VERBOSITY|SHOW_\w+)(?:\s|$))",
)
_CONNECT = re.compile(r"""\\c(?:onnect)?(?:\s+(?:-reuse-previous=\w+\s+)?(?P<name>'[^']*'|"[^"]*"|[^\s'"]+))?\s*""")
_FIXES = {
    r"\\ir?\b|\\include": "take the line out and name that file, too: [db.seed] sql_paths in supabase/config.toml",
    r"\\copy": "write copy … from stdin; with the rows below it and a line \\. at the end, or insert statements",
    r"\\c(onnect)?\b": "take the line out: a seed runs in the target's database, as its user",
    r"\\set": "write the value itself where :name stands, and take the line out",
    r"\\\.": "take the line out, or put copy … from stdin; before the rows",
    r"\\g(set|exec|desc)?\b": "write a DO block, and take the line out",
    r"\\(if|elif|else|endif)\b": "write a DO block, and take the lines out",
}
_OTHERWISE = "take the line out"


def advice_on(text: str, inside: bool, database: str) -> str | None:
    """What to do about a line for psql; None for one that can be left out.

    inside: it stands in the middle of a statement. database: the one that the script runs in.
    """
    connect = _CONNECT.fullmatch(text)
    here = connect is not None and (connect["name"] or "-").strip("'\"") in ("-", database)
    if not inside and (here or _LEFT_OUT.match(text)):
        return None
    return next((fix for pattern, fix in _FIXES.items() if re.match(pattern, text)), _OTHERWISE)
