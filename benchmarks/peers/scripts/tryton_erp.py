"""Tryton with its modules party, sale and sale_opportunity, called in the server's own process as its dispatcher would call them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import trytond.config as config
from protocol import CUSTOMERS, DEAL, LINES, PAGE, PRICE, PRODUCTS, QUANTITY, READ, serve, task

MODULES = [
    "country",
    "currency",
    "party",
    "company",
    "product",
    "stock",
    "account",
    "account_product",
    "account_invoice",
    "account_invoice_stock",
    "sale",
    "sale_opportunity",
]


def _configure(given: dict) -> str:
    """Where the database is; its name."""
    if given["engine"] == "file":
        path = Path(given["file"])
        config.set("database", "uri", "sqlite://")
        config.set("database", "path", str(path.parent))
        return path.name
    config.set("database", "uri", f"postgresql://{given['user']}@/?host={given['host']}&port={given['port']}")
    return given["database"]


def _durable() -> None:
    """Tryton leaves SQLite at synchronous=NORMAL, which may lose the last commits with the power: raised to what all others have."""
    from trytond.backend.sqlite.database import Database

    connect = Database.connect

    def full(self):
        connected = connect(self)
        self._conn.execute("PRAGMA synchronous = FULL")
        return connected

    Database.connect = full


def _create(name: str, *, made: bool) -> None:
    from sql import Table
    from trytond import backend

    if not made:
        database = backend.Database()
        database.connect()
        connection = database.get_connection(autocommit=True)
        database.create(connection, name)
        database.put_connection(connection)
        database.close()
    database = backend.Database(name)
    database.connect()
    connection = database.get_connection()
    database.init()
    table = Table("ir_configuration")
    connection.cursor().execute(*table.insert([table.language], [["en"]]))
    connection.commit()
    database.put_connection(connection)


class Worker:
    def __init__(self, given: dict) -> None:
        self.given, self.name = given, _configure(given)
        self.turn = 0
        if given["engine"] == "file":
            _durable()
        from trytond.pool import Pool
        from trytond.transaction import Transaction

        self.Pool, self.Transaction = Pool, Transaction

    def _model(self, name: str):
        return self.pool.get(name)

    def _transaction(self, **extras):
        return self.Transaction().start(self.name, self.user, context={"company": self.company}, **extras)

    def prepare(self) -> None:
        _create(self.name, made=self.given["engine"] == "server")
        self.Pool.start()
        self.pool = self.Pool(self.name)
        self.pool.init(update=["ir", "res"], lang=["en"])
        with self.Transaction().start(self.name, 0) as transaction:
            self._model("ir.module").update_list()
            transaction.commit()
        self.pool.init(update=MODULES, lang=["en"])
        self._company()
        self._goods()

    def _company(self) -> None:
        with self.Transaction().start(self.name, 0) as transaction:
            currency = self._model("currency.currency")(
                name="Рубль", code="RUB", symbol="₽", rounding=Decimal("0.01")
            )  # fmt: skip
            currency.save()
            party = self._model("party.party")(name="Мы")
            party.save()
            company = self._model("company.company")(party=party, currency=currency)
            company.save()
            user = self._model("res.user")(name="Продавец", login="seller")
            user.companies, user.company = [company], company
            user.groups = self._model("res.group").search([])
            user.save()
            seller = self._model("party.party")(name="Продавец")
            seller.save()
            employee = self._model("company.employee")(party=seller, company=company)
            employee.save()
            self.company, self.user, self.employee = company.id, user.id, employee.id
            transaction.commit()

    def _goods(self) -> None:
        with self._transaction() as transaction:
            [unit] = self._model("product.uom").search([("name", "=", "Unit")])
            Template, Product = self._model("product.template"), self._model("product.product")
            templates = [
                Template(
                    name=f"Товар {n}",
                    type="goods",
                    default_uom=unit,
                    list_price=Decimal(PRICE),
                    salable=True,
                    sale_uom=unit,
                    products=[Product()],
                )
                for n in range(PRODUCTS)
            ]
            Template.save(templates)
            Party, Address = self._model("party.party"), self._model("party.address")
            parties = [Party(name=f"Покупатель {n:04}", addresses=[Address()]) for n in range(CUSTOMERS)]
            Party.save(parties)
            self.unit = unit.id
            self.products = [t.products[0].id for t in templates[:LINES]]
            self.customers = [p.id for p in parties]
            self.sales: list[int] = []
            transaction.commit()

    def post(self) -> None:
        """A sale is written, quoted and confirmed; its processing, a task of its own in Tryton, makes the shipment with two moves a line."""
        sale = self._restarted(self._confirm)
        self._restarted(lambda: self._process(sale))
        self.turn += 1
        if len(self.sales) < READ:
            self.sales.append(sale)

    def _restarted(self, work):
        """As Tryton's dispatcher does: work that finds it needs a lock begins anew with it."""
        from trytond.transaction import TransactionError

        extras: dict = {}
        while True:
            with self._transaction(**extras) as transaction:
                try:
                    done = work()
                    transaction.commit()
                    return done
                except TransactionError as e:
                    transaction.rollback()
                    transaction.tasks.clear()
                    e.fix(extras)

    def _confirm(self) -> int:
        Sale, Line = self._model("sale.sale"), self._model("sale.line")
        customer = self._model("party.party")(self.customers[self.turn % CUSTOMERS])
        sale = Sale(party=customer, company=self.company, sale_date=dt.date.today())
        sale.on_change_party()
        sale.invoice_method, sale.shipment_method = "manual", "order"
        sale.invoice_address = sale.shipment_address = customer.addresses[0]
        sale.lines = [
            Line(product=p, quantity=QUANTITY, unit=self.unit, unit_price=Decimal(PRICE)) for p in self.products
        ]
        sale.save()
        Sale.quote([sale])
        Sale.confirm([sale])
        return sale.id

    def _process(self, sale: int) -> None:
        """Unless the queue has done it when the confirmation was committed."""
        Sale = self._model("sale.sale")
        if Sale(sale).state == "confirmed":
            Sale.process([Sale(sale)])

    def read(self) -> int:
        """A sale with its lines, as its form shows them."""
        self.turn += 1
        with self._transaction(readonly=True):
            Sale, Line = self._model("sale.sale"), self._model("sale.line")
            [sale] = Sale.read(
                [self.sales[self.turn % READ % len(self.sales)]],
                ["number", "sale_date", "party.rec_name", "untaxed_amount", "state", "lines"],
            )
            return len(Line.read(list(sale["lines"]), ["product.rec_name", "quantity", "unit_price", "amount"]))

    def list(self) -> int:
        with self._transaction(readonly=True):
            Sale = self._model("sale.sale")
            found = Sale.search(
                [("sale_date", "<=", dt.date.today())], order=[("sale_date", "DESC"), ("id", "DESC")], limit=PAGE
            )
            names = ["number", "sale_date", "party.rec_name", "untaxed_amount", "state"]
            return len(Sale.read([s.id for s in found], names))

    def report(self) -> int:
        """What is on its way out of the warehouse, by product: its stock module sums the moves."""
        with self._transaction(readonly=True):
            [warehouse] = self._model("stock.location").search([("type", "=", "warehouse")])
            context = {"forecast": True, "stock_date_end": dt.date.max}
            with self.Transaction().set_context(context):
                found = self._model("product.product").products_by_location([warehouse.storage_location.id])
            return len(found)

    def deal(self) -> None:
        """A lead is entered, then made an opportunity, in two transactions."""
        self.turn += 1
        lead = self._restarted(self._lead)
        self._restarted(lambda: self._model("sale.opportunity").opportunity([self._model("sale.opportunity")(lead)]))

    def _lead(self) -> int:
        made = self._model("sale.opportunity")(
            party=self.customers[self.turn % CUSTOMERS],
            company=self.company,
            employee=self.employee,
            description="Поставка",
            amount=Decimal(DEAL),
        )
        made.save()
        return made.id

    def funnel(self) -> int:
        """Its own report of conversion: how many, their amount, how many were converted."""
        names = ["number", "amount", "converted", "converted_amount", "conversion_rate"]
        with self._transaction(readonly=True):
            Report = self._model("sale.opportunity.reporting.conversion")
            return len(Report.read([r.id for r in Report.search([])], names))

    def facts(self) -> dict[str, int]:
        with self._transaction(readonly=True):

            def count(model: str, domain: list) -> int:
                return self._model(model).search(domain, count=True)

            done = [("state", "=", "processing")]
            sales = self._model("sale.sale").search(done)
            outgoing = self._model("stock.move").search([("to_location.type", "=", "customer")])
            return {
                "orders": len(sales),
                "lines": count("sale.line", []),
                "deals": count("sale.opportunity", [("state", "=", "opportunity")]),
                "movements": count("stock.move", []),
                "quantity": int(sum(m.quantity for m in outgoing)),
                "amount": int(sum(s.untaxed_amount for s in sales)),
            }

    def close(self) -> None:
        """The process ends, and its connections with it."""


if __name__ == "__main__":
    serve(Worker(task()))
