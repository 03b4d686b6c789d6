"""Values made for a column: what checks suggest, what types hold, what patterns match."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promthctl.isolation import patterns
from promthctl.isolation.column_values import (
    MAX_CANDIDATES,
    array_text,
    candidate_values,
    fresh_uuid,
    nearest_combinations,
)
from promthctl.isolation.tables import ColumnType, ProbedColumn

TOKEN = "1234567890abcdef1234567890abcdef"
OTHER = "fedcba0987654321fedcba0987654321"


def column(name: str, modifier: int = -1, **kind: object) -> ProbedColumn:
    return ProbedColumn("x", ColumnType(name, modifier=modifier, **kind), name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "check", "fitting"),
    [
        ("text", "CHECK ((x = ANY (ARRAY['on'::text, 'it''s off'::text])))", {"on", "it's off"}),
        ("varchar", "CHECK (((x)::text = ANY ((ARRAY['a'::character varying])::text[])))", {"a"}),
        ("text", "CHECK ((length(x) >= 70))", {70, 71}),
        ("text", "CHECK (((char_length(TRIM(BOTH FROM x)) > 3) AND (char_length(x) <= 9)))", {6}),
        ("int4", "CHECK (((x >= 10) AND (x <= 20)))", {"15", "10", "20"}),
        ("int4", "CHECK ((x > '-5'::integer))", set()),
        ("numeric", "CHECK ((x > 0.5))", {"0.5", "1.5"}),
        ("jsonb", "CHECK (((jsonb_typeof(x) = 'array'::text)))", {"[]"}),
        ("jsonb", "CHECK ((x ? 'kind'::text))", {'{"kind": "a"}'}),
        ("jsonb", "CHECK ((x ?& ARRAY['a'::text, 'b'::text]))", {'{"a": "a", "b": "a"}'}),
        ("text", "CHECK ((x ~~ 'PR-%'::text))", {"PR-"}),
        ("bytea", "CHECK ((octet_length(x) = 4))", {"\\xabababab"}),
    ],
)  # fmt: skip
def test_a_check_suggests_values_that_fit(name: str, check: str, fitting: set[object]) -> None:
    made = candidate_values(column(name), [check], TOKEN)
    sizes = {len(value) for value in made}
    assert all(want in (sizes if isinstance(want, int) else made) for want in fitting), made
    assert len(made) == len(set(made)) <= MAX_CANDIDATES


def test_a_domain_brings_its_checks() -> None:
    grade = ColumnType("int4", domain="grade", checks=("CHECK ((VALUE > 500))",))
    assert "501" in candidate_values(ProbedColumn("x", grade, "grade"), [], TOKEN)


def test_an_array_is_as_long_as_its_check_says() -> None:
    tags = ProbedColumn("x", ColumnType("_text", element=ColumnType("text")), "text[]")
    assert any(value.count(",") == 1 for value in candidate_values(tags, ["CHECK ((array_length(x, 1) >= 2))"], TOKEN))
    assert candidate_values(tags, [], TOKEN)[0] == "{}"


@pytest.mark.parametrize("name", ["text", "int2", "int4", "int8", "uuid", "inet", "bytea", "varchar", "numeric"])
def test_fresh_values_differ_from_row_to_row(name: str) -> None:
    first, second = (candidate_values(column(name), [], token, fresh=True)[0] for token in (TOKEN, OTHER))
    assert first != second


@pytest.mark.parametrize(("name", "limit"), [("int2", 2**15), ("int4", 2**31), ("int8", 2**63)])
@given(token=st.text("0123456789abcdef", min_size=32, max_size=32))
def test_fresh_integers_fit_and_are_no_number_a_sequence_gives(name: str, limit: int, token: str) -> None:
    assert -limit <= int(candidate_values(column(name), [], token, fresh=True)[0]) < 0


@pytest.mark.parametrize("length", [1, 2, 5, 30])
def test_texts_fit_their_column(length: int) -> None:
    made = candidate_values(column("varchar", length + 4), [], TOKEN, fresh=True)
    assert made and all(len(value) <= length for value in made)


def test_other_types_have_a_value() -> None:
    assert candidate_values(column("mood", labels=("sad", "happy")), [], TOKEN) == ["sad", "happy"]
    assert candidate_values(column("vector", 3), [], TOKEN) == ["[1,1,1]"]
    assert candidate_values(column("bit", 4), [], TOKEN) == ["1111"]
    assert candidate_values(column("pair", kind="c", fields=3), [], TOKEN) == ["(,,)"]
    assert candidate_values(column("int4multirange", kind="m"), [], TOKEN) == ["{}"]
    low, high = map(int, re.findall(r"\d+", candidate_values(column("int4range", kind="r"), [], TOKEN)[0]))
    assert low < high
    assert candidate_values(column("unheard_of"), [], TOKEN)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[^@]+@[^@]+\.[^@]+$",
        r"^[a-z0-9]+(-[a-z0-9]+)*$",
        r"^#[0-9a-fA-F]{6}$",
        r"^\+[1-9]\d{7,14}$",
        r"^(https?|ftp)://[^\s/$.?#].[^\s]*$",
        r"^[A-Z]{3}$",
        r"^v?\d+\.\d+\.\d+(-[\w.]+)?$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^(?:a|b){2,3}$",
        r"^[]x-]+$",
        r"^sk-.{20,}$",
        "",
    ],
)
@pytest.mark.parametrize("extra", [0, 3, 8])
def test_a_sample_matches_its_pattern(pattern: str, extra: int) -> None:
    assert re.search(pattern, patterns.text_matching(pattern, TOKEN, extra))


def test_a_sample_of_a_posix_class() -> None:
    assert re.fullmatch(r"[a-zA-Z]{4}[0-9]", patterns.text_matching("^[[:alpha:]]{4}[[:digit:]]$", TOKEN))


def test_samples_differ_where_the_pattern_has_room() -> None:
    assert patterns.text_matching("^[a-z]{6}$", TOKEN) != patterns.text_matching("^[a-z]{6}$", OTHER)


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(a", "[a", "a{x}", "*"])
def test_a_pattern_that_is_not_known_is_refused(pattern: str) -> None:
    if pattern == "*":
        assert patterns.text_matching(pattern, TOKEN) == "*"
    else:
        with pytest.raises(ValueError):
            patterns.text_matching(pattern, TOKEN)


@given(st.text(max_size=30))
def test_any_pattern_gives_a_text_or_a_value_error(pattern: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(patterns.text_matching(pattern, TOKEN, 2), str)


@given(st.text(max_size=60), st.sampled_from(["text", "int4", "jsonb", "bool", "date", "bytea", "inet"]))
def test_any_check_gives_values(check: str, name: str) -> None:
    assert candidate_values(column(name), [check], TOKEN)


@given(st.lists(st.text(max_size=10), max_size=4))
def test_an_array_text_can_be_read_back(values: list[str]) -> None:
    inner = re.findall(r'"((?:[^"\\]|\\.)*)"', array_text(values), re.S)
    assert [re.sub(r"\\(.)", r"\1", value, flags=re.S) for value in inner] == values


def test_like_patterns() -> None:
    assert patterns.text_like(r"a_c%\%") == "aac%"


def test_combinations_begin_with_the_best_and_end_at_the_limit() -> None:
    assert list(nearest_combinations([["a", "b"], [1, 2]], 3)) == [("a", 1), ("a", 2), ("b", 1)]
    assert len(list(nearest_combinations([range(10)] * 12, 7))) == 7
    assert list(nearest_combinations([[], [1]], 5)) == []


def test_uuids_are_made_from_token_and_name() -> None:
    assert fresh_uuid(TOKEN, "a") == fresh_uuid(TOKEN, "a") != fresh_uuid(TOKEN, "b")
