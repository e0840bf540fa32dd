"""Registers through the façade, the same on every engine and over the wire: records, slices, balances, turnovers, and totals after any commands."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infobase.errors import BalanceShortage, OperationForbidden, UnknownObject, ValueInvalid
from infobase.metadata.types import Ref
from infobase.objects import BusinessObject
from infobase.session import Session

JANUARY, FEBRUARY, MARCH = (dt.datetime(2026, month, 1) for month in (1, 2, 3))


def goods(session: Session, *names: str) -> list[Ref]:
    made = []
    for name in names:
        item = session.catalogs.Goods.new(Description=name)
        item.write()
        made.append(item.ref)
    return made


def receipt(session: Session, date: dt.datetime, **quantities: object) -> BusinessObject:
    """Posted. Goods by description -> quantity."""
    made = session.documents.Receipt.new(Date=date)
    for name, quantity in quantities.items():
        made.Goods.add(Item=session.catalogs.Goods.find_by_description(name), Quantity=quantity)
    made.post()
    return made


def test_prices_are_sliced_replaced_and_deleted(session: Session) -> None:
    table, chair = goods(session, "Стол", "Стул")
    prices = session.information_registers.Prices
    prices.write([{"Period": JANUARY, "Item": i, "Price": p} for i, p in ((table, 10), (chair, 5))])
    prices.write({"Период": FEBRUARY, "Товар": table, "Цена": Decimal("12.50")})
    prices.write({"Period": FEBRUARY.replace(hour=9), "Item": table, "Price": 13})
    last = {r["Item"]: (r["Period"], r["Price"]) for r in prices.slice_last()}
    assert last == {table: (FEBRUARY, 13), chair: (JANUARY, 5)}
    assert {r["Item"]: r["Price"] for r in prices.slice_last(JANUARY)} == {table: 10, chair: 5}
    assert [r["Price"] for r in prices.slice_first(where={"Item": table})] == [10]
    prices.delete({"Item": table, "Period": FEBRUARY})
    assert {r["Price"] for r in prices.select()} == {10, 5}
    prices.delete({"Item": chair})
    assert [r["Item"] for r in prices.select()] == [table]


def test_what_does_not_fit_a_register_is_refused(session: Session) -> None:
    prices = session.information_registers.Prices
    with pytest.raises(UnknownObject):
        prices.write({"Colour": "red"})
    with pytest.raises(ValueInvalid):
        prices.write({"Price": "much"})
    with pytest.raises(OperationForbidden):
        session.information_registers.OrderStates.write({"Total": 1})
    with pytest.raises(UnknownObject):
        _ = session.information_registers.Nothing
    assert list(prices.select()) == []


def test_balances_and_turnovers_by_period(session: Session) -> None:
    goods(session, "Стол", "Стул")
    receipt(session, JANUARY, Стол=3, Стул=1)
    second = receipt(session, FEBRUARY.replace(day=10), Стол=Decimal("0.125"))
    partner = session.catalogs.Partners.new(Description="Ромашка")
    partner.write()
    order = session.documents.Order.new(Date=FEBRUARY.replace(day=20), Partner=partner)
    order.Goods.add(Item=session.catalogs.Goods.find_by_description("Стол"), Quantity=2, Amount=200)
    order.post()
    stock, sales = session.accumulation_registers.Stock, session.accumulation_registers.Sales
    assert sorted(r["QuantityBalance"] for r in stock.balance()) == [1, Decimal("1.125")]
    assert sum(r["QuantityBalance"] for r in stock.balance(FEBRUARY)) == 4
    [turned] = stock.turnovers(FEBRUARY, MARCH)
    assert (turned["QuantityReceipt"], turned["QuantityExpense"]) == (Decimal("0.125"), 2)
    [moved] = [r for r in stock.balance_and_turnovers(FEBRUARY, MARCH) if r["QuantityTurnover"]]
    assert (moved["QuantityOpeningBalance"], moved["QuantityClosingBalance"]) == (3, Decimal("1.125"))
    assert [(r["Partner"], r["AmountTurnover"]) for r in sales.turnovers(group_by=["Partner"])] == [(partner.ref, 200)]
    assert [r["Total"] for r in session.information_registers.OrderStates.select()] == [0]
    receipts = session.documents.Receipt.get(second.ref)
    receipts.undo_post()
    with pytest.raises(BalanceShortage):
        session.documents.Receipt.get(next(iter(session.documents.Receipt.select({"Posted": True}))).ref).undo_post()
    assert sorted(r["QuantityBalance"] for r in stock.balance()) == [1, 1]


COMMANDS = st.lists(
    st.tuples(st.sampled_from(["post", "undo"]), st.integers(0, 2), st.integers(1, 9), st.sampled_from([1, 2, 3])),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(COMMANDS)
def test_totals_are_the_sum_of_movements_after_any_commands(
    session: Session, commands: list[tuple[str, int, int, int]]
) -> None:
    """Three receipts are posted again and taken back in any order; balances and turnovers are what remains."""
    if session.catalogs.Goods.find_by_description("Стол") is None:
        goods(session, "Стол")
    item = session.catalogs.Goods.find_by_description("Стол")
    receipts = [session.documents.Receipt.new(Date=JANUARY) for _ in range(3)]
    held: dict[int, tuple[int, int]] = {}
    for what, number, quantity, month in commands:
        document = receipts[number]
        if what == "post":
            document.Date = dt.datetime(2026, month, 15)
            document.Goods.clear()
            document.Goods.add(Item=item, Quantity=quantity)
            document.post()
            held[number] = (month, quantity)
        elif number in held:
            document.undo_post()
            del held[number]
    stock = session.accumulation_registers.Stock
    assert sum(r["QuantityBalance"] for r in stock.balance()) == sum(q for _, q in held.values())
    for month in (1, 2, 3):
        turned = stock.turnovers(dt.datetime(2026, month, 1), dt.datetime(2026, month, 28))
        assert sum(r["QuantityReceipt"] for r in turned) == sum(q for m, q in held.values() if m == month)
    for number in held:
        receipts[number].undo_post()
    assert sum(r["QuantityBalance"] for r in stock.balance()) == 0
