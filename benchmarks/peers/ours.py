"""Our side of the comparison, by the peers' protocol: `python -m benchmarks.peers.ours TASK`. The order is the CRM configuration's."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from benchmarks.peers.scripts.protocol import CUSTOMERS, DEAL, PAGE, READ, serve, task
from benchmarks.writing import CRM, new_order, sample
from crm.figures import funnel
from engine_server.engine import ServerEngine
from engine_server.place import ServerPlace
from infobase.connection import engine_of
from infobase.infobase import create, dump_base, open_base, restore_base, system_session
from infobase.metadata.reader import read_folder
from infobase.objects import DocumentObject
from infobase.query_model import Compare, OrderItem, Query, SelectItem
from infobase.session import Session
from infobase.storage import Statement, StorageEngine

_FACTS = {
    "orders": "SELECT count(*) FROM doc_sales_order WHERE posted",
    "lines": "SELECT count(*) FROM doc_sales_order__goods",
    "deals": "SELECT count(*) FROM doc_deal WHERE posted",
    "movements": "SELECT (SELECT count(*) FROM acc_orders) + (SELECT count(*) FROM acc_orders_to_ship)",
}
_SUMS = {
    "quantity": ("AccumulationRegister.OrdersToShip.Balance", "QuantityBalance"),
    "amount": ("AccumulationRegister.Orders.Turnovers", "AmountTurnover"),
}


def _number(session: Session, query: str) -> int:
    with session.reading() as tx:
        [[[found]]] = tx.run([Statement(query)])
    return int(cast(int, found))


class Worker:
    """One base and a restored one beside it."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.turn = 0

    def _engine(self, suffix: str = "") -> StorageEngine:
        given = self.given
        if given["engine"] == "file":
            return engine_of(f'File="{given["file"]}{suffix}";')
        place = ServerPlace(given["host"], int(given["port"]), given["database"] + suffix, given["user"])
        engine: StorageEngine = ServerEngine(place)
        return engine

    def prepare(self) -> None:
        base = create(self._engine(), read_folder(CRM), name="bench")
        self.session = system_session(base.kernel)
        with self.session.transaction():
            sample(self.session)
            for n in range(1, CUSTOMERS):
                self.session.catalogs.Counterparties.new(Description=f"Покупатель {n:04}").write()
            self.manager = self.session.catalogs.Employees.new(Description="Продавец")
            self.manager.write()
        self.customers = self.session.find_refs("Catalog.Counterparties", None, limit=CUSTOMERS)
        self.form = new_order(self.session)
        self.orders: list[DocumentObject] = []

    def post(self) -> None:
        made = cast(DocumentObject, self.form.copy())
        made.Date, made.Customer = self.session.now(), self.customers[self.turn % CUSTOMERS]
        self.turn += 1
        self.session.post(made)
        if len(self.orders) < READ:
            self.orders.append(made)

    def read(self) -> int:
        """An order with its lines, as its form shows them."""
        self.turn += 1
        [order] = self.session.load([self.orders[self.turn % READ].ref])
        return len(order.section("Goods"))

    def list(self) -> int:
        """A page of the journal of orders."""
        columns = ("Ref", "Number", "Date", "Customer.Description", "Amount", "Posted")
        page = Query(
            "Document.SalesOrder",
            select=tuple(map(SelectItem, columns)),
            where=Compare("Date", "<=", self.session.now()),
            order_by=(OrderItem("Date", descending=True),),
            limit=PAGE,
        )
        return len(self.session.query(page))

    def report(self) -> int:
        """What is to be shipped, by product."""
        columns = tuple(map(SelectItem, ("Product", "QuantityBalance", "AmountBalance")))
        return len(self.session.query(Query("AccumulationRegister.OrdersToShip.Balance", select=columns)))

    def deal(self) -> None:
        """A deal is entered, then moved to its second stage; both times it is posted."""
        self.turn += 1
        pipeline, stages = self.session.catalogs.Pipelines, self.session.catalogs.Stages
        made = self.session.documents.Deal.new(
            Subject="Поставка",
            Customer=self.customers[self.turn % CUSTOMERS],
            Manager=self.manager.ref,
            Pipeline=pipeline.predefined("Main"),
            Amount=Decimal(DEAL),
        )
        way = made.section("Stages")
        for name, ago in (("FirstContact", 60), ("Qualification", 0)):
            now, stage = self.session.now() - dt.timedelta(seconds=ago), stages.predefined(name)
            if len(way):
                way[0].LeftAt, way[0].Outcome = now, "Passed"
            way.add(Stage=stage, EnteredAt=now, Amount=made.Amount)
            made.Stage = stage
            made.Date = made.Date or now
            self.session.post(made)

    def funnel(self) -> int:
        """Stages in their order: what entered, passed and stands there."""
        return len(funnel(self.session, self.session.now()))

    def facts(self) -> dict[str, int]:
        found = {name: _number(self.session, query) for name, query in _FACTS.items()}
        for name, (table, field) in _SUMS.items():
            [row] = self.session.query(Query(table, select=(SelectItem(field, "total"),)))
            found[name] = int(cast(Decimal, row["total"]))
        return found

    def dump(self, target: str) -> None:
        dump_base(open_base(self._engine()), Path(target), replace=True)

    def ready_to_load(self) -> None:
        """Restoring makes the base."""

    def load(self, source: str) -> None:
        restore_base(self._engine("_restored"), Path(source), replace=True).kernel.engine.close()

    def restored(self) -> int:
        session = system_session(open_base(self._engine("_restored")).kernel)
        found = _number(session, _FACTS["orders"])
        session.kernel.engine.close()
        return found

    def close(self) -> None:
        self.session.kernel.engine.close()


if __name__ == "__main__":
    serve(Worker(task()))
