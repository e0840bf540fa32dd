"""A CRM base with any number of posted orders, laid in bulk: rows as posting would have written them, totals rebuilt by the kernel."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

from benchmarks.writing import CRM, sample
from infobase.connection import SESSION_LIMIT
from infobase.infobase import create, open_base, system_session
from infobase.kernel import Kernel
from infobase.metadata.reader import read_folder
from infobase.metadata.types import Ref, Value, empty_value
from infobase.object_store import store_of
from infobase.registers import rebuild_statements
from infobase.schema.layout import ObjectLayout, RegisterLayout, SectionLayout
from infobase.session import Session
from infobase.storage import StorageEngine

ORDER = "Document.SalesOrder"
REGISTERS = ("AccumulationRegister.OrdersToShip", "AccumulationRegister.Orders")
CUSTOMERS = 500
LINES = 2
YEARS = 2
Progress = Callable[[str, int, int], None]


def new_base(engine: StorageEngine, documents: int, progress: Progress | None = None) -> None:
    """A base with the sample's catalogs and `documents` posted orders of the last two years; any number of sessions may enter."""
    create(engine, read_folder(CRM), name="bench")
    session = system_session(open_base(engine).kernel)
    with session.transaction():
        sample(session)
        for n in range(CUSTOMERS):
            session.catalogs.Counterparties.new(Description=f"Покупатель {n:04}").write()
    session.settings.set(SESSION_LIMIT, "0")
    if documents:
        _orders(session, documents, progress)
    engine.close()


def _orders(session: Session, documents: int, progress: Progress | None) -> None:
    kernel, facts = session.kernel, _Facts(session, documents)
    makers: dict[str, Callable[[], Iterator[list[object]]]] = {
        "orders": lambda: _headers(kernel, facts),
        "lines": lambda: _lines(kernel, facts),
        REGISTERS[0]: lambda: _movements(kernel, facts, REGISTERS[0]),
        REGISTERS[1]: lambda: _movements(kernel, facts, REGISTERS[1]),
    }
    order = kernel.layout.objects[ORDER]
    tables = {
        "orders": order.table,
        "lines": order.sections["Goods"].table,
        **{r: kernel.layout.registers[r].table for r in REGISTERS},
    }
    for n, (name, make) in enumerate(makers.items()):
        if progress is not None:
            progress(f"{documents} documents: {name}", n, len(makers))
        with kernel.engine.transaction(write=True) as tx:
            kernel.engine.bulk_load(tx, tables[name], make())
    with kernel.engine.transaction(write=True) as tx:
        for register in REGISTERS:
            tx.run(rebuild_statements(kernel, register))


class _Facts:
    """What the n-th order says; the same whichever of its tables asks."""

    def __init__(self, session: Session, documents: int) -> None:
        self.documents = documents
        self.customers = session.find_refs("Catalog.Counterparties", None)
        self.products = session.find_refs("Catalog.Products", None)
        self.organization = session.find_refs("Catalog.Organizations", None, limit=1)[0]
        self.warehouse = session.find_refs("Catalog.Warehouses", None, limit=1)[0]
        self.start = dt.datetime.now().replace(microsecond=0) - dt.timedelta(days=365 * YEARS)
        self.step = dt.timedelta(days=365 * YEARS) / documents

    def date(self, n: int) -> dt.datetime:
        return (self.start + n * self.step).replace(microsecond=0)

    def order(self, n: int) -> Ref:
        stamp = int(self.date(n).timestamp() * 1000)
        return Ref(ORDER, uuid.UUID(int=(stamp << 80) | (7 << 76) | (2 << 62) | n))

    def customer(self, n: int) -> Ref:
        return self.customers[Random(n).randrange(len(self.customers))]

    def line(self, n: int, line: int) -> dict[str, Value]:
        random = Random(n * LINES + line)
        quantity, price = Decimal(random.randrange(1, 10)), Decimal(random.randrange(100, 9000))
        product = self.products[(n * LINES + line) % len(self.products)]
        return {"Product": product, "Quantity": quantity, "Price": price, "Amount": quantity * price}


def _row(kernel: Kernel, part: ObjectLayout | SectionLayout | RegisterLayout, values: dict[str, Value]) -> list[object]:
    record = {f.name: values.get(f.name, empty_value(f.field.type)) for f in part.fields}
    return list(kernel.codec(part).encode(record))


def _headers(kernel: Kernel, facts: _Facts) -> Iterator[list[object]]:
    layout, store = kernel.layout.objects[ORDER], store_of(kernel, ORDER)
    for n in range(facts.documents):
        amount = sum((_amount(facts.line(n, i)) for i in range(LINES)), Decimal(0))
        values: dict[str, Value] = {
            "Ref": facts.order(n),
            "DataVersion": Decimal(1),
            "Number": f"B{n:010}",
            "Date": facts.date(n),
            "Posted": True,
            "Customer": facts.customer(n),
            "Organization": facts.organization,
            "Warehouse": facts.warehouse,
            "Amount": amount,
        }
        record = {f.name: values.get(f.name, empty_value(f.field.type)) for f in layout.fields}
        yield from (list(row) for row in store.bulk_rows([record]))


def _amount(line: dict[str, Value]) -> Decimal:
    amount = line["Amount"]
    assert isinstance(amount, Decimal)
    return amount


def _lines(kernel: Kernel, facts: _Facts) -> Iterator[list[object]]:
    section, store = kernel.layout.objects[ORDER].sections["Goods"], store_of(kernel, ORDER)
    for n in range(facts.documents):
        owner = store.ref(facts.order(n))
        for line in range(LINES):
            values = facts.line(n, line) | {"LineNumber": Decimal(line + 1)}
            yield [owner, *_row(kernel, section, values)]


def _movements(kernel: Kernel, facts: _Facts, register: str) -> Iterator[list[object]]:
    layout = kernel.layout.registers[register]
    for n in range(facts.documents):
        order, customer, date = facts.order(n), facts.customer(n), facts.date(n)
        for line in range(LINES):
            values = facts.line(n, line) | {
                "Period": date,
                "Recorder": order,
                "LineNumber": Decimal(line + 1),
                "Active": True,
                "RecordType": "Receipt",
                "Order": order,
                "Customer": customer,
                "Warehouse": facts.warehouse,
            }
            yield _row(kernel, layout, values)
