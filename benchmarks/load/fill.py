"""A CRM base with any number of posted orders, laid in bulk: rows as posting would have written them, totals rebuilt by the kernel."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal

from benchmarks.writing import CRM, sample
from infobase.connection import SESSION_LIMIT
from infobase.infobase import create, open_base, system_session
from infobase.kernel import Kernel
from infobase.metadata.reader import read_folder
from infobase.metadata.types import Ref, Value, empty_value
from infobase.object_store import store_of
from infobase.registers import rebuild_statements
from infobase.schema.ddl import index_statements
from infobase.schema.layout import ObjectLayout, RegisterLayout, SectionLayout
from infobase.session import Session
from infobase.storage import Statement, StorageEngine

ORDER = "Document.SalesOrder"
REGISTERS = ("AccumulationRegister.OrdersToShip", "AccumulationRegister.Orders")
CUSTOMERS = 500
LINES = 2
YEARS = 2
VARIETY = 1009
"""Orders with so many different customers, goods and amounts; prime, so that it goes into no other number here."""
Progress = Callable[[str, int, int], None]


def new_base(engine: StorageEngine, documents: int, progress: Progress | None = None, *, name: str = "bench") -> None:
    """A base with the sample's catalogs and `documents` posted orders of the last two years; any number of sessions may enter."""
    create(engine, read_folder(CRM), name=name)
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
            progress(f"{documents} documents: {name}", n, len(makers) + 1)
        with kernel.engine.transaction(write=True) as tx:
            tx.run([Statement(f"DROP INDEX {kernel.dialect.quote(i.name)}") for i in tables[name].indexes])
            kernel.engine.bulk_load(tx, tables[name], make())
            tx.run(index_statements(tables[name], kernel.dialect))
    if progress is not None:
        progress(f"{documents} documents: totals", len(makers), len(makers) + 1)
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
        return self.customers[_drawn(n % VARIETY, 1, len(self.customers))]

    def line(self, n: int, line: int) -> dict[str, Value]:
        at = n % VARIETY * LINES + line
        quantity, price = Decimal(_drawn(at, 2, 9) + 1), Decimal(_drawn(at, 3, 8900) + 100)
        product = self.products[at % len(self.products)]
        return {"Product": product, "Quantity": quantity, "Price": price, "Amount": quantity * price}


def _drawn(n: int, what: int, below: int) -> int:
    """A number that looks drawn by lot and costs no generator: the middle bits of a multiplication (Knuth, TAOCP 6.4)."""
    return ((n * 4 + what) * 0x9E3779B97F4A7C15 >> 24 & 0xFFFFFFFF) % below


def _empty(part: ObjectLayout | SectionLayout | RegisterLayout) -> dict[str, Value]:
    return {f.name: empty_value(f.field.type) for f in part.fields}


def _headers(kernel: Kernel, facts: _Facts) -> Iterator[list[object]]:
    layout, store = kernel.layout.objects[ORDER], store_of(kernel, ORDER)
    empty = _empty(layout)

    def values() -> Iterator[dict[str, Value]]:
        for n in range(facts.documents):
            yield empty | {
                "Ref": facts.order(n),
                "DataVersion": Decimal(1),
                "Number": f"B{n:010}",
                "Date": facts.date(n),
                "Posted": True,
                "Customer": facts.customer(n),
                "Organization": facts.organization,
                "Warehouse": facts.warehouse,
                "Amount": sum((_amount(facts.line(n, i)) for i in range(LINES)), Decimal(0)),
            }

    return (list(row) for row in store.bulk_rows(values()))


def _amount(line: dict[str, Value]) -> Decimal:
    amount = line["Amount"]
    assert isinstance(amount, Decimal)
    return amount


class _Stencil:
    """Rows of a part, encoded once for each of the `VARIETY` kinds of orders there are: of a row only what differs from order to order is put in.
    Without it millions of rows would take their time in encoding the same values."""

    def __init__(
        self,
        kernel: Kernel,
        part: SectionLayout | RegisterLayout,
        values: Callable[[int, int], dict[str, Value]],
        varying: tuple[str, ...],
    ) -> None:
        codec, empty = kernel.codec(part), _empty(part)
        self._rows = [[codec.encode(empty | values(n, i)) for i in range(LINES)] for n in range(VARIETY)]
        places = {f.name: codec.columns.index(f.columns[0].name) for f in part.fields}
        writers = {f.name: c.write for f, c in zip(codec.fields, codec.codecs, strict=True)}
        self._varying = [(name, places[name], writers[name]) for name in varying]

    def rows(self, n: int, differs: dict[str, Value]) -> Iterator[list[object]]:
        """Of the n-th order's lines."""
        written = [(place, write(differs[name])) for name, place, write in self._varying]
        for made in self._rows[n % VARIETY]:
            row = made.copy()
            for place, columns in written:
                row[place : place + len(columns)] = columns
            yield row


def _lines(kernel: Kernel, facts: _Facts) -> Iterator[list[object]]:
    section, store = kernel.layout.objects[ORDER].sections["Goods"], store_of(kernel, ORDER)
    stencil = _Stencil(kernel, section, lambda n, i: facts.line(n, i) | {"LineNumber": Decimal(i + 1)}, ())
    for n in range(facts.documents):
        owner = store.ref(facts.order(n))
        for row in stencil.rows(n, {}):
            yield [owner, *row]


def _movements(kernel: Kernel, facts: _Facts, register: str) -> Iterator[list[object]]:
    def values(n: int, line: int) -> dict[str, Value]:
        return facts.line(n, line) | {
            "LineNumber": Decimal(line + 1),
            "Active": True,
            "RecordType": "Receipt",
            "Customer": facts.customer(n),
            "Warehouse": facts.warehouse,
        }

    layout = kernel.layout.registers[register]
    varying = tuple(f.name for f in layout.fields if f.name in ("Period", "Recorder", "Order"))
    stencil = _Stencil(kernel, layout, values, varying)
    for n in range(facts.documents):
        order = facts.order(n)
        yield from stencil.rows(n, {"Period": facts.date(n), "Recorder": order, "Order": order})
