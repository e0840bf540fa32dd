"""Virtual tables at any moment against sums over the movements, on both engines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobase.metadata.types import EnumValue, Ref, Value
from infobase.query_model import Compare, Condition, Or, Query, SelectItem
from infobase.totals import rebuild_statements
from tests.query.sample import CUSTOMERS, KINDS, ORDER, PAYMENT, PRICES, PRODUCTS, REGIONS, SALES, STATES, STOCK
from tests.query.stores import Store
from tests.query.world import ref

Stores = tuple[Store, Store]
Movement = dict[str, Value]
ZERO = Decimal(0)

MOMENTS = st.one_of(
    st.sampled_from(
        [
            dt.datetime(2025, 12, 31, 23, 59, 59),
            dt.datetime(2026, 1, 1),
            dt.datetime(2026, 1, 31, 23, 59, 59),
            dt.datetime(2026, 2, 1),
            dt.datetime(2026, 2, 15),
            dt.datetime(2026, 2, 16, 12),
            dt.datetime(2026, 3, 1),
        ]
    ),
    st.datetimes(dt.datetime(2025, 11, 1), dt.datetime(2026, 4, 30)).map(lambda d: d.replace(microsecond=0)),
)
AMOUNTS = st.integers(-3, 3).map(Decimal) | st.decimals(-1000, 1000, places=2)
DIMENSIONS = {
    "Product": st.sampled_from([None, ref(PRODUCTS, 0), ref(PRODUCTS, 1)]),
    "Place": st.sampled_from([None, ref(REGIONS, 0)]),
}


def _numbered(movements: list[Movement]) -> list[Movement]:
    return [m | {"LineNumber": i + 1} for i, m in enumerate(movements)]  # type: ignore[dict-item]


STOCK_MOVES = st.lists(
    st.fixed_dictionaries(
        {
            "Period": MOMENTS,
            "RecordType": st.sampled_from(["Receipt", "Expense"]),
            "Recorder": st.sampled_from([ref(ORDER, 0), ref(ORDER, 1), ref(PAYMENT, 0)]),
            "Active": st.sampled_from([True, True, True, False]),
            "Quantity": AMOUNTS,
            "Amount": AMOUNTS,
            **DIMENSIONS,
        }
    ),
    max_size=14,
).map(_numbered)
USED = st.sampled_from([("Product", "Place"), ("Product",), ("Place",), ()])
BOUND = st.none() | MOMENTS


@pytest.fixture(scope="module")
def named(both: Stores) -> Iterator[Stores]:
    """Both bases with the two products the movements speak of."""
    for store in both:
        store.clear()
        store.objects(PRODUCTS, [{"Ref": ref(PRODUCTS, i), "Code": str(i), "Description": f"P{i}"} for i in (0, 1)])
        store.objects(
            ORDER, [{"Ref": ref(ORDER, i), "Number": str(i), "Date": dt.datetime(2026, 1, 5)} for i in (0, 1)]
        )
    yield both


def fill(store: Store, register: str, movements: list[Movement]) -> None:
    d = store.kernel.dialect
    store.bare.connection.execute(f"DELETE FROM {d.quote(store.kernel.layout.registers[register].table.name)}")
    store.records(register, movements)
    store.bare.run(rebuild_statements(store.kernel, register))


def answers(stores: Stores, query: Query, restriction: Condition | None = None) -> list[dict[str, Value]]:
    found = []
    for store in stores:
        before = len(store.bare.ran)
        found.append(store.ask(query, restriction))
        assert len(store.bare.ran) == before + 1
    assert found[0] == found[1]
    return found[0]


def by_key(rows: list[dict[str, Value]], used: tuple[str, ...]) -> dict[tuple[Value, ...], dict[str, Value]]:
    made = {tuple(r[u] for u in used): {k: v for k, v in r.items() if k not in used} for r in rows}
    assert len(made) == len(rows)
    return made


Sums = dict[str, Decimal]


def summed(
    movements: list[Movement],
    used: tuple[str, ...],
    figures: Callable[[Movement], Sums],
    keep: Callable[[Movement], bool] = lambda m: True,
) -> dict[tuple[Value, ...], Sums]:
    """Figures per key; keys whose figures are all zero are left out."""
    found: dict[tuple[Value, ...], Sums] = {}
    for m in movements:
        if m["Active"] and keep(m):
            row = found.setdefault(tuple(m[u] for u in used), {})
            for name, value in figures(m).items():
                row[name] = row.get(name, ZERO) + value
    return {k: v for k, v in found.items() if any(v.values())}


def signed(m: Movement, name: str) -> Decimal:
    value = m[name]
    assert isinstance(value, Decimal)
    return -value if m["RecordType"] == "Expense" else value


@settings(max_examples=60, deadline=None)
@given(movements=STOCK_MOVES, used=USED, moment=BOUND, product=st.booleans())
def test_balance(
    named: Stores, movements: list[Movement], used: tuple[str, ...], moment: dt.datetime | None, product: bool
) -> None:
    for store in named:
        fill(store, STOCK, movements)
    condition = Compare("Product.Description", "=", "P1") if product else None
    query = Query(
        f"{STOCK}.Balance",
        parameters={"period": moment, "condition": condition},
        select=tuple(map(SelectItem, (*used, "QuantityBalance", "AmountBalance"))),
    )
    wanted = summed(
        movements,
        used,
        lambda m: {"QuantityBalance": signed(m, "Quantity"), "AmountBalance": signed(m, "Amount")},
        lambda m: (moment is None or m["Period"] < moment) and (not product or m["Product"] == ref(PRODUCTS, 1)),  # type: ignore[operator]
    )
    assert by_key(answers(named, query), used) == wanted


def _within(m: Movement, start: dt.datetime | None, end: dt.datetime | None) -> bool:
    period = m["Period"]
    assert isinstance(period, dt.datetime)
    return (start is None or period >= start) and (end is None or period <= end)


def _sides(m: Movement) -> Sums:
    made: Sums = {}
    for name in ("Quantity", "Amount"):
        value = m[name]
        assert isinstance(value, Decimal)
        receipt = m["RecordType"] == "Receipt"
        made |= {f"{name}Receipt": value if receipt else ZERO, f"{name}Expense": ZERO if receipt else value}
        made[f"{name}Turnover"] = made[f"{name}Receipt"] - made[f"{name}Expense"]
    return made


def _truncated(moment: Value, periodicity: str) -> dt.datetime:
    assert isinstance(moment, dt.datetime)
    day = moment.replace(hour=0, minute=0, second=0)
    match periodicity:
        case "Day":
            return day
        case "Week":
            return day - dt.timedelta(days=day.weekday())
        case "Month":
            return day.replace(day=1)
        case "Quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case _:
            return day.replace(month=1, day=1)


@settings(max_examples=60, deadline=None)
@given(
    movements=STOCK_MOVES,
    used=USED,
    start=BOUND,
    end=BOUND,
    periodicity=st.sampled_from(["", "Day", "Week", "Month", "Quarter", "Year", "Recorder", "Record"]),
)
def test_turnovers(
    named: Stores,
    movements: list[Movement],
    used: tuple[str, ...],
    start: dt.datetime | None,
    end: dt.datetime | None,
    periodicity: str,
) -> None:
    for store in named:
        fill(store, STOCK, movements)
    extra = {"": (), "Recorder": ("Recorder", "Period"), "Record": ("Recorder", "Period", "LineNumber")}.get(
        periodicity, ("Period",)
    )
    keys = (*extra, *used)
    figures = tuple(f"{r}{f}" for r in ("Quantity", "Amount") for f in ("Turnover", "Receipt", "Expense"))
    query = Query(
        f"{STOCK}.Turnovers",
        parameters={"start": start, "end": end, "periodicity": periodicity},
        select=tuple(map(SelectItem, (*keys, *figures))),
    )
    cut = movements
    if extra == ("Period",):
        cut = [m | {"Period": _truncated(m["Period"], periodicity), "At": m["Period"]} for m in movements]
    wanted = summed(cut, keys, _sides, lambda m: _within({"Period": m.get("At", m["Period"])}, start, end))
    assert by_key(answers(named, query), keys) == wanted


@settings(max_examples=60, deadline=None)
@given(movements=STOCK_MOVES, used=USED, start=BOUND, end=BOUND)
def test_balance_and_turnovers(
    named: Stores, movements: list[Movement], used: tuple[str, ...], start: dt.datetime | None, end: dt.datetime | None
) -> None:
    for store in named:
        fill(store, STOCK, movements)
    names = ("OpeningBalance", "Receipt", "Expense", "Turnover", "ClosingBalance")
    query = Query(
        f"{STOCK}.BalanceAndTurnovers",
        parameters={"start": start, "end": end},
        select=tuple(map(SelectItem, (*used, *(f"{r}{n}" for r in ("Quantity", "Amount") for n in names)))),
    )

    def figures(m: Movement) -> Sums:
        before = start is not None and m["Period"] < start  # type: ignore[operator]
        sides = {k: ZERO if before else v for k, v in _sides(m).items()}
        for name in ("Quantity", "Amount"):
            sides[f"{name}OpeningBalance"] = signed(m, name) if before else ZERO
            sides[f"{name}ClosingBalance"] = sides[f"{name}OpeningBalance"] + sides[f"{name}Turnover"]
        return sides

    def counts(m: Movement) -> bool:
        return (start is not None and m["Period"] < start) or _within(m, start, end)  # type: ignore[operator]

    assert by_key(answers(named, query), used) == summed(movements, used, figures, counts)


@settings(max_examples=25, deadline=None)
@given(movements=STOCK_MOVES, moment=BOUND)
def test_a_restriction_no_total_knows_is_applied_to_movements(
    named: Stores, movements: list[Movement], moment: dt.datetime | None
) -> None:
    for store in named:
        fill(store, STOCK, movements)
    query = Query(
        f"{STOCK}.Balance", parameters={"period": moment}, select=(SelectItem("Product"), SelectItem("AmountBalance"))
    )
    allowed = Compare("Recorder.Number", "=", "1")
    wanted = summed(
        movements,
        ("Product",),
        lambda m: {"AmountBalance": signed(m, "Amount"), "QuantityBalance": signed(m, "Quantity")},
        lambda m: m["Recorder"] == ref(ORDER, 1) and (moment is None or m["Period"] < moment),  # type: ignore[operator]
    )
    found = by_key(answers(named, query, allowed), ("Product",))
    assert found == {k: {"AmountBalance": v["AmountBalance"]} for k, v in wanted.items()}
    by_dimension = answers(named, Query(f"{STOCK}.Balance"), Or((Compare("Product", "=", ref(PRODUCTS, 0)),)))
    assert {r["Product"] for r in by_dimension} <= {ref(PRODUCTS, 0)}


SALES_MOVES = st.lists(
    st.fixed_dictionaries(
        {
            "Period": MOMENTS,
            "Recorder": st.just(ref(ORDER, 0)),
            "Active": st.just(True),
            "Customer": st.sampled_from([None, ref(CUSTOMERS, 1)]),
            "Kind": st.sampled_from([None, EnumValue(KINDS, "Big")]),
            "Amount": AMOUNTS,
        }
    ),
    max_size=12,
).map(_numbered)


@settings(max_examples=30, deadline=None)
@given(movements=SALES_MOVES, start=BOUND, end=BOUND)
def test_turnover_registers_in_russian(
    named: Stores, movements: list[Movement], start: dt.datetime | None, end: dt.datetime | None
) -> None:
    for store in named:
        fill(store, SALES, movements)
    query = Query(
        "РегистрНакопления.Продажи.Обороты",
        parameters={"Начало": start, "КонецПериода": end, "Периодичность": "Месяц"},
        select=tuple(map(SelectItem, ("Период", "Вид", "СуммаОборот"))),
    )
    cut = [m | {"Период": _truncated(m["Period"], "Month"), "Вид": m["Kind"]} for m in movements]
    wanted = summed(cut, ("Период", "Вид"), lambda m: {"СуммаОборот": m["Amount"]}, lambda m: _within(m, start, end))  # type: ignore[dict-item]
    assert by_key(answers(named, query), ("Период", "Вид")) == wanted


PRICE_ROWS = st.dictionaries(
    st.tuples(MOMENTS, st.sampled_from([None, ref(PRODUCTS, 0)]), st.sampled_from(["", "retail"])), AMOUNTS, max_size=10
).map(lambda d: [{"Period": p, "Product": g, "List": n, "Price": v} for (p, g, n), v in d.items()])


@settings(max_examples=40, deadline=None)
@given(rows=PRICE_ROWS, moment=BOUND, last=st.booleans(), only=st.booleans())
def test_slices(named: Stores, rows: list[Movement], moment: dt.datetime | None, last: bool, only: bool) -> None:
    for store in named:
        store.bare.connection.execute("DELETE FROM inf_prices")
        store.records(PRICES, rows)
    condition = Compare("List", "=", "retail") if only else None
    query = Query(
        f"{PRICES}.{'SliceLast' if last else 'СрезПервых'}", parameters={"period": moment, "condition": condition}
    )
    wanted: dict[tuple[Value, ...], Movement] = {}
    for row in sorted(rows, key=lambda r: r["Period"], reverse=not last):  # type: ignore[arg-type, return-value]
        beyond = moment is not None and (row["Period"] > moment if last else row["Period"] < moment)  # type: ignore[operator]
        if not beyond and (not only or row["List"] == "retail"):
            wanted[row["Product"], row["List"]] = row
    found = answers(named, query)
    assert {(r["Product"], r["List"]): r for r in found} == wanted
    assert len(found) == len(wanted)


def test_slice_of_a_subordinate_register(named: Stores) -> None:
    rows = [
        {
            "Period": dt.datetime(2026, 1, d),
            "Recorder": ref(ORDER, d),
            "LineNumber": 1,
            "Order": ref(ORDER, 0),
            "State": f"s{d}",
            "Active": d != 3,
        }
        for d in (1, 2, 3)
    ]
    for store in named:
        store.records(STATES, rows)  # type: ignore[arg-type]
    query = Query(f"{STATES}.SliceLast", select=(SelectItem("Order"), SelectItem("State"), SelectItem("Order.Number")))
    assert answers(named, query) == [{"Order": ref(ORDER, 0), "State": "s2", "Order.Number": "0"}]


def test_figures_are_grouped_again(named: Stores) -> None:
    movements: list[Movement] = [
        {"Period": dt.datetime(2026, 1, 2), "RecordType": "Receipt", "Recorder": ref(ORDER, 0), "LineNumber": i, "Active": True,
         "Product": ref(PRODUCTS, i % 2), "Place": None, "Quantity": Decimal(i), "Amount": ZERO}  # type: ignore[dict-item]
        for i in range(1, 5)
    ]  # fmt: skip
    for store in named:
        fill(store, STOCK, movements)
    query = Query(
        f"{STOCK}.Остатки",
        select=(SelectItem("Товар.Наименование", "p"), SelectItem("Sum(КоличествоОстаток)", "q")),
        group_by=("Товар.Наименование",),
        having=Compare("q", ">", 1),
        order_by=(),
        limit=1,
    )
    for store in named:
        assert [r for page in store.pages(query) for r in page] == [
            {"p": "P0", "q": Decimal(6)},
            {"p": "P1", "q": Decimal(4)},
        ]


def test_ends_of_time(named: Stores) -> None:
    movements: list[Movement] = [
        {"Period": dt.datetime(9999, 12, 31, 23, 59, 59), "RecordType": "Receipt", "Recorder": ref(ORDER, 0), "LineNumber": 1,
         "Active": True, "Product": None, "Place": None, "Quantity": Decimal(1), "Amount": Decimal(1)}  # type: ignore[dict-item]
    ]  # fmt: skip
    for store in named:
        fill(store, STOCK, movements)
    for period in (dt.datetime.min, dt.datetime(9999, 12, 31, 23, 59, 59)):
        assert answers(named, Query(f"{STOCK}.Balance", parameters={"period": period})) == []
    late = {"start": dt.datetime(9999, 12, 20), "end": dt.datetime(9999, 12, 31, 23, 59, 59)}
    assert answers(named, Query(f"{STOCK}.Turnovers", parameters=late, select=(SelectItem("AmountTurnover"),))) == [
        {"AmountTurnover": 1}
    ]


def test_balances_come_from_totals_not_movements(named: Stores) -> None:
    """Speed as a fact of the statement: the current balance reads one small table."""
    store = named[0]
    store.ask(Query(f"{STOCK}.Balance"))
    assert '"acc_stock__balance"' in store.bare.ran[-1]
    assert '"acc_stock" ' not in store.bare.ran[-1]
    whole = {"start": dt.datetime(2026, 1, 1), "end": dt.datetime(2026, 3, 31, 23, 59, 59)}
    store.ask(Query(f"{STOCK}.Turnovers", parameters=whole))
    assert '"acc_stock" ' not in store.bare.ran[-1]


def test_key_type(named: Stores) -> None:
    row = answers(
        named,
        Query(f"{STOCK}.Turnovers", parameters={"periodicity": "Регистратор"}, select=(SelectItem("Регистратор"),)),
    )
    assert all(isinstance(r["Регистратор"], Ref) for r in row)
