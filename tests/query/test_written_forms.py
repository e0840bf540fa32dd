"""Queries as JSON and conditions in one line."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobase.errors import QueryInvalid
from infobase.metadata.types import EnumValue, Ref
from infobase.query_json import from_json, to_json
from infobase.query_model import And, Compare, Condition, Not, Or, OrderItem, Query, SelectItem
from infobase.query_text import parse_where

ID = uuid.UUID("01900000-0000-7000-8000-000000000001")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.text(max_size=10),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.datetimes(),
    st.uuids(),
    st.binary(max_size=5),
    st.builds(Ref, st.just("Catalog.Goods"), st.uuids()),
    st.builds(EnumValue, st.just("Enumeration.Kinds"), st.just("Big")),
)
COMPARES = st.builds(
    Compare, st.text(max_size=9), st.sampled_from(["=", "in"]), SCALARS | st.lists(SCALARS, max_size=3).map(tuple)
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    COMPARES,
    lambda c: (
        st.builds(Not, c)
        | st.builds(And, st.lists(c, max_size=3).map(tuple))
        | st.builds(Or, st.lists(c, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
QUERIES = st.builds(
    Query,
    st.text(max_size=9),
    parameters=st.dictionaries(st.sampled_from(["period", "start", "condition"]), SCALARS | CONDITIONS, max_size=2),
    select=st.lists(st.builds(SelectItem, st.text(max_size=9), st.text(max_size=4)), max_size=3).map(tuple),
    where=st.none() | CONDITIONS,
    group_by=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    having=st.none() | CONDITIONS,
    order_by=st.lists(st.builds(OrderItem, st.text(max_size=5), st.booleans()), max_size=2).map(tuple),
    limit=st.none() | st.integers(1, 100),
    after=st.none() | st.lists(SCALARS, max_size=3).map(tuple),
    distinct=st.booleans(),
)


@given(QUERIES)
def test_json_gives_the_same_query_back(query: Query) -> None:
    assert from_json(json.loads(json.dumps(to_json(query)))) == query


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ([], "query"),
        ({}, "query"),
        ({"source": 5}, "source"),
        ({"source": "X", "selct": []}, "select"),
        ({"source": "X", "select": "Ref"}, "select"),
        ({"source": "X", "select": [{"expression": "a", "as": "b"}]}, "select[0]"),
        ({"source": "X", "limit": "5"}, "limit"),
        ({"source": "X", "limit": True}, "limit"),
        ({"source": "X", "distinct": 1}, "distinct"),
        ({"source": "X", "where": "1=1"}, "where"),
        ({"source": "X", "where": {}}, "where"),
        ({"source": "X", "where": {"and": [{"field": "a", "op": 1}]}}, "where.and[0].op"),
        ({"source": "X", "where": {"field": "a", "and": []}}, "where"),
        ({"source": "X", "where": {"op": "="}}, "where"),
        ({"source": "X", "where": {"field": "a", "value": {"date": "soon"}}}, "where.value.date"),
        ({"source": "X", "where": {"field": "a", "value": {"date": "2026-01-01T00:00:00+03:00"}}}, "where.value.date"),
        ({"source": "X", "where": {"field": "a", "value": {"ref": "Catalog.X"}}}, "where.value.ref"),
        ({"source": "X", "where": {"field": "a", "value": {"number": "NaN"}}}, "where.value.number"),
        ({"source": "X", "where": {"field": "a", "value": {"sql": "1"}}}, "sql"),
        ({"source": "X", "where": {"field": "a", "value": {"number": 5}}}, "where.value.number"),
        ({"source": "X", "where": {"field": "a", "value": [[1]]}}, "where.value[0]"),
        ({"source": "X", "where": {"field": "a", "value": float("inf")}}, "where.value"),
        ({"source": "X", "parameters": []}, "parameters"),
        ({"source": "X", "order_by": [{"expression": "a", "descending": "yes"}]}, "order_by[0]"),
    ],
)
def test_json_is_strict_and_names_the_place(data: object, place: str) -> None:
    with pytest.raises(QueryInvalid) as caught:
        from_json(data)
    assert place in str(caught.value)


def test_json_nesting_is_bounded() -> None:
    data: dict[str, object] = {"field": "a", "value": 1}
    for _ in range(600):
        data = {"not": data}
    with pytest.raises(QueryInvalid):
        from_json({"source": "X", "where": data})


def test_json_short_forms() -> None:
    found = from_json(
        {"source": "X", "select": ["Ref"], "order_by": ["-Date", "Ref"], "where": {"field": "a", "value": 1.1}}
    )
    assert found.order_by == (OrderItem("Date", True), OrderItem("Ref"))
    assert found.where == Compare("a", "=", Decimal("1.1"))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("a = 1", Compare("a", "=", Decimal(1))),
        ("Клиент.Регион='Москва'", Compare("Клиент.Регион", "=", "Москва")),
        ("a<>'it''s'", Compare("a", "!=", "it's")),
        ('a = "say ""x"""', Compare("a", "=", 'say "x"')),
        (
            "a >= -1.50 and b < 2 or c = true",
            Or((And((Compare("a", ">=", Decimal("-1.50")), Compare("b", "<", Decimal(2)))), Compare("c", "=", True))),
        ),
        (
            "a = 1 and (b = 2 or c = 3)",
            And((Compare("a", "=", Decimal(1)), Or((Compare("b", "=", Decimal(2)), Compare("c", "=", Decimal(3)))))),
        ),
        ("не a = неопределено и b пусто", And((Not(Compare("a", "=", None)), Compare("b", "is_empty", True)))),
        ("a not in (1, 'x')", Compare("a", "not in", (Decimal(1), "x"))),
        ("a в ()", Compare("a", "in", ())),
        (
            "a between 1 and 2 and b = 3",
            And((Compare("a", "between", (Decimal(1), Decimal(2))), Compare("b", "=", Decimal(3)))),
        ),
        ("a содержит '%'", Compare("a", "contains", "%")),
        (f"a in_hierarchy {{Catalog.X:{ID}}}", Compare("a", "in_hierarchy", Ref("Catalog.X", ID))),
        ("Sum(Amount) > 5", Compare("Sum(Amount)", ">", Decimal(5))),
        ("Count(distinct Customer) > 5", Compare("Count(distinct Customer)", ">", Decimal(5))),
        ("ИНН = '7707083893'", Compare("ИНН", "=", "7707083893")),
    ],
)
def test_conditions_in_one_line(written: str, wanted: Condition) -> None:
    assert parse_where(written) == wanted


@pytest.mark.parametrize(
    "written",
    ["", "a", "a =", "= 1", "a = 1 b", "(a = 1", "a = 1)", "a = 1; drop table x", "a = 'x", "a == 1", "a in 1", "a in (1", "a between 1", "not", "a = b",
     "a not = 1", "a = 1 and", "1 = 1", "a = {Catalog.X}", "a = {x:y}", "a -- b", "a = 1.2.3", "(" * 300 + "a = 1", "not " * 300 + "a = 1", "x" * 100_001],
)  # fmt: skip
def test_what_is_not_a_condition_is_refused(written: str) -> None:
    with pytest.raises(QueryInvalid):
        parse_where(written)


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_refused(written: str) -> None:
    try:
        parse_where(written)
    except QueryInvalid as e:
        assert str(e)


def test_dates_are_written_as_text() -> None:
    assert parse_where("Date >= '2026-02-01'") == Compare("Date", ">=", "2026-02-01")
    assert to_json(Query("X", where=Compare("Date", "=", dt.date(2026, 2, 1))))["where"] == {
        "field": "Date",
        "op": "=",
        "value": {"date": "2026-02-01T00:00:00"},
    }
