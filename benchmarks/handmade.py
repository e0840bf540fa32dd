"""The raw side: what a programmer writes by hand on the bare driver for the very same work on the very same tables.

It does everything the kernel does for the infobase (number, version check, closed period, movements, totals, event-log entry, durability) and
nothing of what makes it a platform (metadata, types, rights, sessions, messages). Values start as Python objects, as they would in any program.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import psycopg

from engine_server.engine import ServerEngine
from infobase import log_layout
from infobase.kernel import new_uuid

NOTHING = uuid.UUID(int=0)
Command = tuple[str, Sequence[object]]


@dataclass(frozen=True)
class Line:
    product: uuid.UUID
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Order:
    """A written order, as a program that is about to post it holds it."""

    ref: uuid.UUID
    version: int
    number: str
    date: dt.datetime
    customer: uuid.UUID
    warehouse: uuid.UUID
    lines: tuple[Line, ...]


class Hand(Protocol):
    """The two operations on one driver."""

    def post(self, order: Order) -> None: ...

    def save(self, description: str, cost: Decimal) -> None: ...

    def facts(self, commands: Sequence[str]) -> list[tuple[Any, ...]]:
        """The first row of each query: to see that both sides did the same."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Form:
    """How a driver takes values."""

    mark: str
    uuid: Callable[[uuid.UUID], object]
    number: Callable[[Decimal, int], object]
    date: Callable[[dt.datetime], object]
    flag: Callable[[bool], object]


SQLITE = Form("?", lambda v: v.bytes, lambda v, s: int(v.scaleb(s)), lambda v: v.isoformat(" "), int)
POSTGRESQL = Form("%s", lambda v: v, lambda v, s: v, lambda v: v, lambda v: v)

CLOSED_PERIOD = "SELECT value FROM sys_settings WHERE key = 'period_closed_until'"
_RECORDS = "INSERT INTO acc_orders (period, recorder__type, recorder, line_number, active, customer, product, manager, quantity, amount) VALUES "
_SHIP = 'INSERT INTO acc_orders_to_ship (period, recorder__type, recorder, line_number, active, record_type, "order", product, warehouse, quantity, amount) VALUES '
_TURNOVERS = (
    "INSERT INTO acc_orders__turnovers AS t (customer, product, manager, period, quantity, amount) VALUES ",
    " ON CONFLICT (customer, product, manager, period) DO UPDATE SET quantity = t.quantity + excluded.quantity, amount = t.amount + excluded.amount",
)
_BALANCE = (
    'INSERT INTO acc_orders_to_ship__balance AS t ("order", product, warehouse, quantity, amount) VALUES ',
    ' ON CONFLICT ("order", product, warehouse) DO UPDATE SET quantity = t.quantity + excluded.quantity, amount = t.amount + excluded.amount',
)
_SHIP_TURNOVERS = (
    'INSERT INTO acc_orders_to_ship__turnovers AS t ("order", product, warehouse, period, quantity__receipt, quantity__expense, amount__receipt, '
    "amount__expense) VALUES ",
    ' ON CONFLICT ("order", product, warehouse, period) DO UPDATE SET quantity__receipt = t.quantity__receipt + excluded.quantity__receipt, '
    "quantity__expense = t.quantity__expense + excluded.quantity__expense, amount__receipt = t.amount__receipt + excluded.amount__receipt, "
    "amount__expense = t.amount__expense + excluded.amount__expense",
)
_BUMP = (
    "INSERT INTO sys_numbers (object, prefix, period, last) VALUES ('Catalog.Products', '', {m}, 1) "
    "ON CONFLICT (object, prefix, period) DO UPDATE SET last = sys_numbers.last + 1 RETURNING last"
)
_PRODUCT = (
    "INSERT INTO cat_products (ref, data_version, deletion_mark, predefined_data_name, code, description, description__search, parent, is_folder, "
    "full_name, full_name__search, article, article__search, barcode, barcode__search, unit, vat_rate, product_type, price, cost, supplier, comment) "
    "VALUES "
)
CLOSED = dt.datetime(1, 1, 1)


class Writer:
    """The statements of both operations in a driver's form."""

    def __init__(self, form: Form, log_prefix: str) -> None:
        self.form = form
        columns = ", ".join(f'"{c}"' for c in log_layout.EVENT_COLUMNS)
        self._log = f'INSERT INTO {log_prefix}"EventLog" ({columns}) VALUES ' + self._marks(20, 1)
        self._update = (
            "UPDATE doc_sales_order SET posted = {m}, data_version = {m} WHERE ref = {m} AND data_version = {m} "
            "RETURNING data_version"
        ).replace("{m}", form.mark)
        self.bump = _BUMP.replace("{m}", form.mark)

    def _marks(self, width: int, rows: int) -> str:
        row = "(" + ", ".join([self.form.mark] * width) + ")"
        return ", ".join([row] * rows)

    def _many(self, head: str, rows: Sequence[Sequence[object]], tail: str = "") -> Command:
        return head + self._marks(len(rows[0]), len(rows)) + tail, [v for row in rows for v in row]

    def posting(self, order: Order) -> list[Command]:
        """All but the log; the second returns a row unless another version of the order is stored."""
        form = self.form
        ref, date, month = form.uuid(order.ref), form.date(order.date), form.date(order.date.replace(day=1))
        customer, warehouse, nobody = form.uuid(order.customer), form.uuid(order.warehouse), form.uuid(NOTHING)
        kind, yes = "Document.SalesOrder", form.flag(True)
        lines = [
            (n, form.uuid(x.product), form.number(x.quantity, 3), form.number(x.amount, 2))
            for n, x in enumerate(order.lines, 1)
            if x.quantity > 0
        ]
        sums: dict[Any, tuple[Any, Any]] = {}
        for _, product, quantity, amount in lines:
            before = sums.get(product, (0, 0))
            sums[product] = (before[0] + quantity, before[1] + amount)
        totals = sorted(sums.items())
        zero = form.number(Decimal(0), 2)
        return [
            (CLOSED_PERIOD, ()),
            (self._update, [yes, order.version + 1, ref, order.version]),
            self._many(_RECORDS, [(date, kind, ref, n, yes, customer, p, nobody, q, a) for n, p, q, a in lines]),
            self._many(_TURNOVERS[0], [(customer, p, nobody, month, q, a) for p, (q, a) in totals], _TURNOVERS[1]),
            self._many(_SHIP, [(date, kind, ref, n, yes, "Receipt", ref, p, warehouse, q, a) for n, p, q, a in lines]),
            self._many(_BALANCE[0], [(ref, p, warehouse, q, a) for p, (q, a) in totals], _BALANCE[1]),
            self._many(
                _SHIP_TURNOVERS[0],
                [(ref, p, warehouse, month, q, zero, a, zero) for p, (q, a) in totals],
                _SHIP_TURNOVERS[1],
            ),
        ]

    def product(self, code: str, description: str, cost: Decimal) -> tuple[uuid.UUID, Command]:
        form, ref = self.form, new_uuid()
        nobody, no, zero = form.uuid(NOTHING), form.flag(False), form.number(Decimal(0), 2)
        row = (form.uuid(ref), 1, no, "", code, description, description.casefold(), nobody, no, "", "", "", "", "", "", nobody, "", "",
               zero, form.number(cost, 2), nobody, "")  # fmt: skip
        return ref, self._many(_PRODUCT, [row])

    def log(self, event: int, data: str, presentation: str) -> Command:
        now = log_layout.to_ticks(dt.datetime.now())
        row = [1, now, 1, 1, 1, now, 0, 1, 1, 1, event, "", "1", 0, ord("R"), data, presentation, 0, 0, 0]
        return self._log, row


def _title(order: Order) -> str:
    return f"Заказ покупателя {order.number} от {order.date:%d.%m.%Y %H:%M:%S}"


class VersionChanged(Exception):
    """Somebody else has changed the order, or its period is closed."""


class HandFile:
    """stdlib sqlite3: WAL with synchronous FULL, checkpoints as SQLite takes them by itself; the log is a file of its own, WAL with NORMAL."""

    def __init__(self, folder: Path) -> None:
        self.base = sqlite3.connect(folder / "1Cv8.1CD", isolation_level=None)
        self.base.execute("PRAGMA journal_mode=WAL")
        self.base.execute("PRAGMA synchronous=FULL")
        (folder / "1Cv8Log").mkdir(exist_ok=True)
        self.log = sqlite3.connect(folder / "1Cv8Log" / "hand.lgd", isolation_level=None)
        self.log.execute("PRAGMA journal_mode=WAL")
        self.log.execute("PRAGMA synchronous=NORMAL")
        for statement in log_layout.create_statements("sqlite", ""):
            self.log.execute(statement.sql)
        self.writer = Writer(SQLITE, "")

    def post(self, order: Order) -> None:
        self.base.execute("BEGIN IMMEDIATE")
        try:
            closed, changed, *_ = [self.base.execute(*c).fetchall() for c in self.writer.posting(order)]
            if closed or not changed:
                raise VersionChanged
            self.base.execute("COMMIT")
        except BaseException:
            self.base.execute("ROLLBACK")
            raise
        self.log.execute(*self.writer.log(1, f"Document.SalesOrder:{order.ref}", _title(order)))

    def save(self, description: str, cost: Decimal) -> None:
        self.base.execute("BEGIN IMMEDIATE")
        try:
            [number] = self.base.execute(self.writer.bump, [SQLITE.date(CLOSED)]).fetchone()
            ref, insert = self.writer.product(f"{number:011}", description, cost)
            self.base.execute(*insert)
            self.base.execute("COMMIT")
        except BaseException:
            self.base.execute("ROLLBACK")
            raise
        self.log.execute(*self.writer.log(2, f"Catalog.Products:{ref}", f"Номенклатура: {description}"))

    def facts(self, commands: Sequence[str]) -> list[tuple[Any, ...]]:
        return [self.base.execute(c).fetchone() for c in commands]

    def close(self) -> None:
        self.base.close()
        self.log.close()


class HandServer:
    """psycopg 3: prepared statements, one pipeline of everything before the decision to commit, one of the log's entry and the commit."""

    def __init__(self, engine: ServerEngine) -> None:
        self.conn = psycopg.connect(engine.where().conninfo(), autocommit=True, prepare_threshold=1)
        self.writer = Writer(POSTGRESQL, "event_log.")

    def _turn(self, commands: Sequence[Command]) -> list[list[tuple[Any, ...]]]:
        with self.conn.pipeline():
            cursors = [self.conn.execute(sql, params or None) for sql, params in commands]
        return [c.fetchall() if c.description else [] for c in cursors]

    def post(self, order: Order) -> None:
        try:
            _, closed, changed, *_ = self._turn([("BEGIN", ()), *self.writer.posting(order)])
            if closed or not changed:
                raise VersionChanged
            self._turn([self.writer.log(1, f"Document.SalesOrder:{order.ref}", _title(order)), ("COMMIT", ())])
        except BaseException:
            self.conn.execute("ROLLBACK")
            raise

    def save(self, description: str, cost: Decimal) -> None:
        try:
            _, [[number]] = self._turn([("BEGIN", ()), (self.writer.bump, [CLOSED])])
            ref, insert = self.writer.product(f"{number:011}", description, cost)
            entry = self.writer.log(2, f"Catalog.Products:{ref}", f"Номенклатура: {description}")
            self._turn([insert, entry, ("COMMIT", ())])
        except BaseException:
            self.conn.execute("ROLLBACK")
            raise

    def facts(self, commands: Sequence[str]) -> list[tuple[Any, ...]]:
        found = [self.conn.execute(c).fetchone() for c in commands]
        return [row for row in found if row is not None]

    def close(self) -> None:
        self.conn.close()
