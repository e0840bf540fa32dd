"""Posting through the façade: movements, re-posting, undo, balance checks, dates in the past - the same on every engine."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infobase.errors import BalanceShortage, NotUnique, OperationForbidden, VersionConflict
from infobase.metadata.types import Ref
from infobase.objects import BusinessObject
from infobase.session import Session

DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 1, 10, 12)


@pytest.fixture
def goods(session: Session) -> list[Ref]:
    made = [session.catalogs.Goods.new(Description=d) for d in ("Стол", "Стул", "Шкаф")]
    for item in made:
        item.write()
    return [m.ref for m in made]


@pytest.fixture
def partner(session: Session) -> Ref:
    item = session.catalogs.Partners.new(Description="Ромашка")
    item.write()
    return item.ref


def receipt(session: Session, date: dt.datetime, rows: list[tuple[Ref, object]]) -> BusinessObject:
    made = session.documents.Receipt.new(Date=date)
    for item, quantity in rows:
        made.Goods.add(Item=item, Quantity=quantity)
    made.post()
    return made


def order(session: Session, date: dt.datetime, partner: Ref, rows: list[tuple[Ref, object]]) -> BusinessObject:
    made = session.documents.Order.new(Date=date, Partner=partner)
    for item, quantity in rows:
        made.Goods.add(Item=item, Quantity=quantity, Amount=10)
    made.post()
    return made


def stock(session: Session, at: dt.datetime | None = None) -> dict[Ref, Decimal]:
    return {r["Item"]: r["QuantityBalance"] for r in session.accumulation_registers.Stock.balance(at)}


def test_posting_moves_reposting_replaces_undo_removes(session: Session, goods: list[Ref], partner: Ref) -> None:
    receipt(session, START, [(goods[0], 10), (goods[1], 5)])
    sale = order(session, START + DAY, partner, [(goods[0], 4)])
    assert stock(session) == {goods[0]: Decimal(6), goods[1]: Decimal(5)}
    sale.Goods[0].Quantity = 1
    sale.write()
    assert stock(session)[goods[0]] == Decimal(9)
    sale.undo_post()
    assert stock(session)[goods[0]] == Decimal(10)
    assert not sale.Posted
    assert session.accumulation_registers.Sales.turnovers() == []
    assert session.information_registers.OrderStates.slice_last() == []
    sale.post()
    assert len(session.information_registers.OrderStates.slice_last()) == 1


def test_a_shortage_names_register_key_and_how_much(session: Session, goods: list[Ref], partner: Ref) -> None:
    receipt(session, START, [(goods[0], 3)])
    with pytest.raises(BalanceShortage) as e:
        order(session, START + DAY, partner, [(goods[0], Decimal("5.5"))])
    text = str(e.value)
    assert "Стол" in text and "2.500" in text
    assert "Остатки" in text or "Stock" in text
    assert stock(session) == {goods[0]: Decimal(3)}
    assert list(session.documents.Order.select()) == []


def test_taking_back_a_receipt_that_was_sold_is_refused(session: Session, goods: list[Ref], partner: Ref) -> None:
    first = receipt(session, START, [(goods[0], 3)])
    order(session, START + DAY, partner, [(goods[0], 3)])
    with pytest.raises(BalanceShortage):
        first.undo_post()
    assert first.Posted
    with pytest.raises(BalanceShortage):
        first.set_deletion_mark()


def test_a_date_in_the_past_keeps_totals_right(session: Session, goods: list[Ref], partner: Ref) -> None:
    receipt(session, START, [(goods[0], 10)])
    order(session, START + 60 * DAY, partner, [(goods[0], 2)])
    order(session, START + 20 * DAY, partner, [(goods[0], 3)])
    assert stock(session, START) == {}
    assert stock(session, START + DAY)[goods[0]] == 10
    assert stock(session, START + 20 * DAY)[goods[0]] == 10
    assert stock(session, START + 21 * DAY)[goods[0]] == 7
    assert stock(session, START + 59 * DAY)[goods[0]] == 7
    assert stock(session)[goods[0]] == 5
    rows = session.accumulation_registers.Stock.balance_and_turnovers(START + 15 * DAY, START + 61 * DAY)
    assert [(r["QuantityOpeningBalance"], r["QuantityExpense"], r["QuantityClosingBalance"]) for r in rows] == [
        (10, 5, 5)
    ]


def test_a_document_that_does_not_post(session: Session) -> None:
    memo = session.documents.Memo.new(About="x")
    with pytest.raises(OperationForbidden):
        memo.post()


def test_a_marked_document_is_not_posted_and_marking_takes_movements_away(session: Session, goods: list[Ref]) -> None:
    made = receipt(session, START, [(goods[0], 1)])
    made.set_deletion_mark()
    assert stock(session) == {} and not made.Posted
    with pytest.raises(OperationForbidden):
        made.post()
    made.set_deletion_mark(False)
    made.post()
    assert stock(session)[goods[0]] == 1


def test_a_stale_document_does_not_post(session: Session, goods: list[Ref]) -> None:
    made = receipt(session, START, [(goods[0], 1)])
    stale = session.documents.Receipt.get(made.ref)
    made.write()
    for act in (stale.post, stale.undo_post, stale.delete):
        with pytest.raises(VersionConflict):
            act()
    assert stock(session)[goods[0]] == 1


def test_deleting_a_posted_document_removes_its_movements(session: Session, goods: list[Ref]) -> None:
    made = receipt(session, START, [(goods[0], 1)])
    made.delete()
    assert stock(session) == {}
    assert session.accumulation_registers.Stock.select() == []


_STEP = st.tuples(
    st.sampled_from(["receipt", "order", "repost", "undo", "delete"]),
    st.integers(0, 2),
    st.decimals(Decimal("0.001"), Decimal("50"), places=3),
    st.integers(0, 400),
    st.integers(0, 10),
)


@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(_STEP, max_size=12))
def test_totals_always_equal_the_sum_of_movements(
    session: Session, goods: list[Ref], partner: Ref, steps: list[tuple[str, int, Decimal, int, int]]
) -> None:
    documents = [*session.documents.Receipt.select(), *session.documents.Order.select()]
    for kind, which, quantity, days, pick in steps:
        date = START + days * DAY
        try:
            if kind == "receipt":
                documents.append(receipt(session, date, [(goods[which], quantity)]))
            elif kind == "order":
                documents.append(order(session, date, partner, [(goods[which], quantity)]))
            elif documents:
                chosen = documents[pick % len(documents)]
                if kind == "repost":
                    chosen.Date = date
                    chosen.Goods[0].Quantity = quantity
                    chosen.post()
                elif kind == "undo":
                    chosen.undo_post()
                else:
                    chosen.delete()
                    documents.remove(chosen)
        except (BalanceShortage, NotUnique):  # a date moved into another year may meet its number there
            if kind in ("repost", "undo"):
                documents[pick % len(documents)] = session.load([documents[pick % len(documents)].ref])[0]
    sums: dict[Ref, Decimal] = defaultdict(Decimal)
    for record in session.accumulation_registers.Stock.select():
        sign = 1 if record["RecordType"] == "Receipt" else -1
        sums[record["Item"]] += sign * record["Quantity"]
    assert stock(session) == {k: v for k, v in sums.items() if v}
    assert all(v >= 0 for v in stock(session).values())
    at = START + 100 * DAY
    early: dict[Ref, Decimal] = defaultdict(Decimal)
    for record in session.accumulation_registers.Stock.select():
        if record["Period"] < at:
            early[record["Item"]] += (1 if record["RecordType"] == "Receipt" else -1) * record["Quantity"]
    assert stock(session, at) == {k: v for k, v in early.items() if v}
