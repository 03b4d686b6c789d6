"""Which migrations would leave their transaction open, or throw away what they did."""

from __future__ import annotations

import pytest

from promthctl.sql.transaction_commands import find_transaction_fault, procedures_that_roll_back

T = "create table t (i int);\n"
ROLLS_BACK = "create or replace procedure p(i int) language plpgsql as $$ begin rollback; end $$;\n"
FAULTS = {
    "begin": (f"begin;\n{T}", 1, "`begin` opens"),
    "after a comment": (f"-- up\n/* a; */ BEGIN;\n{T}", 2, "`BEGIN` opens"),
    "CRLF": (f"select 1;\r\nbegin\r\n;\r\n{T}", 2, "`begin` opens"),
    "without space": (f"start/**/transaction;{T}", 1, "opens"),
    "with options": (f"{T}start transaction isolation level serializable, read write;", 2, "opens"),
    "commit, then begin": (f"{T}commit;\nbegin;\n{T}", 3, "`begin` opens"),
    "the second of two": (f"begin;\n{T}commit;\nbegin work;\n{T}", 4, "`begin work` opens"),
    "begin twice": (f"begin;\nbegin;\n{T}", 1, "`begin` opens"),
    "a chain": (f"begin;\n{T}commit and chain;\n{T}", 3, "`commit and chain` opens"),
    "end and chain": (f"begin;\n{T}end and chain;", 3, "`end and chain` opens"),
    "a chain outside": (f"{T}commit and chain;\n{T}", 2, "works only between"),
    "rollback": (f"{T}rollback;", 2, "applied all the same"),
    "rollback of a block": (f"begin;\n{T}rollback;", 3, "throws away what stands since line 1"),
    "abort": (f"begin;\n{T}ABORT TRANSACTION;", 3, "`ABORT TRANSACTION` throws away"),
    "rollback and chain": (f"begin;\n{T}rollback and chain;\n{T}commit;", 3, "throws away"),
    "rollback after a commit": (f"begin;\n{T}commit;\n{T}rollback;", 5, "applied all the same"),
    "prepare": (f"begin;\n{T}prepare transaction 'x';", 3, "COMMIT PREPARED"),
    "a savepoint alone": (f"{T}savepoint a;", 2, "works only between"),
    "a savepoint after the end": (f"begin;\n{T}end;\nrollback to a;", 4, "works only between"),
    "beside what is no SQL": (f"selekt;\nbegin;\n{T}", 2, "`begin` opens"),
    "a block that rolls back": (
        f"{T}do $$ begin\n  insert into t values (1);\n  rollback;\nend $$;",
        2,
        "in this block",
    ),
    "a procedure that does": (f"{ROLLS_BACK}{T}call public.P ( 1 );", 3, "in p runs"),
    "a block that may": ("do $$ begin if random() > 2 then rollback; end if; end $$", 1, "in this block"),
}
SOUND = {
    "none": T,
    "nothing": "",
    "all of it": f"begin;\n{T}commit;",
    "in other words": f"start transaction;\n{T}end work;\n-- the end",
    "two": f"begin;\n{T}commit;\nbegin;\n{T}commit;\n",
    "with more around": f"{T}begin;\n{T}commit and no chain;\n{T}",
    "commit alone": f"{T}commit;\n{T}",
    "begin twice": f"begin;\nbegin;\n{T}commit;",
    "savepoints": f"begin;\nsavepoint a;\n{T}rollback to savepoint a;\nsavepoint b;\nrelease b;\n{T}commit;",
    "a rollback of nothing": f"begin;\n{T}commit;\nrollback;",
    "an empty block": f"begin;\nrollback;\n{T}",
    "a prepared one of others": "commit prepared 'x';\nrollback prepared 'y';",
    "in a body": "create function f() returns int language plpgsql as $$ begin return 1; end $$;",
    "in a body of statements": "create function f() returns int language sql begin atomic select 1; end;",
    "in a procedure": "create procedure p() language plpgsql as $$ begin rollback; end $$;",
    "a procedure that is not called": f"{ROLLS_BACK}{T}call q(1);",
    "a procedure that commits": f"{ROLLS_BACK.replace('rollback', 'commit')}{T}call p(1);",
    "in strings and comments": "-- begin;\nselect 'begin;', $x$ rollback; $x$, \"begin\" from t; /* begin; */",
    "a block that commits": f"{T}do $$ begin insert into t values (1); commit; end $$;",
    "a block in another language": "do language plperl $$ rollback $$;",
    "prepare of a statement": "prepare q as select 1;\ndeallocate q;",
    "names": "create table begin_log (i int);\nalter table commits rename to rollback;",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_what_would_not_be_applied_as_recorded_is_found_with_its_line(kind: str) -> None:
    sql, line, said = FAULTS[kind]
    found = find_transaction_fault(sql)
    assert found is not None and found.line == line and said in found.why and found.fix, found


@pytest.mark.parametrize("kind", SOUND)
def test_what_is_applied_whole_is_left_alone(kind: str) -> None:
    assert find_transaction_fault(SOUND[kind]) is None


def test_a_procedure_of_an_earlier_file_is_known() -> None:
    rolling = procedures_that_roll_back(ROLLS_BACK)
    assert rolling == {"p"}
    found = find_transaction_fault(f"{T}call p(1);", rolling)
    assert found is not None and found.line == 2 and "raise exception" in found.fix
