"""What stays applied of a failed migration (compared with the Supabase CLI itself in embedded/test_push.py)."""

from __future__ import annotations

import pytest

from promthctl.sql.committed import committed_before


@pytest.mark.parametrize(
    ("sql", "failed", "kept"),
    [
        # one transaction
        ("create table a ();\nselect 1/0;", 1, 0),
        ("select 1/0;\ncreate index concurrently i on a (b);", 0, 0),
        ("create table b ();\nrefresh materialized view concurrently mv;\nselect 1/0;", 2, 0),
        ("create temp table t on commit drop as select 1;\nselect 1/0;", 1, 0),
        ("select 'concurrently; commit'; -- concurrently\nselect 1/0;", 1, 0),
        ("create function f() returns int begin atomic select 1; end;\nselect 1/0;", 1, 0),
        ("analyze a; select 1/0;", 1, 0),
        ("discard temp; select 1/0;", 1, 0),
        ("reindex table a; select 1/0;", 1, 0),
        ("savepoint a; rollback to savepoint a; rollback work to a; select 1/0", 3, 0),
        ("", 0, 0),
        # sent by itself, after what is before it was committed
        ("create index concurrently i on a (b);\nselect 1/0;", 1, 1),
        (
            "create table b ();\n/* x; */ -- y\nCREATE UNIQUE\n INDEX CONCURRENTLY i ON a (b);\nselect 1;\nselect 1/0;",
            3,
            2,
        ),
        ("create table b ();\ndrop index concurrently i;", 1, 1),
        ("create table b (); reindex index concurrently i; select 1/0;", 2, 2),
        ("create table b (); vacuum(analyze) a; cluster; alter system reset x; select 1; select 1/0;", 5, 4),
        ("create table b ();\nvacuum a;\nselect 1;", 3, 2),  # the history's row fails
        # what can only have run outside of a transaction: it began one
        ("alter table p detach partition p1 concurrently;\nselect 1/0;", 1, 1),
        ("reindex (concurrently) table a;\nselect 1;\nselect 1/0;", 2, 1),
        ("create table b ();\nreindex (concurrently) table a;\nselect 1/0;", 1, 0),
        # transactions of its own
        ("begin;\ncreate table a ();\ncommit;\nselect 1/0;", 3, 3),
        ("create table b ();\nselect 1/0;\ncommit;", 1, 1),
        ("create table b ();\nstart transaction;\ncreate table c ();\nselect 1/0;", 3, 1),
        ("begin; select 1; end; begin; select 2; rollback to a; select 1/0", 6, 3),
        # pg-delta's mark
        ("-- pg-delta: transaction=false\ncreate table b ();\nselect 1/0;", 1, 1),
        ("\n-- pg-delta: transaction=false\ncreate table b ();\nselect 1/0;", 1, 0),
        # not SQL, as far as it goes
        ("create table b (); selekt;", 1, 0),
        ("vacuum; select 'open", 1, 1),
    ],
)
def test_what_is_committed_before_a_failure_is_known(sql: str, failed: int, kept: int) -> None:
    assert committed_before(sql, failed) == kept
