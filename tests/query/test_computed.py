"""Computed comparisons, patterns, rows of sections and offsets: both engines against plain Python."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobase.errors import QueryInvalid
from infobase.metadata.types import Value
from infobase.query_json import from_json, to_json
from infobase.query_model import (
    And,
    AnyRow,
    Call,
    Compare,
    Computed,
    Condition,
    Expression,
    FieldValue,
    Not,
    Or,
    OrderItem,
    Query,
    SelectItem,
)
from infobase.query_patterns import FOLD, glob_pattern, regular_expression
from tests.query.sample import CUSTOMERS, ORDER
from tests.query.stores import Store
from tests.query.world import World

WORLD = World()
Stores = tuple[Store, Store]
NAME, CREDIT, SINCE = FieldValue("Description"), FieldValue("Credit"), FieldValue("Since")


@pytest.fixture(scope="module")
def filled(both: Stores) -> Iterator[Stores]:
    for store in both:
        WORLD.load(store)
    yield both


def asked(stores: Stores, source: str, where: Condition, *fields: str) -> list[dict[str, Value]]:
    query = Query(source, select=tuple(SelectItem(f) for f in fields), where=where)
    assert from_json(to_json(query)) == query
    answers = [store.ask(query) for store in stores]
    assert answers[0] == answers[1]
    return answers[0]


def customers(stores: Stores) -> list[dict[str, Any]]:
    return [dict(r) for r in stores[0].ask(Query(CUSTOMERS))]


def expect(stores: Stores, where: Condition, holds: Callable[[dict[str, Any]], bool]) -> int:
    """Both engines find just the customers that Python finds; how many."""
    found = {r["Ref"] for r in asked(stores, CUSTOMERS, where, "Ref")}
    wanted = {r["Ref"] for r in customers(stores) if holds(r)}
    assert found == wanted
    return len(found)


def since(r: dict[str, Any]) -> dt.datetime:
    return r["Since"] or dt.datetime(1, 1, 1)


def later(moment: dt.datetime, months: int) -> dt.datetime:
    at = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(at, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))


NUMBERS = st.decimals(-1000, 1000, places=3)
OPS = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, st.sampled_from(list(OPS)), st.sampled_from(["add", "subtract", "multiply"]))
def test_arithmetic_is_exact(filled: Stores, a: Decimal, b: Decimal, op: str, function: str) -> None:
    python = {"add": "__add__", "subtract": "__sub__", "multiply": "__mul__"}[function]
    where = Computed(Call(function, (CREDIT, a)), op, b)
    expect(filled, where, lambda r: bool(getattr(getattr(r["Credit"], python)(a), OPS[op])(b)))


@pytest.mark.parametrize(
    ("expression", "python"),
    [
        (Call("divide", (CREDIT, Decimal(4))), lambda r: r["Credit"] / 4),
        (Call("negate", (CREDIT,)), lambda r: -r["Credit"]),
        (Call("length", (NAME,)), lambda r: len(r["Description"])),
        (Call("index_of", (NAME, "л")), lambda r: r["Description"].find("л") + 1),
        (Call("year", (SINCE,)), lambda r: since(r).year),
        (Call("quarter", (SINCE,)), lambda r: (since(r).month + 2) // 3),
        (Call("month", (SINCE,)), lambda r: since(r).month),
        (Call("day", (SINCE,)), lambda r: since(r).day),
        (Call("day_of_year", (SINCE,)), lambda r: since(r).timetuple().tm_yday),
        (Call("day_of_week", (SINCE,)), lambda r: since(r).isoweekday()),
        (Call("hour", (SINCE,)), lambda r: since(r).hour),
        (Call("minute", (SINCE,)), lambda r: since(r).minute),
        (Call("second", (SINCE,)), lambda r: since(r).second),
        (
            Call("difference_month", (dt.datetime(2020, 1, 31), SINCE)),
            lambda r: (since(r).year - 2020) * 12 + since(r).month - 1,
        ),
        (
            Call("difference_day", (dt.datetime(1969, 12, 31, 23), SINCE)),
            lambda r: (since(r).date() - dt.date(1969, 12, 31)).days,
        ),
    ],
)
def test_numbers_made_of_fields(filled: Stores, expression: Expression, python: Callable[[Any], Any]) -> None:
    values = sorted({python(r) for r in customers(filled)})
    middle = values[len(values) // 2]
    for op in ("=", "<", ">="):
        number = Decimal(str(middle))
        wanted = {r["Ref"] for r in customers(filled) if getattr(Decimal(str(python(r))), OPS[op])(number)}
        expect(filled, Computed(expression, op, number), lambda r, wanted=wanted: r["Ref"] in wanted)


@pytest.mark.parametrize("months", [1, -1, 12, 25])
def test_months_keep_to_the_last_day(filled: Stores, months: int) -> None:
    for moment in (dt.datetime(2024, 1, 31, 5), dt.datetime(2024, 2, 29), dt.datetime(2023, 3, 30, 1, 2, 3)):
        where = Computed(Call("add_month", (moment, months)), "=", later(moment, months))
        assert expect(filled, where, lambda r: True) == len(customers(filled))


@pytest.mark.parametrize(("unit", "days"), [("day", 1), ("hour", 1 / 24), ("second", 1 / 86400)])
def test_time_is_added(filled: Stores, unit: str, days: float) -> None:
    known = next(since(r) for r in customers(filled) if r["Since"])
    where = Computed(Call(f"add_{unit}", (SINCE, 3)), "=", known + dt.timedelta(days=3 * days))
    assert expect(filled, where, lambda r: since(r) == known) >= 1


def test_texts(filled: Stores) -> None:
    some = next(r["Description"] for r in customers(filled) if len(r["Description"]) > 2)
    for expression, python in (
        (Call("upper", (NAME,)), str.upper),
        (Call("lower", (NAME,)), str.lower),
        (Call("trim", (NAME,)), lambda t: t.strip(" ")),
        (Call("concat", (NAME, "-х")), lambda t: t + "-х"),
        (Call("substring", (NAME, 2)), lambda t: t[1:]),
        (Call("substring", (NAME, 1, 2)), lambda t: t[:2]),
        (Call("substring", (NAME, -5, 2)), lambda t: t[:2]),
    ):
        value = python(some)
        where = Computed(expression, "=", value)
        assert expect(filled, where, lambda r, f=python, value=value: f(r["Description"]) == value) >= 1


def test_fields_with_fields(filled: Stores) -> None:
    expect(filled, Computed(NAME, "=", FieldValue("Note")), lambda r: r["Description"] == r["Note"])
    expect(filled, Computed(FieldValue("Parent"), "!=", FieldValue("Parent")), lambda r: False)


def test_division_by_zero_never_holds(filled: Stores) -> None:
    where = Computed(Call("divide", (CREDIT, Decimal(0))), ">", 0)
    assert expect(filled, where, lambda r: False) == 0
    assert expect(filled, Not(where), lambda r: False) == 0


def matches(pattern: str, text: str) -> bool:
    folded = text.translate(FOLD)
    return re.fullmatch(regular_expression(pattern).removeprefix("(?s)^").removesuffix("$"), folded, re.S) is not None


PATTERNS = [
    "%",
    "",
    "ё%",
    "%Л%",
    "_л%",
    "[а-я]%",
    "[^а-я]%",
    "%[0-9]%",
    "[%]%",
    "%]",
    "[",
    "[]",
    "[^-]%",
    "*",
    "?%",
    "\\%",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(filled: Stores, pattern: str) -> None:
    for field in ("Note", "Description"):
        expect(filled, Compare(field, "like", pattern), lambda r, field=field: matches(pattern, r[field]))


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="аАёЁбxX%_[]^-*?\\.1", max_size=8))
def test_any_pattern_means_the_same_on_both_engines(filled: Stores, pattern: str) -> None:
    assert isinstance(glob_pattern(pattern), str)
    asked(filled, CUSTOMERS, Compare("Note", "like", pattern), "Ref")


def test_types_of_composites(filled: Stores) -> None:
    for name, python in (("String", str), ("Number", Decimal), ("Boolean", bool), ("Date", dt.datetime)):
        where = Compare("Anything", "is_type", name)
        expect(filled, where, lambda r, t=python: type(r["Anything"]) is t)
    expect(
        filled,
        Compare("Anything", "is_type", "Справочник.Регионы"),
        lambda r: "Regions" in str(getattr(r["Anything"], "type", "")),
    )
    assert not asked(filled, CUSTOMERS, Compare("Anything", "is_type", "Catalog.Nothing"), "Ref")


def test_rows_of_sections(filled: Stores) -> None:
    rows = filled[0].ask(Query(f"{ORDER}.Goods"))
    orders = {r["Ref"] for r in filled[0].ask(Query(ORDER))}
    amount = sorted(r["Quantity"] for r in rows)[len(rows) // 2]  # type: ignore[type-var]
    big = {r["Ref"] for r in rows if r["Quantity"] > amount}  # type: ignore[operator]
    any_big = AnyRow("Goods", Compare("Quantity", ">", amount))
    assert {r["Ref"] for r in asked(filled, ORDER, any_big, "Ref")} == big & orders
    assert {r["Ref"] for r in asked(filled, ORDER, Not(any_big), "Ref")} == orders - big
    assert {r["Ref"] for r in asked(filled, ORDER, AnyRow("Товары"), "Ref")} == {r["Ref"] for r in rows} & orders


def test_offset_leaves_rows_out(filled: Stores) -> None:
    for store in filled:
        everything = store.ask(Query(CUSTOMERS, order_by=(OrderItem("Description"),)))
        page = store.ask(Query(CUSTOMERS, order_by=(OrderItem("Description"),), limit=3, offset=2))
        assert page == everything[2:5]
        assert store.ask(Query(CUSTOMERS, limit=3, offset=10_000)) == []


@pytest.mark.parametrize(
    "where",
    [
        Computed(NAME, "=", 5),
        Computed(Call("length", (CREDIT,)), "=", 5),
        Computed(Call("nothing", (CREDIT,)), "=", 5),
        Computed(Call("substring", (NAME,)), "=", "x"),
        Computed(NAME, "~", "x"),
        Computed(FieldValue("Photo"), "=", "x"),
        Computed(FieldValue("Wholesale"), "<", True),
        Computed(CREDIT, "=", Decimal("1e30")),
        Computed(CREDIT, "=", Decimal("NaN")),
        Computed(NAME, "=", "a\0b"),
        AnyRow("Nothing"),
        Compare("Note", "like", "%" * 201),
        Compare("Credit", "like", "%"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(filled: Stores, where: Condition) -> None:
    for store in filled:
        with pytest.raises(QueryInvalid):
            store.ask(Query(CUSTOMERS, where=where))


@pytest.mark.parametrize("join", [And, Or])
def test_wide_conditions(filled: Stores, join: type[And] | type[Or]) -> None:
    parts = tuple(Compare("Credit", "<", Decimal(-(10**6) - i)) for i in range(5000))
    low = {r["Ref"] for r in customers(filled) if r["Credit"] < -(10**6)}
    found = {r["Ref"] for r in asked(filled, CUSTOMERS, join(parts), "Ref")}
    assert found <= low and (join is And or found == low)


def test_deep_expressions_are_refused(filled: Stores) -> None:
    deep: Expression = CREDIT
    for _ in range(5000):
        deep = Call("negate", (deep,))
    with pytest.raises(QueryInvalid):
        filled[0].ask(Query(CUSTOMERS, where=Computed(deep, "=", 1)))


@pytest.mark.parametrize("offset", [-1, True, "1"])
def test_offsets_are_whole(filled: Stores, offset: Any) -> None:
    with pytest.raises(QueryInvalid):
        filled[0].ask(Query(CUSTOMERS, limit=1, offset=offset))
    with pytest.raises(QueryInvalid):
        filled[0].ask(Query(CUSTOMERS, offset=1))
