"""Filters, orders, pages and groups: both engines against what plain Python says of the same records."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobase.metadata.types import Value
from infobase.query_model import And, Compare, Condition, Not, Or, OrderItem, Query, SelectItem, all_of
from tests.query.sample import CONTRACTS, CUSTOMERS, ORDER, PRODUCTS, REGIONS
from tests.query.stores import Store
from tests.query.world import BIG, MOMENT, NAMES, SMALL, World, ref, sort_key

WORLD = World()
ZERO = Decimal(0)
Stores = tuple[Store, Store]


@pytest.fixture(scope="module")
def filled(both: Stores) -> Iterator[Stores]:
    for store in both:
        WORLD.load(store)
    yield both


def same(stores: Stores, query: Query) -> list[dict[str, Value]]:
    """The answer, equal on both engines and each of one statement."""
    answers = []
    for store in stores:
        before = len(store.bare.ran)
        answers.append(store.ask(query))
        assert len(store.bare.ran) == before + 1
    assert answers[0] == answers[1]
    return answers[0]


TEXTS = st.sampled_from([*NAMES, "Е", "л", "%", "_", "ЕЛЬ", "'", "A_"])
NUMBERS = st.sampled_from(
    [ZERO, Decimal(1), Decimal("-0.01"), Decimal("999.99"), Decimal("0.005"), Decimal(10) ** 30, Decimal("1.5")]
)
DATES = st.sampled_from([None, MOMENT, dt.datetime(2026, 3, 1), dt.datetime(2000, 1, 1)])
REGION_REFS = st.sampled_from([None, *(ref(REGIONS, i) for i in range(13))])
KINDS = st.sampled_from([None, BIG, SMALL])
ANYTHING = st.one_of(
    st.sampled_from(
        [None, True, False, BIG, SMALL, "", "Ёлка", MOMENT, ref(REGIONS, 2), ref(PRODUCTS, 1), ref(CUSTOMERS, 1)]
    ),
    NUMBERS,
)
FIELDS: dict[str, tuple[Any, Value, tuple[str, ...]]] = {
    "Description": (
        TEXTS,
        "",
        ("=", "!=", "<", "<=", ">", ">=", "in", "between", "contains", "starts_with", "is_empty"),
    ),
    "Note": (
        TEXTS.filter(lambda t: "ß" not in t),
        "",
        ("=", "!=", "<", "contains", "starts_with", "not in", "is_empty"),
    ),
    "Region.Parent.Description": (TEXTS, "", ("=", "!=", ">", "in", "contains", "is_empty", "starts_with")),
    "Credit": (NUMBERS, ZERO, ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "is_empty")),
    "Since": (DATES, None, ("=", "!=", "<", "<=", ">", ">=", "in", "between", "is_empty")),
    "Wholesale": (st.booleans(), False, ("=", "!=", "in", "is_empty")),
    "Mark": (
        st.sampled_from([None, uuid.UUID(int=5), uuid.UUID(int=9)]),
        None,
        ("=", "!=", "in", "not in", "is_empty"),
    ),
    "Region": (REGION_REFS, None, ("=", "!=", "in", "not in", "is_empty")),
    "Region.Parent": (REGION_REFS, None, ("=", "!=", "in", "not in", "is_empty")),
    "Kind": (KINDS, None, ("=", "!=", "in", "not in", "is_empty")),
    "Anything": (ANYTHING, None, ("=", "!=", "in", "not in", "is_empty")),
    "Anything.Description": (TEXTS, "", ("=", "!=", "contains", "is_empty")),
}
EMPTIES = {name: empty for name, (_, empty, _) in FIELDS.items()}


@st.composite
def comparisons(draw: st.DrawFn) -> Compare:
    name = draw(st.sampled_from(sorted(FIELDS)))
    values, _, operators = FIELDS[name]
    op = draw(st.sampled_from(operators))
    if op in ("in", "not in"):
        return Compare(name, op, draw(st.lists(values, max_size=5)))
    if op == "between":
        return Compare(name, op, (draw(values), draw(values)))
    if op == "is_empty":
        return Compare(name, op, draw(st.booleans()))
    return Compare(name, op, draw(values))


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    comparisons() | st.builds(lambda i: Compare("Region", "in_hierarchy", ref(REGIONS, i)), st.integers(0, 12)),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda p: And(tuple(p)), st.lists(inner, max_size=3)),
        st.builds(lambda p: Or(tuple(p)), st.lists(inner, max_size=3)),
    ),
    max_leaves=5,
)
SORTS = {
    "Description": True,
    "Region.Description": True,
    "Credit": False,
    "Since": False,
    "Kind": False,
    "Note": False,
    "Ref": False,
}
ORDERS = st.lists(st.builds(OrderItem, st.sampled_from(sorted(SORTS)), st.booleans()), max_size=3)


def expected(condition: Condition | None, order: list[OrderItem]) -> list[dict[str, Value]]:
    kept = [r for r in WORLD.objects[CUSTOMERS] if condition is None or WORLD.holds(condition, r, EMPTIES)]
    direction = order[-1].descending if order else False
    for item in reversed([*order, OrderItem("Ref", direction)]):
        name = item.expression
        empty: Value = "" if "Description" in name else None
        values = {id(r): WORLD.value(r, name, empty) for r in kept}
        keys = {
            i: (dt.datetime.min,)
            if v is None and name == "Since"
            else ("",)
            if v is None
            else sort_key(v, searchable=SORTS[name])[: 1 if SORTS[name] else None]
            for i, v in values.items()
        }
        keys = {i: tuple(b"" if p == "" else p for p in k) for i, k in keys.items()}
        kept.sort(key=lambda r: keys[id(r)], reverse=item.descending)
    return kept


@settings(max_examples=120, deadline=None)
@given(condition=CONDITIONS, order=ORDERS)
def test_filters_and_order_are_those_of_python(filled: Stores, condition: Condition, order: list[OrderItem]) -> None:
    query = Query(CUSTOMERS, select=(SelectItem("Ref"), SelectItem("Anything")), where=condition, order_by=tuple(order))
    found = same(filled, query)
    wanted = expected(condition, order)
    assert [r["Ref"] for r in found] == [r["Ref"] for r in wanted]
    assert [r["Anything"] for r in found] == [r["Anything"] for r in wanted]


@settings(max_examples=40, deadline=None)
@given(condition=st.none() | CONDITIONS, order=ORDERS, limit=st.integers(3, 20))
def test_pages_walk_every_row_once(
    filled: Stores, condition: Condition | None, order: list[OrderItem], limit: int
) -> None:
    query = Query(CUSTOMERS, select=(SelectItem("Ref"),), where=condition, order_by=tuple(order), limit=limit)
    wanted = [r["Ref"] for r in expected(condition, order)]
    for store in filled:
        pages = store.pages(query)
        assert [r["Ref"] for page in pages for r in page] == wanted
        assert all(len(page) == limit for page in pages[:-1])


def test_page_keys_go_from_one_engine_to_the_other(filled: Stores) -> None:
    """Keys are values, not storage: a list may go on after a base has moved."""
    from dataclasses import replace

    from infobase.query import compile_query

    query = Query(
        CUSTOMERS, select=(SelectItem("Ref"),), order_by=(OrderItem("Credit"), OrderItem("Since", True)), limit=5
    )
    keys = []
    for store in filled:
        compiled = compile_query(store.kernel, query)
        keys.append(compiled.page_key(store.bare.run([compiled.statement])[0][-1]))
    assert keys[0] == keys[1]
    assert same(filled, replace(query, after=keys[0]))[0] not in same(filled, query)


@settings(max_examples=30, deadline=None)
@given(
    group=st.sampled_from(["Kind", "Region", "Region.Parent.Description", "Wholesale", "Anything", "Since"]),
    condition=st.none() | CONDITIONS,
    least=st.integers(0, 4),
    limit=st.none() | st.integers(1, 4),
)
def test_groups_are_those_of_python(
    filled: Stores, group: str, condition: Condition | None, least: int, limit: int | None
) -> None:
    expressions = (
        "Sum(Credit)",
        "Count(*)",
        "Min(Since)",
        "Max(Credit)",
        "Avg(Credit)",
        "Count(distinct Region)",
        "Max(Note)",
    )
    query = Query(
        CUSTOMERS,
        select=(SelectItem(group, "g"), *(SelectItem(e) for e in expressions)),
        where=condition,
        group_by=(group,),
        having=Compare("Count(*)", ">=", least),
        order_by=(OrderItem("Sum(Credit)", True),),
        limit=limit,
    )
    groups: dict[object, list[dict[str, Value]]] = {}
    for record in expected(condition, []):
        empty: Value = "" if group.endswith("Description") else None
        value = WORLD.value(record, group, empty)
        groups.setdefault((type(value), value), []).append(record)
    wanted = {k: _summary(rows) for k, rows in groups.items() if len(rows) >= least}
    pages = filled[0].pages(query) if limit else [same(filled, query)]
    if limit:
        assert pages == filled[1].pages(query)
    found = {(type(r["g"]), r.pop("g")): r for page in pages for r in page}
    assert found == wanted


def _summary(rows: list[dict[str, Value]]) -> dict[str, object]:
    credits = [r["Credit"] for r in rows]
    dates = [r["Since"] for r in rows]
    total = sum(credits, ZERO)  # type: ignore[arg-type]
    notes = [str(r["Note"]) for r in rows]
    return {
        "Sum(Credit)": total,
        "Count(*)": len(rows),
        "Min(Since)": None if None in dates else min(dates),  # type: ignore[type-var]
        "Max(Credit)": max(credits),  # type: ignore[type-var]
        "Avg(Credit)": (total / len(rows)).quantize(Decimal("1e-8"), "ROUND_HALF_UP"),
        "Count(distinct Region)": len({r["Region"] for r in rows}),
        "Max(Note)": max(notes, key=str.encode),
    }


def test_aggregates_of_everything_and_of_nothing(filled: Stores) -> None:
    select = tuple(
        map(
            SelectItem,
            ("Sum(Credit)", "Count(*)", "Min(Since)", "Max(Note)", "Avg(Credit)", "Count(distinct Anything)"),
        )
    )
    nothing = same(filled, Query(CUSTOMERS, select=select, where=Or(())))
    assert nothing == [
        {
            "Sum(Credit)": ZERO,
            "Count(*)": 0,
            "Min(Since)": None,
            "Max(Note)": "",
            "Avg(Credit)": ZERO,
            "Count(distinct Anything)": 0,
        }
    ]
    everything = same(filled, Query(CUSTOMERS, select=select))[0]
    assert everything["Count(*)"] == 45
    kinds = {(type(r["Anything"]), r["Anything"]) for r in WORLD.objects[CUSTOMERS]}
    assert everything["Count(distinct Anything)"] == len(kinds)


def test_distinct(filled: Stores) -> None:
    query = Query(CUSTOMERS, select=(SelectItem("Region.Description"),), distinct=True)
    names = {WORLD.value(r, "Region.Description", "") for r in WORLD.objects[CUSTOMERS]}
    assert [r["Region.Description"] for r in same(filled, query)] == sorted(names, key=lambda v: str(v).encode())
    ordered = Query(
        CUSTOMERS, select=query.select, distinct=True, order_by=(OrderItem("Region.Description", True),), limit=2
    )
    wanted = sorted(names, key=lambda v: sort_key(v, searchable=True), reverse=True)
    for store in filled:
        assert [r["Region.Description"] for page in store.pages(ordered) for r in page] == wanted


def test_sections_see_their_owner(filled: Stores) -> None:
    query = Query(
        f"{ORDER}.Goods",
        select=(
            SelectItem("LineNumber"),
            SelectItem("Ref"),
            SelectItem("Ref.Partner.Region", "Region"),
            SelectItem("Quantity"),
        ),
        where=all_of(Compare("Ref.Posted", "=", True), Compare("Product.Price", ">=", 0)),
    )
    wanted = [
        {
            "LineNumber": r["LineNumber"],
            "Ref": r["Ref"],
            "Region": WORLD.value(r, "Ref.Partner.Region"),
            "Quantity": r["Quantity"],
        }
        for r in sorted(WORLD.goods, key=lambda r: (*sort_key(r["Ref"]), r["LineNumber"]))
        if WORLD.value(r, "Ref.Posted") and WORLD.value(r, "Product.Price", ZERO) >= 0  # type: ignore[operator]
    ]
    assert same(filled, query) == wanted
    assert len(wanted) > 3


def test_composite_owner_gives_common_fields(filled: Stores) -> None:
    query = Query(
        CONTRACTS,
        select=(
            SelectItem("Ref"),
            SelectItem("Owner"),
            SelectItem("Owner.Description", "d"),
            SelectItem("Owner.Price", "p"),
            SelectItem("Owner.Region.Description", "r"),
        ),
    )
    for found in same(filled, query):
        record = WORLD.by_ref[found["Ref"]]
        assert found["Owner"] == record["Owner"]
        assert found["d"] == WORLD.value(record, "Owner.Description", "")
        assert found["p"] == WORLD.value(record, "Owner.Price", ZERO)
        assert found["r"] == WORLD.value(record, "Owner.Region.Description", "")


def test_long_lists_are_one_parameter(filled: Stores) -> None:
    refs = [*(ref(CUSTOMERS, i) for i in range(9_990)), None]
    found = same(filled, Query(CUSTOMERS, select=(SelectItem("Ref"),), where=Compare("Ref", "in", refs)))
    assert len(found) == 45
    codes = [f"{i:05}" for i in range(10, 10_000)]
    assert len(same(filled, Query(CUSTOMERS, select=(SelectItem("Ref"),), where=Compare("Code", "in", codes)))) == 35
    numbers = [Decimal(i).scaleb(-2) for i in range(10_000)]
    wanted = [r for r in WORLD.objects[CUSTOMERS] if r["Credit"] in numbers]
    assert len(
        same(filled, Query(CUSTOMERS, select=(SelectItem("Ref"),), where=Compare("Credit", "in", numbers)))
    ) == len(wanted)
