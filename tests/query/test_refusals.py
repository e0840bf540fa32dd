"""What a query must refuse, what hostile input may do (nothing), and what is compiled once."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobase.errors import QueryInvalid
from infobase.i18n import set_language
from infobase.query import compile_query, condition_sql
from infobase.query_compile import Prepared
from infobase.query_model import And, Compare, Condition, Not, Or, OrderItem, Query, SelectItem
from infobase.query_plan import QueryShape
from infobase.storage import Statement
from tests.query.sample import CUSTOMERS, ORDER, PRICES, PRODUCTS, REGIONS, SALES, STOCK
from tests.query.stores import Store
from tests.query.world import World, ref

WORLD = World()
HOSTILE = (
    "'; DROP TABLE cat_customers; --",
    '"; DROP TABLE cat_customers; --',
    "x') OR 1=1 --",
    "%s", "%(x)s", "?", ":v0", "{0}", "\\", "'", '"', "''", "/*", "\u202e", "*", "[a-z]", "%_", "Я" * 1000,
)  # fmt: skip


@pytest.fixture(scope="module")
def filled(both: tuple[Store, Store]) -> Iterator[tuple[Store, Store]]:
    for store in both:
        WORLD.load(store)
    yield both


def refused(store: Store, query: Query) -> str:
    with pytest.raises(QueryInvalid) as caught:
        compile_query(store.kernel, query)
    return str(caught.value)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("op", ["=", "!=", "contains", "starts_with", "in"])
@pytest.mark.parametrize("field", ["Description", "Note", "Region.Description"])
def test_hostile_values_are_values(filled: tuple[Store, Store], text: str, op: str, field: str) -> None:
    query = Query(CUSTOMERS, select=(SelectItem("Ref"),), where=Compare(field, op, [text] if op == "in" else text))
    answers = [store.ask(query) for store in filled]
    assert answers[0] == answers[1]
    assert len(filled[0].ask(Query(CUSTOMERS))) == 45
    assert text not in filled[0].bare.ran[-2] or text in ("?", "*", '"', "'", "''", "%s", ":v0")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_refused(filled: tuple[Store, Store], text: str) -> None:
    for store in filled:
        for query in (
            Query(text),
            Query(f"Catalog.{text}"),
            Query(f"{ORDER}.{text}"),
            Query(CUSTOMERS, select=(SelectItem(text),)),
            Query(CUSTOMERS, select=(SelectItem(f"Region.{text}"),)),
            Query(CUSTOMERS, select=(SelectItem(f"Sum({text})"),)),
            Query(CUSTOMERS, select=(SelectItem(f"{text}(Credit)"),)),
            Query(CUSTOMERS, where=Compare(text, "=", 1)),
            Query(CUSTOMERS, where=Compare("Credit", text, 1)),
            Query(CUSTOMERS, group_by=(text,)),
            Query(CUSTOMERS, order_by=(OrderItem(text),)),
            Query(f"{STOCK}.Balance", parameters={text: 1}),
            Query(f"{STOCK}.Turnovers", parameters={"periodicity": text}),
        ):
            refused(store, query)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_aliases_name_results_only(filled: tuple[Store, Store], text: str) -> None:
    query = Query(CUSTOMERS, select=(SelectItem("Code", text),), limit=1, order_by=(OrderItem(text),))
    for store in filled:
        assert store.ask(query) == [{text: "00000"}]


def test_unknown_names_come_with_the_nearest(filled: tuple[Store, Store]) -> None:
    store = filled[0]
    try:
        set_language("en")
        assert "Customers" in refused(store, Query("Catalog.Custmers"))
        assert "Description" in refused(store, Query(CUSTOMERS, select=(SelectItem("Descripton"),)))
        assert "did you mean: SliceLast" in refused(store, Query(f"{PRICES}.SliceLst"))
        set_language("ru")
        assert "Справочник.Контрагенты" in refused(store, Query("Справочник.Контрагент"))
        assert "возможно: Наименование" in refused(store, Query(CUSTOMERS, select=(SelectItem("Наименованее"),)))
        assert "Крупный" in refused(store, Query(CUSTOMERS, where=Compare("Вид", "=", "Крупны")))
    finally:
        set_language("ru")


def _deep(levels: int) -> Condition:
    made: Condition = Compare("Credit", ">", 1)
    for _ in range(levels):
        made = Not(made)
    return made


BAD = [
    Query(CUSTOMERS, limit=0),
    Query(CUSTOMERS, limit=10_001),
    Query(CUSTOMERS, limit=True),
    Query(CUSTOMERS, where=_deep(100)),
    Query(CUSTOMERS, where=_deep(5000)),
    Query(CUSTOMERS, where=And(tuple(Compare("Credit", "=", i) for i in range(10_001)))),
    Query(CUSTOMERS, where=Compare("Code", "in", ["x"] * 10_001)),
    Query(CUSTOMERS, where=Compare("Code", "in", "text")),
    Query(CUSTOMERS, where=Compare("Code", "=", 5)),
    Query(CUSTOMERS, where=Compare("Code", "=", "a\0b")),
    Query(CUSTOMERS, where=Compare("Code", "=", "\ud800")),
    Query(CUSTOMERS, where=Compare("Credit", "=", 1.5)),
    Query(CUSTOMERS, where=Compare("Credit", "=", Decimal("NaN"))),
    Query(CUSTOMERS, where=Compare("Credit", "=", True)),
    Query(CUSTOMERS, where=Compare("Credit", "contains", "1")),
    Query(CUSTOMERS, where=Compare("Credit", "between", (1,))),
    Query(CUSTOMERS, where=Compare("Wholesale", "=", 1)),
    Query(CUSTOMERS, where=Compare("Wholesale", "<", True)),
    Query(CUSTOMERS, where=Compare("Since", "=", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))),
    Query(CUSTOMERS, where=Compare("Since", "=", "yesterday")),
    Query(CUSTOMERS, where=Compare("Region", "=", "Москва")),
    Query(CUSTOMERS, where=Compare("Region", "<", ref(REGIONS, 1))),
    Query(CUSTOMERS, where=Compare("Photo", "=", b"1")),
    Query(CUSTOMERS, where=Compare("Sum(Credit)", ">", 1)),
    Query(CUSTOMERS, having=Compare("Sum(Credit)", ">", 1)),
    Query(CUSTOMERS, select=(SelectItem("Avg(Credit)"),), having=Compare("Avg(Credit)", ">", 1)),
    Query(CUSTOMERS, select=(SelectItem("Avg(Credit)", "a"),), order_by=(OrderItem("a"),)),
    Query(CUSTOMERS, select=(SelectItem("Sum(Code)"),)),
    Query(CUSTOMERS, select=(SelectItem("Max(Region)"),)),
    Query(CUSTOMERS, select=(SelectItem("Sum(distinct Credit)"),)),
    Query(CUSTOMERS, select=(SelectItem("Sum(*)"),)),
    Query(CUSTOMERS, select=(SelectItem("Code"), SelectItem("Sum(Credit)"))),
    Query(CUSTOMERS, select=(SelectItem("Code"), SelectItem("Code"))),
    Query(CUSTOMERS, select=(SelectItem("Code.Length"),)),
    Query(CUSTOMERS, select=(SelectItem("Region" + ".Parent" * 9),)),
    Query(CUSTOMERS, select=(SelectItem("Code"),), distinct=True, order_by=(OrderItem("Credit"),)),
    Query(CUSTOMERS, select=tuple(SelectItem("Code", str(i)) for i in range(501))),
    Query(CUSTOMERS, limit=5, after=(1, 2, 3)),
    Query(CUSTOMERS, limit=5, after=("not a uuid",)),
    Query(CUSTOMERS, parameters={"period": dt.datetime(2026, 1, 1)}),
    Query("Enumeration.Kinds"),
    Query(f"{ORDER}.Goods.Product"),
    Query(f"{SALES}.Balance"),
    Query(f"{STOCK}.SliceLast"),
    Query("InformationRegister.OrderStates.Balance"),
    Query(f"{STOCK}.Balance", parameters={"condition": Compare("Remark", "=", "x")}),
    Query(f"{STOCK}.Balance", parameters={"condition": "1 = 1"}),
    Query(f"{STOCK}.Balance", parameters={"period": "soon"}),
    Query(f"{STOCK}.Balance", parameters={"start": None}),
    Query(f"{STOCK}.Balance", parameters={"period": None, "Период": None}),
    Query(ORDER, where=Compare("Ref.Presentation", "contains", "1")),
]


@pytest.mark.parametrize("query", BAD, ids=[f"{n}-{q.source}" for n, q in enumerate(BAD)])
def test_bad_queries_are_refused(filled: tuple[Store, Store], query: Query) -> None:
    assert [refused(store, query) for store in filled][0]


def test_the_same_shape_is_compiled_once_and_holds_no_value(store: Store) -> None:
    def compiled(text: str, number: int, count: int) -> Statement:
        condition = And(
            (
                Compare("Region.Description", "contains", text),
                Compare("Credit", ">", number),
                Compare("Code", "in", ["c"] * count),
            )
        )
        return compile_query(store.kernel, Query(CUSTOMERS, where=condition, limit=number)).statement

    first, second = compiled("sécrèt", 7, 3), compiled("other", 4321, 900)
    assert first.sql is second.sql
    assert not any(value in first.sql for value in ("sécrèt", "secret", "4321", " 7"))
    placeholder = store.kernel.dialect.placeholder
    assert first.sql.count(placeholder) == len(first.params)


def test_invented_shapes_do_not_fill_the_memory(store: Store) -> None:
    for i in range(1100):
        compile_query(store.kernel, Query(PRODUCTS, select=(SelectItem("Code", f"a{i}"),)))
    kept = store.kernel.cache["query shapes"]
    assert isinstance(kept, dict)
    assert len(kept) <= 1000
    assert all(isinstance(k, QueryShape) and isinstance(v, Prepared) for k, v in kept.items())


def test_condition_sql_counts(filled: tuple[Store, Store]) -> None:
    wanted = [r for r in WORLD.objects[CUSTOMERS] if r["Wholesale"] and WORLD.value(r, "Region.Description", "") != ""]
    condition = And((Compare("Wholesale", "=", True), Compare("Region.Description", "is_empty", False)))
    for store in filled:
        keys = condition_sql(store.kernel, CUSTOMERS, condition)
        counted = Statement(f"SELECT COUNT(*) FROM ({keys.sql}) AS k", keys.params)
        assert store.bare.run([counted])[0][0][0] == len(wanted)
        assert store.ask(Query(CUSTOMERS, select=(SelectItem("Count(*)"),), where=condition)) == [
            {"Count(*)": len(wanted)}
        ]
        assert len(store.bare.run([condition_sql(store.kernel, CUSTOMERS, None)])[0]) == 45


def test_restriction_applies_to_the_source_only(filled: tuple[Store, Store]) -> None:
    allowed = Compare("Kind", "=", "Big")
    for store in filled:
        seen = store.ask(Query(CUSTOMERS, select=(SelectItem("Kind"), SelectItem("Region.Description"))), allowed)
        assert seen
        assert all(str(r["Kind"]) == "Big" for r in seen)
        lines = store.ask(Query(f"{ORDER}.Goods", select=(SelectItem("Ref.Posted"),)), Compare("Posted", "=", True))
        assert lines
        assert all(r["Ref.Posted"] for r in lines)
        assert store.ask(Query(CUSTOMERS), Or(())) == []
        assert store.ask(Query(CUSTOMERS, select=(SelectItem("Count(*)"),)), Or(())) == [{"Count(*)": 0}]


ANYTHING = {
    "field": st.text(max_size=12),
    "op": st.sampled_from(["=", "in", "between", "is_empty", "in_hierarchy", "contains"]),
    "value": st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.decimals(), st.floats(), st.uuids(),
        st.datetimes(), st.binary(max_size=3), st.lists(st.integers() | st.text(max_size=4), max_size=3),
    ),
}  # fmt: skip
"""A comparison of anything with anything."""


def outcomes(stores: tuple[Store, Store], field: str, op: str, value: object) -> Iterator[list[object]]:
    """What each store answers, or the words of its refusal, for that field and for one of each type."""
    for name in (field, "Credit", "Description", "Anything", "Region", "Since", "Kind", "Mark"):
        found: list[object] = []
        for store in stores:
            try:
                found.append(store.ask(Query(CUSTOMERS, select=(SelectItem("Ref"),), where=Compare(name, op, value))))
            except QueryInvalid as e:
                found.append(str(e))
        yield found


@settings(max_examples=60, deadline=None)
@given(**ANYTHING)
def test_whatever_is_given_is_answered_or_refused(
    filled: tuple[Store, Store], field: str, op: str, value: object
) -> None:
    for one, other in outcomes(filled, field, op, value):
        assert one == other


def test_presentations(filled: tuple[Store, Store]) -> None:
    set_language("ru")
    order = WORLD.objects[ORDER][0]
    for store in filled:
        found = store.ask(
            Query(
                ORDER,
                select=(SelectItem("Presentation"), SelectItem("Ref.Представление", "r")),
                where=Compare("Ref", "=", order["Ref"]),
            )
        )
        shown = f"Заказ покупателя 00000 от {order['Date']:%d.%m.%Y %H:%M:%S}"
        assert found == [{"Presentation": shown, "r": shown}]
        kinds = store.ask(
            Query(
                CUSTOMERS,
                select=(SelectItem("Kind.Presentation", "k"), SelectItem("Count(*)", "n")),
                group_by=("Kind",),
            )
        )
        assert [r["k"] for r in kinds] == ["", "Крупный", "Мелкий"]
        customers = store.ask(
            Query(
                CUSTOMERS,
                select=(SelectItem("Presentation"), SelectItem("Description")),
                order_by=(OrderItem("Presentation"),),
            )
        )
        assert all(r["Presentation"] == r["Description"] for r in customers)


def test_a_broken_reference_is_like_an_empty_one(store: Store) -> None:
    missing = ref(REGIONS, 99)
    store.objects(
        CUSTOMERS,
        [{"Ref": ref(CUSTOMERS, 1), "Code": "1", "Region": missing, "Anything": missing, "Mark": uuid.UUID(int=1)}],
    )
    query = Query(
        CUSTOMERS,
        select=tuple(
            map(
                SelectItem,
                ("Region", "Region.Parent", "Region.Description", "Anything.Description", "Region.DeletionMark"),
            )
        ),
    )
    assert store.ask(query) == [
        {
            "Region": missing,
            "Region.Parent": None,
            "Region.Description": "",
            "Anything.Description": "",
            "Region.DeletionMark": False,
        }
    ]
