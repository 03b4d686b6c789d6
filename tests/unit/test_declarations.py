"""What [tool.promthctl] declares open on purpose: every way to write it, and what is refused."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.declarations import Declaration, Declarations, lines_of, read_declarations
from promthctl.errors import UsageError
from promthctl.isolation import Finding

LISTING = "insert: another user's listing_id"


def read(text: str) -> Declarations:
    return read_declarations(tomllib.loads(text))


def test_texts_lists_and_tables_with_a_reason_are_declarations() -> None:
    found = read(
        """
        public = { "public.listings" = "status = 'active'", "app.news" = { condition = "true", reason = "a blog" } }
        shared = { orders = "insert:another user's  listing_id", rides = [
          { what = "move: another user's a,b", reason = "handed over" }, "upsert: another user's c" ] }
        open_functions = ["public.search", { name = "app.find", reason = "a directory" }]
        """
    )
    assert found.all == (
        Declaration("public", "listings", "status = 'active'"),
        Declaration("public", "app.news", "true", "a blog"),
        Declaration("shared", "orders", LISTING),
        Declaration("shared", "rides", "move: another user's a, b", "handed over"),
        Declaration("shared", "rides", "upsert: another user's c"),
        Declaration("open_functions", "search"),
        Declaration("open_functions", "app.find", "", "a directory"),
    )
    assert found.conditions == {"listings": "status = 'active'", "app.news": "true"}
    assert found.shared("orders", "insert", "listing_id") and not found.shared("orders", "update", "listing_id")
    assert found.open_function("app.find") and not found.open_function("find")


@pytest.mark.parametrize("one", read(f"""
    public = {{ "app.a b" = '''x = 'a"b\\c' ''' }}
    shared = {{ orders = "{LISTING}" }}
    open_functions = ["search"]
""").all, ids=lambda one: one.kind)  # fmt: skip
def test_the_lines_of_a_declaration_declare_it(tmp_path: Path, one: Declaration) -> None:
    (tmp_path / "pyproject.toml").write_text(lines_of([one]), encoding="utf-8")
    assert settings.load(tmp_path).declared.all == (one,)


def test_the_lines_of_many_declarations_declare_them_all(tmp_path: Path) -> None:
    wanted = read("""
        open_functions = ["search", "find"]
        public = { a = "true", b = "x > 1" }
        shared = { a = ["insert: every signed-in user", "delete: everyone"], b = "move: another user's c, d" }
    """).all
    (tmp_path / "pyproject.toml").write_text(lines_of([*wanted, *wanted]), encoding="utf-8")
    assert sorted(settings.load(tmp_path).declared.all, key=str) == sorted(wanted, key=str)


def test_who_may_reach_every_row() -> None:
    found = read("""shared = { a = ["delete: every signed-in user", "insert: everyone"] }""")
    assert found.opened_to("a", "delete", anon=False) and not found.opened_to("a", "delete", anon=True)
    assert found.opened_to("a", "insert", anon=False) and found.opened_to("a", "insert", anon=True)
    assert not found.opened_to("a", "update", anon=False) and not found.opened_to("b", "delete", anon=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('shared = { orders = "delete: every user" }', "every signed-in user, everyone"),
        ("public = 'notes'", "public"),
        ("public = { notes = true }", "public.notes"),
        ("public = { notes = ' ' }", "public.notes"),
        ("public = { notes = ['a', 'b'] }", "public.notes"),
        ("public.app.notes = 'true'", '"app.notes" in quotes'),
        ("public = { notes = { condition = 'true', why = 'x' } }", "why is not known"),
        ("public = { notes = { condition = 'true', reason = 1 } }", "public.notes"),
        ("shared = { orders = 'listing_id' }", "insert, update, upsert, move"),
        ('shared = { orders = "select: another user\'s listing_id" }', "shared.orders"),
        ("open_functions = 'search'", "open_functions"),
        ("open_functions = [1]", "open_functions"),
        ("open_functions = [{ name = 'search', condition = 'x' }]", "condition is not known"),
    ],
)
def test_what_is_no_declaration_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert said in f"{caught.value.what} {caught.value.why}" and "under [tool.promthctl" in caught.value.hint


def test_the_id_of_a_finding_is_that_of_its_content_without_made_ids() -> None:
    one = Finding("leak", "notes", "read", "other", "p", "deleted", "id = 6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    assert one.id == replace(one, row="id = 00000000-8b86-4d01-b42d-00cf4fc964ff", fix="other").id
    changed = [replace(one, **{name: "x"}) for name in ("object", "what", "who", "policy", "condition", "row")]
    assert len({one.id, *(other.id for other in changed)}) == 7
