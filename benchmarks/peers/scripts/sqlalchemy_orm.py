"""SQLAlchemy's ORM: the order of the comparison as a programmer models it; movements, totals and the log entry are ordinary rows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from protocol import CUSTOMERS, LINES, PAGE, PRICE, PRODUCTS, QUANTITY, READ, serve, task
from sqlalchemy import URL, ForeignKey, Numeric, create_engine, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship, selectinload, sessionmaker

MONEY = Numeric(15, 2, asdecimal=True)


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Number(Base):
    __tablename__ = "numbers"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    date: Mapped[dt.datetime] = mapped_column(index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    amount: Mapped[Decimal] = mapped_column(MONEY)
    posted: Mapped[bool]
    customer: Mapped[Customer] = relationship()
    lines: Mapped[list[Line]] = relationship(back_populates="order")


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    line_number: Mapped[int]
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[Decimal] = mapped_column(MONEY)
    price: Mapped[Decimal] = mapped_column(MONEY)
    amount: Mapped[Decimal] = mapped_column(MONEY)
    order: Mapped[Order] = relationship(back_populates="lines")


class _Movement:
    id: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[dt.datetime] = mapped_column(index=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    quantity: Mapped[Decimal] = mapped_column(MONEY)
    amount: Mapped[Decimal] = mapped_column(MONEY)


class SalesMovement(_Movement, Base):
    __tablename__ = "sales_movements"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))


class StockMovement(_Movement, Base):
    __tablename__ = "stock_movements"


class Balance(Base):
    """What is to be shipped of each order."""

    __tablename__ = "balances"
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    quantity: Mapped[Decimal] = mapped_column(MONEY)
    amount: Mapped[Decimal] = mapped_column(MONEY)


class Turnover(Base):
    """What each customer ordered in each month."""

    __tablename__ = "turnovers"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    month: Mapped[dt.date] = mapped_column(primary_key=True)
    quantity: Mapped[Decimal] = mapped_column(MONEY)
    amount: Mapped[Decimal] = mapped_column(MONEY)


class LogEntry(Base):
    __tablename__ = "log"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]
    event: Mapped[str]
    data: Mapped[str]


def _engine(given: dict):
    if given["engine"] == "server":
        url = URL.create(
            "postgresql+psycopg",
            username=given["user"],
            database=given["database"],
            query={"host": given["host"], "port": str(given["port"])},
        )
        return create_engine(url)
    engine = create_engine(f"sqlite:///{given['file']}", connect_args={"isolation_level": None})

    @event.listens_for(engine, "connect")
    def _(connection, _record):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


class Worker:
    def __init__(self, given: dict) -> None:
        self.engine = _engine(given)
        self.session = sessionmaker(self.engine)
        self.turn = 0

    def prepare(self) -> None:
        Base.metadata.create_all(self.engine)
        with self.session.begin() as session:
            session.add_all(Customer(name=f"Покупатель {n:04}") for n in range(CUSTOMERS))
            session.add_all(Product(name=f"Товар {n}") for n in range(PRODUCTS))
            session.add(Number(name="order", last=0))
        with self.session() as session:
            self.customers = list(session.scalars(select(Customer.id).order_by(Customer.id)))
            self.products = list(session.scalars(select(Product.id).order_by(Product.id)))[:LINES]

    def post(self) -> None:
        now, amount = dt.datetime.now(), Decimal(QUANTITY * PRICE)
        customer = self.customers[self.turn % CUSTOMERS]
        self.turn += 1
        with self.session.begin() as session:
            number = session.get(Number, "order", with_for_update=True)
            number.last += 1
            order = Order(
                number=f"{number.last:011}", date=now, customer_id=customer, amount=amount * LINES, posted=True
            )
            for n, product in enumerate(self.products, 1):
                order.lines.append(
                    Line(
                        line_number=n, product_id=product, quantity=Decimal(QUANTITY), price=Decimal(PRICE), amount=amount
                    )
                )  # fmt: skip
            session.add(order)
            session.flush()
            same = {"period": now, "order_id": order.id, "quantity": Decimal(QUANTITY), "amount": amount}
            session.add_all(SalesMovement(product_id=p, customer_id=customer, **same) for p in self.products)
            session.add_all(StockMovement(product_id=p, **same) for p in self.products)
            session.add_all(
                Balance(order_id=order.id, product_id=p, quantity=Decimal(QUANTITY), amount=amount)
                for p in self.products
            )
            self._turnovers(session, customer, now.date().replace(day=1), amount)
            session.add(LogEntry(at=now, event="Post", data=f"order:{order.id}"))

    def _turnovers(self, session, customer: int, month: dt.date, amount: Decimal) -> None:
        keys = select(Turnover).where(
            Turnover.customer_id == customer, Turnover.month == month, Turnover.product_id.in_(self.products)
        )
        known = {t.product_id: t for t in session.scalars(keys.with_for_update())}
        for product in self.products:
            if product in known:
                known[product].quantity += QUANTITY
                known[product].amount += amount
            else:
                session.add(
                    Turnover(
                        customer_id=customer, product_id=product, month=month, quantity=Decimal(QUANTITY), amount=amount
                    )
                )  # fmt: skip

    def read(self) -> int:
        """An order with its lines, as its form shows them."""
        self.turn += 1
        with self.session() as session:
            order = session.get(Order, 1 + self.turn % READ, options=[selectinload(Order.lines)])
            return len(order.lines)

    def list(self) -> int:
        with self.session() as session:
            found = session.scalars(
                select(Order)
                .options(joinedload(Order.customer))
                .where(Order.date <= dt.datetime.now())
                .order_by(Order.date.desc())
                .limit(PAGE)
            )
            return len([(o.id, o.number, o.date, o.customer.name, o.amount, o.posted) for o in found])

    def report(self) -> int:
        """What is to be shipped, by product."""
        with self.session() as session:
            sums = select(Balance.product_id, func.sum(Balance.quantity), func.sum(Balance.amount))
            return len(session.execute(sums.group_by(Balance.product_id)).all())

    def facts(self) -> dict[str, int]:
        with self.session() as session:

            def count(table) -> int:
                return session.scalar(select(func.count()).select_from(table))

            return {
                "orders": count(Order),
                "lines": count(Line),
                "movements": count(SalesMovement) + count(StockMovement),
                "quantity": int(session.scalar(select(func.sum(Balance.quantity)))),
                "amount": int(session.scalar(select(func.sum(Turnover.amount)))),
            }

    def close(self) -> None:
        self.engine.dispose()


if __name__ == "__main__":
    serve(Worker(task()))
