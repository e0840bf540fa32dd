"""What users do, over any session: one deed each, and a day in the office that mixes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from benchmarks.writing import new_order
from infobase.objects import DocumentObject
from infobase.query_model import Compare, OrderItem, Query, SelectItem
from infobase.session import Session

ORDER = "Document.SalesOrder"
PAGE = 50


class User:
    """One user at work. Every method is one deed."""

    def __init__(self, session: Session, seed: int) -> None:
        self.session, self.random = session, Random(seed)
        self._form: DocumentObject = new_order(session)
        self._form.Date = session.now()
        self._own: list[DocumentObject] = []

    def post(self) -> None:
        """Post a new order of five lines."""
        made = self._form.copy()
        assert isinstance(made, DocumentObject)
        made.Date = self.session.now()
        self.session.post(made)
        self._own = [*self._own[-20:], made]

    def repost(self) -> None:
        """Change an own order and post it again; the first time, a new one."""
        if not self._own:
            self.post()
            return
        order = self.random.choice(self._own)
        order.section("Goods")[0].Quantity = self.random.randrange(1, 9)
        self.session.post(order)

    def read(self) -> None:
        """Open an order's form."""
        if self._own:
            self.session.load([self.random.choice(self._own).ref])
        else:
            self.list()

    def find(self) -> None:
        """Type a few letters of a customer's name."""
        letters = f"{self.random.randrange(500):03}"
        self.session.query(
            Query(
                "Catalog.Counterparties",
                select=(SelectItem("Ref"), SelectItem("Description")),
                where=Compare("Description", "contains", letters),
                limit=20,
            )
        )

    def list(self) -> None:
        """A page of the journal of orders, at any place of it."""
        until = self.session.now() - dt.timedelta(days=self.random.randrange(700))
        self.session.query(
            Query(
                ORDER,
                select=tuple(map(SelectItem, ("Ref", "Number", "Date", "Customer.Description", "Amount", "Posted"))),
                where=Compare("Date", "<=", until),
                order_by=(OrderItem("Date", descending=True),),
                limit=PAGE,
            )
        )

    def report(self) -> None:
        """Sales of a month by customer: a report over a register's totals."""
        start = self._month()
        self.session.query(
            Query(
                "AccumulationRegister.Orders.Turnovers",
                select=(SelectItem("Customer"), SelectItem("QuantityTurnover"), SelectItem("AmountTurnover")),
                order_by=(OrderItem("AmountTurnover", descending=True),),
                parameters={"start": start, "end": start + dt.timedelta(days=30)},
            )
        )

    def close_month(self) -> None:
        """What closing a month reads: opening balance, turnovers and closing balance of all keys of the biggest register."""
        start = self._month()
        self.session.query(
            Query(
                "AccumulationRegister.OrdersToShip.BalanceAndTurnovers",
                select=(
                    SelectItem("Product"),
                    SelectItem("QuantityOpeningBalance"),
                    SelectItem("QuantityClosingBalance"),
                ),
                parameters={"start": start, "end": start + dt.timedelta(days=30)},
            )
        )

    def office(self) -> None:
        """One deed of an ordinary day."""
        deeds: tuple[tuple[Callable[[], None], int], ...] = (
            (self.list, 30),
            (self.read, 20),
            (self.find, 20),
            (self.post, 15),
            (self.repost, 10),
            (self.report, 5),
        )
        self.random.choices([d for d, _ in deeds], [w for _, w in deeds])[0]()

    def _month(self) -> dt.datetime:
        day = self.session.now() - dt.timedelta(days=self.random.randrange(30, 690))
        return day.replace(day=1, hour=0, minute=0, second=0)


@dataclass(frozen=True)
class Deed:
    """`think`: seconds a user waits between two deeds, on average."""

    name: str
    ru: str
    en: str
    think: float = 0.0


DEEDS = {
    d.name: d
    for d in (
        Deed("post", "проведение заказов", "posting orders"),
        Deed("find", "поиск клиента", "finding a customer"),
        Deed("list", "страница журнала", "a page of the journal"),
        Deed("report", "отчёт за месяц", "a month's report"),
        Deed("close_month", "закрытие месяца", "closing a month"),
        Deed("office", "день в офисе", "a day in the office", 1.0),
    )
}
"""What `bench modes` measures. Each is a method of `User`."""
