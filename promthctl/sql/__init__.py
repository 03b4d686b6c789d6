"""SQL as text: nothing here asks a database, starts a process or prints.

One module for each subject; pglast, PostgreSQL's own parser, is imported only inside the functions that need it.

    tokens.py       a text → its tokens with their offsets, by PostgreSQL's scanner or, where that gives up, by pattern
    quoting.py      a text → a literal, an identifier or a dollar-quoted string
    statements.py   a migration → its statements, cut as the Supabase CLI cuts them, with their lines
    committed.py    a failed migration → how many of its statements stay applied
    parsing.py      a migration → parsed statements, those inside its DO blocks included; nothing is raised
    psql_only.py    a text → the first thing in it that only psql understands
    mentions.py     a function's or an expression's text → what it calls, reads and writes
    do_blocks.py    a DO block → the SQL in it
    expressions.py  a policy's expression → what it calls and compares, and a faster form of it
"""
