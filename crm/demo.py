"""The demonstration month: enters and posts a plan (`demo_plan`) through the public Session API, as people would, in the order of time.

summary = fill(session)                 # about 350 documents
funnel(session, summary.end)            # rows to print
balances(session, summary.end)
totals(session, summary.end)            # every register's totals, to compare two bases
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, cast

from crm.demo_catalogs import Catalogs, enter_catalogs
from crm.demo_plan import Deal, Delivery, Plan, Step, make_plan
from crm.figures import balances, funnel, totals
from infobase.errors import OperationForbidden
from infobase.i18n import text

if TYPE_CHECKING:
    from infobase.objects import BusinessObject, DocumentObject
    from infobase.session import Session

__all__ = ["DemoSummary", "balances", "fill", "funnel", "totals"]

Progress = Callable[[str, int, int], None]
"""(what is being done, done, total) steps."""

END = dt.datetime(2026, 2, 1)
"""Balances before this moment are those of the whole month."""
_CENT = Decimal("0.01")
_VAT = Decimal(22) / Decimal(122)
"""Share of VAT at 22% (from 2026) in a price that contains it."""
_WITH_VAT = Decimal("1.22")


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What was entered. `documents`: full name -> how many; `postings` counts every posting, repeated ones too."""

    catalog_items: int
    documents: Mapping[str, int]
    postings: int
    end: dt.datetime = END


@dataclass(frozen=True, slots=True)
class _Action:
    """One thing somebody does at a moment; `order` keeps a fixed order within one second."""

    at: dt.datetime
    order: int
    run: Callable[[], None]


def fill(session: Session, scale: str = "S", progress: Progress | None = None) -> DemoSummary:
    """Enter the catalogs and the month's documents. `scale`: a key of demo_plan.SCALES. OperationForbidden when the base has deals already."""
    if session.documents.Deal.find() is not None:
        detail = text(
            ru="в базе уже есть сделки; нужна пустая база", en="the base has deals already; an empty one is needed"
        )
        raise OperationForbidden(object="Document.Deal", detail=detail)
    plan = make_plan(scale)
    with session.transaction():
        catalogs = enter_catalogs(session, plan)
    month = _Month(session, plan, catalogs)
    actions = sorted(month.actions(), key=lambda a: (a.at, a.order))
    for done, action in enumerate(actions, 1):
        action.run()
        if progress is not None:
            progress(text(ru="Документы", en="Documents"), done, len(actions))
    return DemoSummary(catalogs.count, dict(sorted(month.documents.items())), month.postings)


@dataclass
class _Month:
    """Executes a plan; remembers what it has entered."""

    session: Session
    plan: Plan
    catalogs: Catalogs
    documents: Counter[str] = field(default_factory=Counter)
    postings: int = 0
    _deals: dict[int, DocumentObject] = field(default_factory=dict)
    _leads: dict[int, DocumentObject] = field(default_factory=dict)
    _orders: dict[int, DocumentObject] = field(default_factory=dict)
    _invoices: dict[int, DocumentObject] = field(default_factory=dict)

    def actions(self) -> Iterator[_Action]:
        """Everything that happens, unsorted."""
        minutes = [dt.timedelta(minutes=m) for m in range(60)]
        for number, delivery in enumerate(self.plan.deliveries):
            yield _Action(delivery.at, number, lambda d=delivery: self._receive(d))  # type: ignore[misc]
        for number, deal in enumerate(self.plan.deals):
            if deal.from_lead:
                at = deal.steps[0].entered - minutes[20]
                yield _Action(at, number, lambda n=number, at=at: self._enter_lead(n, at))  # type: ignore[misc]
            for place, step in enumerate(deal.steps):
                yield _Action(step.entered, number, lambda n=number, p=place: self._move_deal(n, p))  # type: ignore[misc]
            yield from self._trade(number, deal)

    def _trade(self, number: int, deal: Deal) -> Iterator[_Action]:
        invoiced, closed = deal.invoiced_at, deal.closed_at
        if invoiced is None:
            return
        later = [dt.timedelta(minutes=m) for m in (5, 10, 15, 30)]
        yield _Action(invoiced + later[0], number, lambda: self._order(number, invoiced + later[0]))
        yield _Action(invoiced + later[1], number, lambda: self._invoice(number, invoiced + later[1]))
        if deal.outcome == "Won" and closed is not None:
            yield _Action(closed + later[2], number, lambda: self._sell(number, closed + later[2]))
            if deal.paid:
                yield _Action(closed + later[3], number, lambda: self._pay(number, closed + later[3]))
        elif deal.outcome == "Lost" and closed is not None:
            yield _Action(closed + later[2], number, lambda: self._cancel(number))

    # --- documents

    def _new(self, name: str, at: dt.datetime, **values: object) -> DocumentObject:
        self.documents[f"Document.{name}"] += 1
        return cast("DocumentObject", self.session.documents[name].new(Date=at, **values))

    def _post(self, document: DocumentObject) -> None:
        document.post()
        self.postings += 1

    def _enter_lead(self, number: int, at: dt.datetime) -> None:
        deal = self.plan.deals[number]
        company = self.plan.customers[deal.customer]
        lead = self._new(
            "Lead",
            at,
            Channel="Website" if deal.source in ("Website", "Advertising") else "IncomingCall",
            Source=self.catalogs.sources[deal.source],
            Subject=self._subject(deal),
            ContactName=company.contact,
            Phone=company.phone,
            Email=company.email,
            Customer=self.catalogs.customers[deal.customer],
            Manager=self.catalogs.staff[deal.manager],
            FirstResponseAt=at + dt.timedelta(minutes=5 + number % 40),
        )
        self._leads[number] = lead
        self._post(lead)

    def _move_deal(self, number: int, place: int) -> None:
        """Enter the deal, or move it to the stage `place` of its way: the stay before it ends, a new one begins, the deal is posted anew."""
        deal = self.plan.deals[number]
        step = deal.steps[place]
        document = self._deals.get(number) or self._new_deal(number, deal, step)
        stages = document.section("Stages")
        if place:
            before = deal.steps[place - 1]
            row = stages[len(stages) - 1]
            row.LeftAt, row.Outcome = step.entered, "Passed" if before.passed else "Lost"
        stage = self.catalogs.stages[step.stage]
        stages.add(Stage=stage.ref, EnteredAt=step.entered, Amount=document.Amount, Probability=stage.probability)
        document.Stage, document.Probability = stage.ref, stage.probability
        if deal.closed_at == step.entered and place == len(deal.steps) - 1:
            document.ClosedAt = step.entered
            document.RefusalReason = self.catalogs.refusals[deal.refusal] if deal.refusal else None
        self._post(document)
        if not place and number in self._leads:
            lead = self._leads[number]
            lead.Deal = document.ref
            self._post(lead)

    def _new_deal(self, number: int, deal: Deal, step: Step) -> DocumentObject:
        document = self._new(
            "Deal",
            step.entered,
            Subject=self._subject(deal),
            Customer=self.catalogs.customers[deal.customer],
            ContactPerson=self.catalogs.contacts[deal.customer],
            Pipeline=self.session.catalogs.Pipelines.predefined(deal.pipeline),
            Manager=self.catalogs.staff[deal.manager],
            Source=self.catalogs.sources[deal.source],
            ExpectedDate=step.entered + dt.timedelta(days=21),
        )
        for product, quantity in deal.lines:
            price = self.plan.products[product].price
            document.section("Goods").add(
                Product=self.catalogs.products[product], Quantity=quantity, Price=price, Amount=price * quantity
            )
        document.Amount = self._amount(deal)
        self._deals[number] = document
        return document

    def _order(self, number: int, at: dt.datetime) -> None:
        deal = self.plan.deals[number]
        order = self._new(
            "SalesOrder", at, **self._parties(number), Warehouse=self.catalogs.warehouse, State="Confirmed"
        )
        order.ShipmentDate = at + dt.timedelta(days=3)
        self._fill_lines(order, deal.lines)
        self._orders[number] = order
        self._post(order)

    def _invoice(self, number: int, at: dt.datetime) -> None:
        invoice = self._new("Invoice", at, **self._parties(number), Order=self._orders[number].ref, State="Issued")
        invoice.DueDate = at + dt.timedelta(days=5)
        invoice.BankAccount = self.catalogs.own_account
        self._fill_lines(invoice, self.plan.deals[number].lines)
        self._invoices[number] = invoice
        self._post(invoice)

    def _sell(self, number: int, at: dt.datetime) -> None:
        deal = self.plan.deals[number]
        order, invoice = self._orders[number], self._invoices[number]
        sale = self._new(
            "Sale", at, **self._parties(number), Warehouse=self.catalogs.warehouse, Order=order.ref, Invoice=invoice.ref
        )
        sale.Source = self.catalogs.sources[deal.source]
        self._fill_lines(sale, deal.lines)
        for row, (product, quantity) in zip(sale.section("Goods"), deal.lines, strict=True):
            row.Cost = self.plan.products[product].cost * quantity
        self._post(sale)
        order.State = "Shipped"
        order.write()
        self.postings += 1

    def _pay(self, number: int, at: dt.datetime) -> None:
        deal, invoice = self.plan.deals[number], self._invoices[number]
        amount = (self._amount(deal) * deal.paid).quantize(_CENT, ROUND_HALF_UP)
        payment = self._new(
            "Payment", at, **self._parties(number), Invoice=invoice.ref, Amount=amount, PaymentKind="Bank"
        )
        payment.BankAccount = self.catalogs.own_account
        payment.Purpose = f"Оплата по счёту {invoice.Number} от {invoice.Date:%d.%m.%Y}"
        self._post(payment)
        invoice.State = "Paid" if deal.paid == 1 else "PartlyPaid"
        invoice.write()
        self.postings += 1

    def _cancel(self, number: int) -> None:
        """The customer has refused after all: nothing is to be shipped or paid any more."""
        for document in (self._orders[number], self._invoices[number]):
            document.State = "Cancelled"
            document.undo_post()

    def _receive(self, delivery: Delivery) -> None:
        receipt = self._new(
            "GoodsReceipt",
            delivery.at,
            Supplier=self.catalogs.suppliers[delivery.supplier],
            Organization=self.catalogs.organization,
            Warehouse=self.catalogs.warehouse,
            IncomingNumber=f"П-{delivery.at:%d}{delivery.supplier + 1}",
            IncomingDate=delivery.at,
        )
        self._fill_lines(receipt, delivery.lines, at_cost=True)
        self._post(receipt)

    # --- parts of documents

    def _parties(self, number: int) -> dict[str, object]:
        deal = self.plan.deals[number]
        return {
            "Customer": self.catalogs.customers[deal.customer],
            "Organization": self.catalogs.organization,
            "Deal": self._deals[number].ref,
            "Manager": self.catalogs.staff[deal.manager],
        }

    def _fill_lines(self, document: BusinessObject, lines: Sequence[tuple[int, int]], *, at_cost: bool = False) -> None:
        total, total_vat = Decimal(0), Decimal(0)
        for product, quantity in lines:
            known = self.plan.products[product]
            price = known.cost * _WITH_VAT if at_cost else known.price
            amount = price * quantity
            vat = (amount * _VAT).quantize(_CENT, ROUND_HALF_UP)
            document.section("Goods").add(
                Product=self.catalogs.products[product],
                Quantity=quantity,
                Price=price,
                VATRate="VAT22",
                VATAmount=vat,
                Amount=amount,
            )
            total, total_vat = total + amount, total_vat + vat
        document.Amount, document.VATAmount = total, total_vat

    def _subject(self, deal: Deal) -> str:
        first = self.plan.products[deal.lines[0][0]].name
        more = len(deal.lines) - 1
        return first if not more else f"{first} и ещё {more}"

    def _amount(self, deal: Deal) -> Decimal:
        return sum((self.plan.products[p].price * q for p, q in deal.lines), Decimal(0))
