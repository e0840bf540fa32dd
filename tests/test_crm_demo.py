"""The demonstration month: deterministic, complete, and the registers say what the plan says."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from classifiers.loader import load
from classifiers.sample import write_small_ed807
from crm import procedures
from crm.demo import DemoSummary, balances, fill, funnel, totals
from crm.demo_plan import MONTH_END, SCALES, Plan, make_plan
from crm.demo_words import STAFF
from infobase.errors import AccessDenied, BalanceShortage, OperationForbidden
from infobase.rights import Access
from infobase.session import Session
from tests.crm_bases import create_crm, open_crm

END = dt.datetime(2026, 2, 1)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, DemoSummary, Plan]]:
    folder: Path = tmp_path_factory.mktemp("crm")
    place = f'File="{folder / "base"}";'
    create_crm(place)
    write_small_ed807(folder / "banks.zip", banks=20)
    with open_crm(place) as session:
        load(session, "banks", folder / "banks.zip")
        yield session, fill(session, "XS"), make_plan("XS")


@pytest.mark.parametrize("scale", SCALES)
def test_the_plan_depends_on_nothing_but_the_scale(scale: str) -> None:
    plan = make_plan(scale)
    assert plan == make_plan(scale)
    assert len(plan.customers) == SCALES[scale].customers


def test_requisites_of_the_plan_are_right() -> None:
    plan = make_plan("S")
    for company in (*plan.customers, *plan.suppliers):
        assert procedures.inn(company.inn) is None
        assert procedures.kpp(company.kpp) is None
        assert procedures.ogrn(company.ogrn) is None
        assert procedures.phone(company.phone) is None
        assert procedures.email(company.email) is None
    assert len({c.inn for c in plan.customers}) == len(plan.customers)


def test_the_plan_shows_every_outcome_and_stays_in_the_month() -> None:
    plan = make_plan("S")
    outcomes = Counter((d.pipeline, d.outcome) for d in plan.deals)
    assert all(outcomes["Main", o] for o in ("Won", "Lost", "Open"))
    for deal in plan.deals:
        times = [s.entered for s in deal.steps]
        assert times == sorted(times)
        assert times[0] >= dt.datetime(2026, 1, 12)
        assert times[-1] <= MONTH_END


def test_documents_are_all_there(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, summary, plan = filled
    invoiced = sum(d.invoiced_at is not None for d in plan.deals)
    won = [d for d in plan.deals if d.outcome == "Won"]
    assert summary.documents["Document.Deal"] == len(plan.deals)
    assert summary.documents["Document.SalesOrder"] == summary.documents["Document.Invoice"] == invoiced
    assert summary.documents["Document.Sale"] == len(won) > 0
    assert summary.documents["Document.Payment"] == sum(bool(d.paid) for d in won)
    for name, count in summary.documents.items():
        assert len(list(session.documents[name.split(".")[1]].select())) == count


def test_the_funnel_says_what_the_plan_says(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, _, plan = filled
    entered = Counter(s.stage for d in plan.deals for s in d.steps)
    rows = funnel(session, END)
    assert sum(r.entered for r in rows) == sum(entered.values())
    first = next(r for r in rows if r.stage == "Первичный контакт")
    assert first.entered == entered["FirstContact"]
    assert first.passed + first.lost + first.in_progress == first.entered
    open_deals = [d for d in plan.deals if d.outcome == "Open"]
    assert sum(r.in_progress for r in rows) == len(open_deals)
    amount = sum((plan.products[p].price * q for d in open_deals for p, q in d.lines), Decimal(0))
    assert sum((r.amount for r in rows), Decimal(0)) == amount


def test_the_funnel_at_any_day_counts_the_deals_open_then(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, _, plan = filled
    for day in range(12, 32, 3):
        at = dt.datetime(2026, 1, day)
        expected = sum(d.steps[0].entered < at and (d.closed_at is None or d.closed_at >= at) for d in plan.deals)
        assert sum(r.in_progress for r in funnel(session, at)) == expected


def test_totals_follow_from_the_plan(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, _, plan = filled
    won = [d for d in plan.deals if d.outcome == "Won"]
    revenue = {i: sum((plan.products[p].price * q for p, q in d.lines), Decimal(0)) for i, d in enumerate(won)}
    paid = sum((revenue[i] * d.paid for i, d in enumerate(won)), Decimal(0))
    found = totals(session, END)
    assert found["Sales.Revenue"] == sum(revenue.values())
    assert found["Cash.Amount"] == paid.quantize(Decimal("0.01"))
    assert found["Settlements.Amount"] == found["Sales.Revenue"] - found["Cash.Amount"]
    received = sum(q for d in plan.deliveries for _, q in d.lines)
    shipped = sum(q for d in won for p, q in d.lines if not plan.products[p].is_service)
    assert found["Stock.Quantity"] == received - shipped
    kept = Counter[int]()
    for delivery in plan.deliveries:
        kept.update(dict(delivery.lines))
    for deal in won:
        kept.subtract({p: q for p, q in deal.lines if not plan.products[p].is_service})
    assert found["Stock.Cost"] == sum((plan.products[p].cost * q for p, q in kept.items()), Decimal(0)) > 0
    leads = [d for d in plan.deals if d.from_lead]
    assert found["Leads.Received"] == found["Leads.Converted"] == len(leads) > 0
    assert found == totals(session)


def test_balances_are_rows_to_print_and_agree_with_totals(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, _, _ = filled
    rows = balances(session, END)
    assert {r.register for r in rows} >= {"Товары на складах", "Расчёты с клиентами"} or {r.register for r in rows} >= {
        "Stock"
    }
    stock = [r for r in rows if r.register in ("Товары на складах", "Stock")]
    assert sum(next(iter(r.values.values())) for r in stock) == totals(session, END)["Stock.Quantity"]
    assert all(all(part for part in r.key) for r in stock)


def test_an_order_of_five_lines_moves_two_registers_five_times_each(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, _, _ = filled
    order = next(iter(session.documents.SalesOrder.select(limit=1)))
    made = order.copy()
    made.fill(Date=END, Goods=[])
    for product in list(session.catalogs.Products.select({"IsFolder": False}, limit=5)):
        made.section("Goods").add(Product=product.ref, Quantity=2, Price=10, Amount=20)
    made.post()  # type: ignore[attr-defined]
    for register in ("OrdersToShip", "Orders"):
        records = session.accumulation_registers[register].select({"Recorder": made.ref})
        assert len(records) == 5
    made.undo_post()  # type: ignore[attr-defined]
    made.delete()


def test_a_sale_of_more_than_there_is_names_the_shortage(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, _, _ = filled
    sale = next(iter(session.documents.Sale.select(limit=1))).copy()
    goods = next(iter(session.catalogs.Products.select({"Article": "A-0001"})))
    sale.fill(Date=END, Goods=[{"Product": goods.ref, "Quantity": 100000, "Price": 1, "Amount": 100000}])
    before = totals(session)
    with pytest.raises(BalanceShortage) as caught:
        sale.post()  # type: ignore[attr-defined]
    assert "Дрель" in str(caught.value)
    assert totals(session) == before


def test_a_sales_manager_sees_only_their_own_deals_and_clients(filled: tuple[Session, DemoSummary, Plan]) -> None:
    session, _, plan = filled
    number, (name, login, _, _) = next((i, p) for i, p in enumerate(STAFF) if p[1] == "lebedev")
    access = Access(session.kernel.configuration, ["SalesManager"], login)
    manager = Session(session.kernel, access, session.info)
    own = sum(d.manager == number for d in plan.deals)
    assert len(list(manager.documents.Deal.select())) == own
    assert 0 < own < len(plan.deals)
    assert {manager.presentation(c.Manager) for c in manager.catalogs.Counterparties.select({"IsFolder": False})} == {
        name
    }
    foreign = next(d for d in session.documents.Deal.select() if session.presentation(d.Manager) != name)
    with pytest.raises(AccessDenied):
        manager.documents.Deal.get(foreign.ref)
    with pytest.raises(AccessDenied):
        list(manager.accumulation_registers.Cash.select())


def test_a_second_filling_is_refused(filled: tuple[Session, DemoSummary, Plan]) -> None:
    with pytest.raises(OperationForbidden):
        fill(filled[0], "XS")
